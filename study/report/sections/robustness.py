"""What changed images and other datasets do to single networks, where ``study evaluate`` measured it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from study.analysis.evaluations import Evaluations
from study.report.collect import StudyData
from study.report.section import Section, section
from study.report.table import Column, Table
from study.report.wording import FIXED_BLANK, code, percent

TEMPLATE = """\
Error of single trained networks, with 95 % intervals over new images: on the test split as it is, on the same images \
under ten corruptions at five severities (the mean corruption error, not divided by another network's), and on other \
datasets. Measured by {{ "study evaluate" | code }}.

{{ tables.robustness.markdown() }}
{% if tables.get("corruptions") %}
{{ folded("Error by corruption and severity", tables.corruptions.markdown()) }}
{% endif %}
"""


@section("robustness", title="Robustness", place=85)
def write(data: StudyData) -> Section | None:
    """Return errors under corruptions and on other datasets."""
    tables = robustness_tables(data.evaluations)
    return Section.of(TEMPLATE, tables=tables) if "robustness" in tables else None


def robustness_tables(found: Sequence[Evaluations]) -> dict[str, Table]:
    """Return the tables that have rows: ``robustness``, and ``corruptions`` with every kind and severity."""
    tables = {"robustness": _overview(found), "corruptions": _corruptions(found)}
    return {name: table for name, table in tables.items() if table.rows}


def _overview(found: Sequence[Evaluations]) -> Table:
    """What each run scores on its own test split, on the corrupted one (mean over all), and on other datasets."""
    rows: list[list[Any]] = []
    for one in found:
        if robust := one.robustness:
            kinds = (("own test split", robust.clean), ("corrupted test split", robust.mean))
            rows += [[one.key, name, robust.images, *error] for name, error in kinds]
        for name, other in one.elsewhere.items():
            value, low, high = other.accuracy
            rows.append([one.key, name, other.images, 1 - value, 1 - high, 1 - low])
    columns = [
        Column("run", "run", code, right=False),
        Column("images_of", "images of", right=False),
        Column("images", "images", "{:,}".format),
        Column("error", "error, %", percent),
        Column("error_low", "from", percent),
        Column("error_high", "to", percent),
    ]
    return Table("robustness", columns, rows)


def _corruptions(found: Sequence[Evaluations]) -> Table:
    """The error under each corruption, the most harmful first: mean over severities, and severity by severity."""
    rows = [
        [one.key, name, sum(errors) / len(errors), *errors]
        for one in found
        if one.robustness
        for name, errors in sorted(one.robustness.errors.items(), key=lambda item: (-sum(item[1]), item[0]))
    ]
    columns = [
        Column("run", "run" if len({row[0] for row in rows}) > 1 else "", code, right=False),
        Column("corruption", "corruption", right=False),
        Column("error", "mean error, %", lambda value: f"**{percent(value)}**"),
        *(Column(f"severity_{one}", f"severity{FIXED_BLANK}{one}", percent) for one in range(1, 6)),
    ]
    return Table("corruptions", columns, rows)
