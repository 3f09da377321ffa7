"""What changed images and other datasets do to single networks, where ``study evaluate`` measured it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from study.analysis.evaluations import Evaluations, Interval
from study.analysis.scores import NETWORK, Statement
from study.core.record import Record
from study.report.collect import StudyData
from study.report.section import Section, section
from study.report.table import Column, Table
from study.report.wording import FIXED_BLANK, percent, with_interval_inline

TEMPLATE = """\
Error of single trained networks, with 95 % intervals over new images: on the test split as it is, on the same images \
under ten corruptions at five severities (the mean corruption error, not divided by another network's), and on other \
datasets. Measured by {{ "study evaluate" | code }}.

{{ tables.robustness.markdown() }}
{% if tables.get("corruptions") %}
{{ folded("Error by corruption and severity", tables.corruptions.markdown()) }}
{% endif %}
"""
_Names = tuple[str, str, int]
_NAMELESS = ("", "", "")


@section("robustness", title="Robustness", place=85)
def write(data: StudyData) -> Section | None:
    """Return errors under corruptions and on other datasets."""
    tables = robustness_tables(data.evaluations, data)
    return Section.of(TEMPLATE, tables=tables) if "robustness" in tables else None


def robustness_tables(found: Sequence[Evaluations], data: StudyData | None = None) -> dict[str, Table]:
    """Return the tables that have rows: ``robustness``, and ``corruptions`` with every kind and severity.

    With a study's data the page names the model, protocol and seed of each run; a page about one run needs no names.
    """
    names = {} if data is None else {one.key: _names(data, one) for one in data.records}
    tables = {"robustness": _overview(found, names), "corruptions": _corruptions(found, names)}
    return {name: table for name, table in tables.items() if table.rows}


def _names(data: StudyData, record: Record) -> _Names:
    """Return a run's model, protocol and seed."""
    recipe = data.recipe(record)
    return recipe.model, recipe.protocol, record.spec.seed


def _run_columns(named: bool) -> list[Column]:
    """Return the columns of a run: its key in the CSV, its names on the page where there are any."""
    titles = ("model", "protocol", "seed") if named else ("", "", "")
    return [Column("run"), *(Column("", title, right=title == "seed") for title in titles)]


def _overview(found: Sequence[Evaluations], names: Mapping[str, _Names]) -> Table:
    """What each run scores on its own test split, on the corrupted one (mean over all), and on other datasets."""
    rows: list[list[Any]] = []
    for one in found:
        errors: list[tuple[str, int, Interval]] = []
        if robust := one.robustness:
            kinds = (("own test split", robust.clean), ("corrupted test split", robust.mean))
            errors += [(name, robust.images, error) for name, error in kinds]
        for name, other in one.elsewhere.items():
            value, low, high = other.accuracy
            errors.append((name, other.images, (1 - value, 1 - high, 1 - low)))
        for name, images, error in errors:
            stated = Statement(NETWORK, *error, float("nan"), (one.key,))
            rows.append([one.key, *names.get(one.key, _NAMELESS), name, images, stated])
    columns = [
        *_run_columns(bool(names)),
        Column("images_of", "images of", right=False),
        Column("images", "images", "{:,}".format),
        Column("error", "error, %", with_interval_inline),
    ]
    return Table("robustness", columns, rows)


def _corruptions(found: Sequence[Evaluations], names: Mapping[str, _Names]) -> Table:
    """The error under each corruption, the most harmful first: mean over severities, and severity by severity."""
    rows = [
        [one.key, *names.get(one.key, _NAMELESS), name, sum(errors) / len(errors), *errors]
        for one in found
        if one.robustness
        for name, errors in sorted(one.robustness.errors.items(), key=lambda item: (-sum(item[1]), item[0]))
    ]
    columns = [
        *_run_columns(bool(names) and len({row[0] for row in rows}) > 1),
        Column("corruption", "corruption", right=False),
        Column("error", "mean error, %", lambda value: f"**{percent(value)}**"),
        *(Column(f"severity_{one}", f"severity{FIXED_BLANK}{one}", percent) for one in range(1, 6)),
    ]
    return Table("corruptions", columns, rows)
