"""Tables of what ``study evaluate`` found: corrupted images, and other datasets beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from study.analysis.evaluations import Evaluations
from study.report.tables.table import Column, Table
from study.report.wording import FIXED_BLANK, code, escape, percent

CLEAN, CORRUPTED = "own test split", "corrupted test split"


def robustness_tables(found: Sequence[Evaluations]) -> dict[str, Table]:
    """Return the tables that have rows: ``robustness``, and ``corruptions`` with every kind and severity."""
    tables = {"robustness": _overview(found), "corruptions": _corruptions(found)}
    return {name: table for name, table in tables.items() if table.rows}


def _overview(found: Sequence[Evaluations]) -> Table:
    """What each run scores on its own test split, on the corrupted one (mean over all), and on other datasets."""
    rows: list[list[Any]] = []
    for one in found:
        if robust := one.robustness:
            kinds = ((CLEAN, robust.clean), (CORRUPTED, robust.mean))
            rows += [[one.key, name, robust.images, *error] for name, error in kinds]
        for name, other in one.elsewhere.items():
            value, low, high = other.accuracy
            rows.append([one.key, name, other.images, 1 - value, 1 - high, 1 - low])
    columns = [
        Column("run", "run", code, right=False),
        Column("images_of", "images of", escape, right=False),
        Column("images", "images", lambda count: f"{count:,}"),
        Column("error", "error, %", percent),
        Column("error_low", "from", percent),
        Column("error_high", "to", percent),
    ]
    return Table("robustness", columns, rows)


def _corruptions(found: Sequence[Evaluations]) -> Table:
    """The error under each corruption: mean over severities, and severity by severity."""
    rows = [
        [one.key, name, sum(errors) / len(errors), *errors]
        for one in found
        if one.robustness
        for name, errors in _by_name(one.robustness.errors).items()
    ]
    severities = [Column(f"severity_{one}", f"severity{FIXED_BLANK}{one}", percent) for one in range(1, 6)]
    columns = [
        Column("run", "run" if len({row[0] for row in rows}) > 1 else "", code, right=False),
        Column("corruption", "corruption", right=False),
        Column("error", "mean error, %", lambda value: f"**{percent(value)}**"),
        *severities,
    ]
    return Table("corruptions", columns, rows)


def _by_name(errors: Mapping[str, Sequence[float]]) -> Mapping[str, Sequence[float]]:
    """Return the corruptions from the most to the least harmful."""
    return dict(sorted(errors.items(), key=lambda item: (-sum(item[1]), item[0])))
