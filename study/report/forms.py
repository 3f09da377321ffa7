"""Other forms of a report: one HTML file, LaTeX tables. Written when asked for and kept up to date from then on."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from study.core.files import write_atomically
from study.report.html import html_page, report_content, stored_content

if TYPE_CHECKING:
    from study.report.build import Report

HTML, LATEX = "html", "latex"
HTML_FILE = "report.html"
LATEX_FOLDER = "latex"


def forms_in(folder: Path) -> set[str]:
    """Return the forms that a report's folder has."""
    found = {HTML} if (folder / HTML_FILE).is_file() else set()
    return found | ({LATEX} if any((folder / LATEX_FOLDER).glob("*.tex")) else set())


def write_forms(report: Report, folder: Path, asked: Collection[str]) -> list[Path]:
    """Write the forms that are asked for or there; the figures lie in the folder already.

    Returns:
        What a reader opens of each that was asked for.

    Raises:
        StoreError: the folder cannot be written.
    """
    forms = forms_in(folder) | set(asked)
    if HTML in forms:
        page = html_page(report, lambda name: (folder / "figures" / name).read_bytes())
        write_atomically(folder / HTML_FILE, page.encode())
    if LATEX in forms:
        for name, text in report.latex.items():
            write_atomically(folder / LATEX_FOLDER / name, text.encode())
        for path in (folder / LATEX_FOLDER).glob("*.tex"):
            if path.name not in report.latex:
                path.unlink()
    places = {HTML: folder / HTML_FILE, LATEX: folder / LATEX_FOLDER}
    return [places[form] for form in (HTML, LATEX) if form in asked]


def check_forms(report: Report, folder: Path) -> Iterator[str]:
    """Yield a line for each form in the folder that no longer says what the report says."""
    forms = forms_in(folder)
    if HTML in forms:
        page = (folder / HTML_FILE).read_text(encoding="utf-8", errors="replace")
        if stored_content(page) != report_content(report):
            yield f"{HTML_FILE} shows other results than the store holds."
    if LATEX in forms:
        there = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in _tex(folder)}
        for name in sorted({*there, *report.latex}):
            if there.get(name) != report.latex.get(name):
                yield f"{LATEX_FOLDER}/{name} differs from the store."


def _tex(folder: Path) -> list[Path]:
    return sorted((folder / LATEX_FOLDER).glob("*.tex"))
