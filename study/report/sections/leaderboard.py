"""Scores of every recipe with their intervals, ranked by the validation split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from study.analysis.contrasts import Family
from study.analysis.leaderboard import FEWEST_UPDATES, Spread, Standing
from study.analysis.leaks import VALIDATION
from study.analysis.metric import Metric, ordered
from study.analysis.recipes import Recipe, is_leaky
from study.analysis.rescoring import NO_COPIES
from study.analysis.scores import NETWORK, Measure
from study.analysis.statistics import Statistics
from study.report.collect import StudyData, shown_score
from study.report.section import Section, section
from study.report.table import RECIPE, RUNS, Column, Table, keys_of
from study.report.wording import NOTHING, marks, percent, plain_with_interval, probability, with_interval

TEMPLATE = """\
{% if elsewhere %}
{{ "Listed under Leakage instead" if data.leaks else "Not here" }}: {{ elsewhere | listed | md }}. They are scored on \
images of a split of their own.

{% endif %}
{% if not data.finished %}
No run has finished yet.
{% elif not data.runs %}
No run on the data set's own test split has finished.
{% else %}
Ranked by **validation accuracy**; the test scores were not used for any choice{{ " of a ranked recipe" if leaky \
}}{{ " made here" if data.imported }}. Scores are in percent and, right of the validation accuracy, on the test split, \
with 95 % intervals in small type:
{% if not few_seeds %}for each recipe, over new seeds and new images.
{% elif few_seeds | length == data.ranked | length %}**all for the trained networks alone, over new images**, since \
statements on recipes need three seeds.
{% else %}for each recipe, over new seeds and new images, where n is three or more; **with fewer seeds for the \
trained networks alone**, over new images.
{% endif %}
{% if letters | length > 1 %}
Group: {{ "recipes" if found.main.question == "recipe" else "networks of seed " ~ found.main.seed }} that share a \
letter do not differ significantly in test accuracy (corrected for all pairs). {% endif %}{% if found.best %}Best: \
the probability that a recipe has the highest mean of {{ "those with three seeds" if few_seeds else "all" }} on the \
test split. {% endif %}{% if found.main.question == "recipe" %}{% if found.of_best.question == "recipe" %}The \
scores of the first allow for its choice by the same seeds, whose mean test accuracy is {{ found.mean_of_winner | \
percent }} %. Its intervals exceed 95 % where that choice is clear; those of three seeds exceed it too{% else %}\
Intervals of three seeds exceed 95 %{% endif %}, since they guard against unequal \
spreads (docs/statistics.md). {% endif %}


{{ table.markdown() }}

{% if unconverged %}
† not converged: in at least one run the best epoch is the last one.

{% endif %}
{% if leaky %}
– not ranked: the protocol leaks test images on purpose.{{ " Where it validates on the test split, it has no \
validation accuracy." if on_test }}

{% endif %}
{% if hardly_trained %}
‡ not ranked: hardly trained, with fewer than {{ fewest_updates }} updates or no better on validation than the most \
frequent class. In no test.

{% endif %}
{% if without_validation %}
– not ranked: imported without predictions on the validation split, by which recipes are ranked.

{% endif %}
{% set body %}
In points of test accuracy, as standard deviations. The spread seen between the seeds is partly chance, since the \
number of test images is finite; the seeds' own share is the spread that would remain on an unlimited test set.

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
    return Section.of(
        TEMPLATE,
        data=data,
        found=found,
        letters=_letters(found) if found else {},
        elsewhere=sorted({str(data.recipe(run.record)) for run in data.elsewhere}),
        unconverged=any(not run.converged for run in data.runs),
        leaky=any(is_leaky(run.record) for run in runs),
        on_test=any(map(chosen_on_test, data.standings)),
        hardly_trained=any(one.hardly_trained for one in data.standings),
        fewest_updates=FEWEST_UPDATES,
        without_validation=any(not run.on_validation for run in runs),
        few_seeds=data.few_seeds,
        table=leaderboard_table(data, found) if found else None,
        components=_components_table(data, found) if found else None,
    )


def leaderboard_table(data: StudyData, found: Statistics) -> Table:
    """Scores of every recipe with their intervals, ranked by validation accuracy."""
    letters, alone = _letters(found), data.rescored(NO_COPIES)
    uneven = len({len(one.runs) for one in data.ranked}) > 1

    def score(metric: str) -> Any:
        return lambda one: shown_score(found, one, Measure(metric))

    def marked(one: Standing) -> str:
        return one.recipe.protocol + marks(one.unconverged > 0, one.hardly_trained)

    def validation(one: Standing) -> Spread:
        return Spread(None, None) if chosen_on_test(one) else one.measures["validation_accuracy"]

    def bold(value: Spread) -> str:
        return NOTHING if value.mean is None else f"**{percent(value.mean)}**"

    def column(key: str, title: str, show: Any, values: Mapping[Recipe, Any], right: bool = True) -> Column:
        return Column(key, title if any(values.values()) else "", show, right, lambda one: values.get(one.recipe))

    def scored(one: Metric) -> Column:
        show = with_interval if one.share else plain_with_interval
        return Column(f"test_{one.name}", one.heading, show, value=score(one.name))

    columns = [
        Column("rank", "#"),
        Column("model", "model", right=False, value="recipe.model"),
        Column("", "protocol", right=False, value=marked),
        Column("protocol", value="recipe.protocol"),
        Column("seeds", "n" if uneven else "", value=lambda one: len(one.runs)),
        Column("statement_about", value=lambda one: found.scores.score(one.recipe).question),
        Column("validation_accuracy", "validation acc.", bold, value=validation),
        Column("test_accuracy", "test acc.", with_interval, value=score("accuracy")),
        Column("test_accuracy_sd", value=lambda one: one.measures["test_accuracy"].deviation),
        column("group", "group", lambda group: group or NOTHING, letters, right=False),
        column("probability_best", "best", probability, found.best),
        column("test_accuracy_without_copies", "without copies", lambda one: percent(one.value), alone),
        *map(scored, ordered(lambda one: one.on_leaderboard and one.name != "accuracy")),
        Column("worst_class", value=lambda one: data.classes[one.worst_class]),
        Column("worst_class_recall", value="worst_recall"),
        Column("runs_not_converged", value="unconverged"),
        Column("hardly_trained"),
        Column("runs", value=lambda one: score("accuracy")(one).runs),
    ]
    return Table.of("leaderboard", columns, data.standings)


def chosen_on_test(one: Standing) -> bool:
    """Tell whether a recipe's validation split is the test split, so that it has no validation accuracy."""
    return one.runs[0].spec.protocol.leak == VALIDATION


def _letters(found: Statistics) -> dict[Recipe, str]:
    """Return the groups by letters; none where they compare networks of one seed beside means over several."""
    main = found.main
    if main.question == NETWORK and any(len(found.scores.recipes[one]) > 1 for one in main.compared):
        return {}
    return main.letters


def _components_table(data: StudyData, found: Statistics) -> Table:
    """Where the spread of test accuracy comes from, for recipes with seeds enough."""
    rows = []
    for one in data.standings:
        if not found.scores.has_seeds(one.recipe):
            continue
        sample = found.scores.sample(one.runs)
        seen = float(np.var(sample.values, ddof=1))
        images = Family([sample]).contrast([1.0]).image_variance
        roots = np.sqrt([seen, max(seen - sample.interaction, 0.0), images])
        rows.append([one.recipe.model, one.recipe.protocol, len(one.runs), *map(float, roots), keys_of(one.runs)])
    titles = {
        "deviation_seen": "seen between seeds",
        "deviation_of_seeds": "of that, the seeds' own",
        "error_of_images": "chance in the images",
    }
    deviations = [Column(key, title, lambda value: percent(value, 2)) for key, title in titles.items()]
    return Table("variance-components", [*RECIPE, Column("seeds", "seeds"), *deviations, RUNS], rows)
