"""Which runs exist, which failed and which are missing."""

from __future__ import annotations

from collections import Counter, defaultdict

from study.analysis.factors import WAYS
from study.analysis.recipes import Recipe, random_weights
from study.core.record import STATUSES
from study.report.collect import StudyData
from study.report.section import Section, section
from study.report.table import RECIPE, Column, Table, text_columns
from study.report.wording import NOTHING, escape, ranges, without_paths

TEMPLATE = """\
{{ statuses }}{{ ", " ~ missing ~ " missing" if missing }}. Seeds by model and protocol:

{{ coverage.markdown() }}

{% if data.unfinished %}
### Failed runs

{{ unfinished.markdown() }}

{% else %}
No run failed.
{% endif %}
{% if data.damaged %}
Left out, because what is stored of {{ "it" if data.damaged|length == 1 else "them" }} was altered or cut short, or \
made by a faulty version: {{ data.damaged|map("code")|join("; ") }}. Running the study again sets that aside and does \
the same anew.
{% endif %}
{% if missing %}
Missing: no record exists for this combination of a model, a protocol and a seed of the study. Running the study \
again fills it in.
{% endif %}
"""
Cell = tuple[str, str, int]
"""A model, a protocol and a seed."""


@section("runs", title="Runs", place=170)
def write(data: StudyData) -> Section:
    """Return the seeds of every cell, and the reasons of runs that did not finish."""
    missing = missing_cells(data)
    rows = []
    for record in data.unfinished:
        recipe, reason = data.recipe(record), without_paths(record.reason)
        rows.append([recipe.model, recipe.protocol, record.spec.seed, record.status, reason, record.key])
    columns = [*RECIPE, Column("seed", "seed"), *text_columns("status", "reason"), Column("key")]
    tables = {"coverage": _coverage(data, missing), "unfinished": Table("unfinished", columns, rows)}
    return Section.of(TEMPLATE, data=data, missing=len(missing), statuses=statuses(data), **tables)


def statuses(data: StudyData) -> str:
    """Say how many runs are done, failed and skipped."""
    counts: Counter[str] = Counter(one.status for one in data.trained)
    return ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])


def missing_cells(data: StudyData) -> list[Cell]:
    """Return (model, protocol, seed) of the study's product that have no record.

    A protocol of a group (``as-published/...``) that one model alone follows was made for it: nothing else is missing.
    Nor does a body from random weights lack the ways to transfer a pretrained one, nor this the random start.
    """
    found = {(data.recipe(one).model, data.recipe(one).protocol, one.spec.seed) for one in data.trained}
    users = defaultdict(set)
    for model, protocol, _ in found:
        users[protocol].add(model)
    models, protocols = _trained(data)
    shared = [name for name in protocols if "/" not in name or len(users[name]) > 1]
    product = [(model, protocol, seed) for model in models for protocol in shared for seed in data.seeds]
    random = {data.recipe(one).model: random_weights(one.spec) for one in data.trained}
    ways = {
        data.recipe(one).protocol: bool(one.spec.protocol.start)
        for one in data.trained
        if one.spec.protocol.name.startswith(WAYS)
    }
    return [cell for cell in product if cell not in found and random[cell[0]] == ways.get(cell[1], random[cell[0]])]


def _trained(data: StudyData) -> tuple[list[str], list[str]]:
    """Return the models and the protocols of runs, in table order."""
    recipes = {data.recipe(record) for record in data.trained}
    models = [name for name in data.naming.models if any(one.model == name for one in recipes)]
    return models, [name for name in data.naming.protocols if any(one.protocol == name for one in recipes)]


def _coverage(data: StudyData, missing: list[Cell]) -> Table:
    """Models by protocols: the seeds that are done, and those that failed or have no record."""

    def cell(model: str, protocol: str) -> str:
        records = [record for record in data.records if data.recipe(record) == Recipe(model, protocol)]
        seeds = {status: [one.spec.seed for one in records if one.status == status] for status in STATUSES}
        seeds["missing"] = [seed for *names, seed in missing if names == [model, protocol]]
        return "; ".join(f"{name}: {ranges(found)}" for name, found in seeds.items() if found) or NOTHING

    models, protocols = _trained(data)
    rows = [[model, *(cell(model, protocol) for protocol in protocols)] for model in models]
    titles = [Column(name, escape(name), right=False) for name in protocols]
    return Table("coverage", [*text_columns("model"), *titles], rows)
