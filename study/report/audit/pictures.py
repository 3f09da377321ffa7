"""Pictures of an audit's findings, made of the dataset's own images: for whoever has them, never published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from study.core.files import write_atomically
from study.core.spec import SPLITS
from study.report.audit.label_errors import LabelErrors
from study.report.local import MOST_IN_ROW, Cell, image_sheet

if TYPE_CHECKING:
    from study.datasets.audit import Audit

_MOST_GROUPS = 80


def write_audit_pictures(audit: Audit, folder: Path, suspected: LabelErrors | None = None) -> list[Path]:
    """Draw sheets of what was found into a folder; return the paths written. Nothing found, no sheet.

    Raises:
        StoreError: the folder cannot be written.
    """
    sheets = {
        "copies-across-splits.png": [_group(audit, rows) for rows in _across(audit)],
        "conflicting-labels.png": [_group(audit, rows) for rows in audit.conflicting + _only_near(audit)],
        "mirrored.png": [_pair(audit, int(place)) for place in np.flatnonzero(audit.near.mirrored)],
        "least-alike.png": [_pair(audit, int(place)) for place in np.argsort(audit.near.similarity, kind="stable")],
        "largest-groups.png": [_group(audit, rows) for rows in sorted(audit.groups, key=len, reverse=True)],
        "empty.png": [
            _group(audit, [row]) for row in np.flatnonzero(audit.pixels.constant | audit.pixels.nearly_constant)
        ],
        "suspicious-labels.png": [[cell] for cell in _suspected(audit, suspected)] if suspected else [],
    }
    written = []
    for name, groups in sheets.items():
        path = folder / name
        if groups:
            write_atomically(path, image_sheet(groups[:_MOST_GROUPS]))
            written.append(path)
        else:
            path.unlink(missing_ok=True)
    return written


def _across(audit: Audit) -> Iterable[np.ndarray]:
    """Return groups of near copies in more than one split."""
    splits = audit.data.splits
    return [
        rows
        for rows in audit.groups
        if len(np.unique(splits[rows])) > 1 and len(np.unique(audit.data.hashes[rows])) > 1
    ]


def _only_near(audit: Audit) -> list[np.ndarray]:
    known = {int(rows[0]) for rows in audit.conflicting}
    return [rows for rows in audit.conflicting_alike if int(rows[0]) not in known]


def _place(audit: Audit, row: int) -> str:
    data = audit.data
    return f"{data.classes[data.labels[row]]}\n{SPLITS[data.splits[row]]}"


def _group(audit: Audit, rows: Sequence[Any] | np.ndarray) -> list[Cell]:
    return [(audit.data.images[row], _place(audit, row)) for row in rows[:MOST_IN_ROW]]


def _pair(audit: Audit, place: int) -> list[Cell]:
    pairs = audit.near
    first, second = int(pairs.first[place]), int(pairs.second[place])
    mirrored = " m" if pairs.mirrored[place] else ""
    words = f"{_place(audit, second)} {pairs.similarity[place]:.2f}{mirrored}"
    return [(audit.data.images[first], _place(audit, first)), (audit.data.images[second], words)]


def _suspected(audit: Audit, suspected: LabelErrors) -> list[Cell]:
    data, found = audit.data, suspected.found
    rows = suspected.held_out.rows[found.rows]
    return [
        (data.images[row], f"{data.classes[data.labels[row]]}\n{data.classes[suggested]}?")
        for row, suggested in zip(rows, found.suggested, strict=True)
    ]
