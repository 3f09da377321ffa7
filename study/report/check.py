"""The check: does the report on disk still say what the store says?"""

from __future__ import annotations

import difflib
from pathlib import Path

from study.analysis.pairs import MARGIN
from study.core.store import Store
from study.report.build import build_report
from study.report.figures.picture import stored_data_hash
from study.report.forms import check_forms
from study.report.write import generated_files, recorded_margin, report_folder


def check_report(store: Store, reports: str | Path, margin: float | None = None) -> list[str]:
    """Compare Markdown, CSV and figure data (not the pixels) of the report on disk with what the store gives.

    Args:
        store: The study's records.
        reports: Folder of all reports.
        margin: The equivalence margin that the report must have been written with; None takes the one it tells.

    Returns:
        One line a difference; empty where the report is up to date.

    Raises:
        StoreError: the study has no records, or a record cannot be read.
    """
    folder = report_folder(store, reports)
    report = build_report(store, margin or recorded_margin(folder) or MARGIN)
    texts = {"README.md": report.markdown} | {f"tables/{name}": text for name, text in report.tables.items()}
    found = [line for name, text in texts.items() if (line := _text_difference(folder / name, name, text))]
    for name, picture in report.pictures.items():
        path = folder / "figures" / name
        if not path.is_file():
            found.append(f"figures/{name} is missing.")
        elif stored_data_hash(path) != picture.data_hash:
            found.append(f"figures/{name} shows other data than the store holds.")
    found += check_forms(report, folder)
    expected = {*texts, *(f"figures/{name}" for name in report.pictures)}
    return found + [
        f"{path.as_posix()} is left over." for path in generated_files(folder) if path.as_posix() not in expected
    ]


def _text_difference(path: Path, name: str, expected: str) -> str:
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return f"{name} is missing."
    except (OSError, UnicodeDecodeError) as error:
        return f"{name} cannot be read ({error})."
    if text == expected:
        return ""
    changed = [
        line
        for line in difflib.unified_diff(text.splitlines(), expected.splitlines(), n=0, lineterm="")
        if line[:3] not in ("---", "+++")
    ]
    first = next((line for line in changed if line[:1] in "+-"), "line endings")
    return f"{name} differs from the store, first here: {first[:160]}"
