"""Write: a report is put into ``reports/<study>/``, and generated files that it no longer has are removed."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

from study.analysis.pairs import MARGIN
from study.core.files import write_atomically
from study.core.store import Store
from study.report.build import build_report
from study.report.forms import write_forms


def report_folder(store: Store, reports: str | Path) -> Path:
    """Return where a study's report is kept."""
    return Path(reports) / store.study


def recorded_margin(folder: Path) -> float | None:
    """Return the equivalence margin that the report in a folder was written with; None where it tells none."""
    try:
        rows = csv.DictReader((folder / "tables" / "settings.csv").read_text(encoding="utf-8").splitlines())
        margin = next(float(row["value"]) for row in rows if row["name"] == "equivalence_margin")
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError, StopIteration):
        return None
    return margin if margin > 0.0 else None


def write_report(store: Store, reports: str | Path, margin: float | None = None, forms: Collection[str] = ()) -> Path:
    """Write ``<reports>/<study>/README.md`` with figures and tables, and remove generated files that it no longer has.

    Args:
        store: The study's records.
        reports: Folder of all reports.
        margin: As for ``build_report``; None keeps that of the report that is there, or takes the default.
        forms: Forms to write too (``study.report.forms``); those that are there are written anew in any case.

    Returns:
        The path of the README.

    Raises:
        StoreError: the study has no records, a record cannot be read, or the folder cannot be written.
    """
    folder = report_folder(store, reports)
    report = build_report(store, margin or recorded_margin(folder) or MARGIN)
    for name, text in report.tables.items():
        write_atomically(folder / "tables" / name, text.encode())
    for name, picture in report.pictures.items():
        path = folder / "figures" / name
        if not picture.drawn_as(path):
            write_atomically(path, picture.png())
    for path in generated_files(folder):
        kept = report.tables if path.parts[0] == "tables" else report.pictures
        if path.relative_to(path.parts[0]).as_posix() not in kept:
            (folder / path).unlink()
    write_forms(report, folder, forms)
    page = folder / "README.md"
    write_atomically(page, report.markdown.encode())  # last, so that it never names what is not there
    return page


def generated_files(folder: Path) -> list[Path]:
    """Return the tables and figures that lie in a report's folder, relative to it, sorted."""
    found = [*(folder / "tables").rglob("*.csv"), *(folder / "figures").rglob("*.png")]
    return sorted(path.relative_to(folder) for path in found)
