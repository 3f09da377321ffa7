"""Scores of every recipe with their intervals, ranked by the validation split."""

from __future__ import annotations

from study.analysis.leaderboard import FEWEST_UPDATES
from study.analysis.recipes import is_leaky
from study.report.collect import StudyData
from study.report.section import Section, fill, section
from study.report.tables import results
from study.report.tables import statistics as inference

TEMPLATE = """\
{% if elsewhere %}
Not here: {{ elsewhere | listed | md }}. They are scored on images of a split of their own.

{% endif %}
{% if not data.finished %}
No run has finished yet.
{% elif not data.runs %}
No run on the data set's own test split has finished.
{% else %}
Ranked by **validation accuracy**; the test scores stand beside it and chose nothing. Scores are in percent and, \
right of the validation accuracy, on the test split, with 95 % intervals in small type:
{% if not few_seeds %}for each recipe, over new seeds and new images.
{% elif few_seeds | length == data.ranked | length %}**all for the trained networks alone, over new images**, since \
statements on recipes need three seeds.
{% else %}for each recipe, over new seeds and new images, where n is three or more; **with fewer seeds for the \
trained networks alone**, over new images.
{% endif %}
{% if found.main.letters and found.main.letters | length > 1 %}
Group: {{ "recipes" if found.main.question == "recipe" else "networks of seed " ~ found.main.seed }} that share a \
letter do not differ significantly in test accuracy (corrected for all pairs). {% endif %}{% if found.best %}Best: \
the probability that a recipe has the highest mean of all on the test split. {% endif %}{% if found.main.question == \
"recipe" %}The interval of the first allows for its choice by the same seeds, and exceeds 95 % where that choice is \
clear; those of three seeds exceed it too, since they guard against unequal spreads (docs/statistics.md). {% endif %}

{{ table.markdown() }}

{% if unconverged %}
† not converged: in at least one run the best epoch is the last one.

{% endif %}
{% if leaky %}
– not ranked: the protocol leaks test images on purpose.

{% endif %}
{% if hardly_trained %}
‡ not ranked: hardly trained, with fewer than {{ fewest_updates }} updates or no better on validation than the most \
frequent class. In no test.

{% endif %}
{% if without_validation %}
– not ranked: imported without predictions on the validation split, by which recipes are ranked.

{% endif %}
{% set body %}
In points of test accuracy, as standard deviations. What is seen between the seeds on this split holds the chance \
with which each answers single images; the seeds' own part is what remains on endlessly many images.

{{ components.markdown() }}
{% endset %}
{% if components.rows %}{{ folded("Where the spread comes from: seeds and images", body) }}{% endif %}
{% endif %}
"""


@section("leaderboard", title="Leaderboard", place=30)
def write(data: StudyData) -> Section:
    """Return the ranking; what is not ranked follows it, with the reason."""
    found = data.found
    runs = [run for one in data.standings for run in one.runs]
    names = {
        "elsewhere": sorted({str(data.recipe(run.record)) for run in data.elsewhere}),
        "unconverged": any(not run.converged for run in data.runs),
        "leaky": any(is_leaky(run.record) for run in runs),
        "hardly_trained": any(one.hardly_trained for one in data.standings),
        "fewest_updates": FEWEST_UPDATES,
        "without_validation": any(not run.on_validation for run in runs),
    }
    if not found:
        return Section(fill(TEMPLATE, data=data, **names))
    table = results.leaderboard_table(data, found)
    components = inference.components_table(data, found)
    names |= {"found": found, "few_seeds": data.few_seeds, "table": table, "components": components}
    return Section(fill(TEMPLATE, data=data, **names), [table, components])
