"""Write a report into ``reports/<study>/``, or check that the one that is there still says what the store says.

Two more forms, one HTML file and LaTeX tables, are written when asked for and kept up to date from then on.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Collection
from pathlib import Path

from study.analysis.pairs import MARGIN
from study.core.files import write_atomically
from study.core.store import Store
from study.report.build import Report, build_report
from study.report.html import html_page, report_content, stored_content
from study.report.picture import stored_data_hash

HTML, LATEX = "html", "latex"
HTML_FILE = "report.html"
LATEX_FOLDER = "latex"


def report_folder(store: Store, reports: str | Path) -> Path:
    """Return where a study's report is kept."""
    return Path(reports) / store.study


def write_report(store: Store, reports: str | Path, margin: float | None = None, forms: Collection[str] = ()) -> Path:
    """Write ``<reports>/<study>/README.md`` with figures and tables, and remove generated files that it no longer has.

    Without a margin (a share of accuracy) that of the report that is there is kept. ``forms``, ``HTML`` and ``LATEX``,
    are written too; those that are there are written anew in any case.

    Raises:
        StoreError: the study has no records, a record cannot be read, or the folder cannot be written.
    """
    folder = report_folder(store, reports)
    report = build_report(store, margin or _recorded_margin(folder) or MARGIN)
    forms = {*forms, *_forms_in(folder)}
    texts = _texts(report, forms)
    for name, picture in report.pictures.items():
        if not picture.drawn_as(folder / "figures" / name):
            write_atomically(folder / "figures" / name, picture.png())
    for name in _left_over(report, texts, folder):
        (folder / name).unlink()
    if HTML in forms:
        texts = {HTML_FILE: html_page(report, lambda name: (folder / "figures" / name).read_bytes()), **texts}
    for name, text in texts.items():
        write_atomically(folder / name, text.encode())
    return folder / "README.md"


def check_report(store: Store, reports: str | Path, margin: float | None = None) -> list[str]:
    """Compare Markdown, CSV and figure data (not the pixels) of the report on disk with what the store gives.

    Returns one line a difference. Without a margin the one that the report tells is taken.

    Raises:
        StoreError: the study has no records, or a record cannot be read.
    """
    folder = report_folder(store, reports)
    report = build_report(store, margin or _recorded_margin(folder) or MARGIN)
    forms = _forms_in(folder)
    texts = _texts(report, forms)
    found = [line for name, text in texts.items() if (line := _difference(folder / name, name, text))]
    for name, picture in report.pictures.items():
        path = folder / "figures" / name
        if not path.is_file():
            found.append(f"figures/{name} is missing.")
        elif stored_data_hash(path) != picture.data_hash:
            found.append(f"figures/{name} shows other data than the store holds.")
    if HTML in forms:
        page = (folder / HTML_FILE).read_text(encoding="utf-8", errors="replace")
        if stored_content(page) != report_content(report):
            found.append(f"{HTML_FILE} shows other results than the store holds.")
    return found + [f"{name} is left over." for name in _left_over(report, texts, folder)]


def _recorded_margin(folder: Path) -> float | None:
    """Return the equivalence margin that the report in a folder was written with; None where it tells none."""
    try:
        rows = csv.DictReader((folder / "tables" / "settings.csv").read_text(encoding="utf-8").splitlines())
        margin = next(float(row["value"]) for row in rows if row["name"] == "equivalence_margin")
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError, StopIteration):
        return None
    return margin if margin > 0.0 else None


def _forms_in(folder: Path) -> set[str]:
    """Return the forms that a report's folder has."""
    found = {HTML} if (folder / HTML_FILE).is_file() else set()
    return found | ({LATEX} if any((folder / LATEX_FOLDER).glob("*.tex")) else set())


def _texts(report: Report, forms: Collection[str]) -> dict[str, str]:
    """Return the text files by path; the page last, so that it never names what is not there."""
    latex = report.latex if LATEX in forms else {}
    texts = {f"{LATEX_FOLDER}/{name}": text for name, text in latex.items()}
    return texts | {f"tables/{name}": text for name, text in report.tables.items()} | {"README.md": report.markdown}


def _left_over(report: Report, texts: Collection[str], folder: Path) -> list[str]:
    """Return the paths of generated files in a folder that the report does not have, sorted."""
    kinds = {"tables": "*.csv", "figures": "*.png", LATEX_FOLDER: "*.tex"}
    there = [
        path.relative_to(folder).as_posix() for kind, ends in kinds.items() for path in (folder / kind).rglob(ends)
    ]
    return sorted({*there} - {*texts, *(f"figures/{name}" for name in report.pictures)})


def _difference(path: Path, name: str, expected: str) -> str:
    """Say how a text file differs from what it should be; empty where it does not."""
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return f"{name} is missing."
    except (OSError, UnicodeDecodeError) as error:
        return f"{name} cannot be read ({error})."
    if text == expected:
        return ""
    changed = difflib.unified_diff(text.splitlines(), expected.splitlines(), n=0, lineterm="")
    lines = (line for line in changed if line[:1] in "+-" and line[:3] not in ("---", "+++"))
    return f"{name} differs from the store, first here: {next(lines, 'line endings')[:160]}"
