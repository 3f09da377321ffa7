"""Which recipes, and which networks of one seed, differ significantly."""

from __future__ import annotations

from typing import Any

import numpy as np

from study.analysis.comparisons import Comparison, Comparisons
from study.analysis.pairs import Equivalence, Superiority
from study.analysis.power import Design, seeds_needed, seeds_sentence
from study.analysis.scores import RECIPE
from study.analysis.statistics import Statistics
from study.report.collect import StudyData
from study.report.picture import Figure, Picture, heatmap, label_share, labels_of, new_figure
from study.report.section import Section, section
from study.report.table import Column, Table, recipe_columns
from study.report.wording import FIXED_BLANK, in_points, p_value, points, probability

#: Tables of more pairs are left to the CSV.
MOST_PAIRS = 45
#: More rows than this make cells that nobody can read; the letters of the leaderboard say the same.
MOST_ROWS = 14
TEMPLATE = """\
{% if recipes %}
**Recipes:** each less {{ found.recipes.compared[0] | md }}, the best on validation{{ " of those with three seeds" if \
few_seeds }}, in test accuracy over new seeds and new images. Its own seeds chose the best, so that these differences \
are corrected as part of all {{ found.recipes.pairs | length }} pairs: the intervals hold for all pairs at once (each \
alone with more than 95 %), and exclude zero exactly where p is below 0.05 (bold).

{{ recipes.markdown() }}

Beats the best: the probability that both trained once more with new seeds come out in this order on this test split. \
Equivalent: two one-sided tests at 5 %, with the probability that the difference lies within the margin; the smallest \
margin is the one at which the data would say so. {{ seeds_sentence }}
{% endif %}
{% set of_seed %}
**Networks of seed {{ found.networks.seed }}:** each less {{ found.networks.compared[0] | md if \
found.networks.compared }}, the best of them on validation, on the same test images; this says nothing about other \
seeds. Intervals are paired over images, the p-value is McNemar's exact test with Holm's correction. Each interval \
holds for its comparison alone; p is corrected for all of them. An interval may therefore exclude zero where p is \
above 0.05.

{{ networks.markdown() if networks }}
{% endset %}
{% if networks %}
{% if found.of_best.question == "recipe" %}
{{ folded("Trained networks of seed " ~ found.networks.seed ~ ", image by image", of_seed) }}
{% else %}
{{ of_seed }}
{% endif %}
{% endif %}

{% if contrasts %}
All pairs, row less column, in points of test accuracy; **bold** where a difference is significant after correction \
for all pairs. Blue: the row scores higher; red: the column does.

{{ picture(contrasts) }}
{% endif %}
{% if too_many %}
Which of {{ found.main.compared | length }} differ significantly from which: those that share no letter in the column \
*group* of the [leaderboard](#leaderboard).

{% endif %}
{% for table, what in pairs %}
{% if table.rows | length <= many_pairs %}
{{ folded("All pairs of " ~ what, table.markdown()) }}
{% else %}

All {{ table.rows | length }} pairs of {{ what }}: [tables/{{ table.name }}.csv](tables/{{ table.name }}.csv).
{% endif %}
{% endfor %}
"""


@section("differences", title="Differences", place=50)
def write(data: StudyData) -> Section | None:
    """Return every comparison with the best, and all pairs; None where there are no two to compare."""
    found = data.found
    if not found or not (found.recipes.declared or found.networks.declared):
        return None
    titles = {"recipes": found.recipes, "networks of one seed": found.networks}
    return Section.of(
        TEMPLATE,
        found=found,
        few_seeds=data.few_seeds,
        recipes=_recipes_table(found) if found.recipes.declared else None,
        networks=_networks_table(found.networks) if found.networks.declared else None,
        pairs=[(_pairs_table(one), title) for title, one in titles.items() if one.declared],
        many_pairs=MOST_PAIRS,
        seeds_sentence=_seeds_needed(found),
        contrasts=_picture(found.main) if 2 < len(found.main.compared) <= MOST_ROWS else None,
        too_many=len(found.main.compared) > MOST_ROWS,
    )


_DIFFERENCE = (
    *recipe_columns("first"),
    Column("less", value=lambda one: str(one.second)),
    Column("difference", "difference, points", in_points),
)


def _recipes_table(found: Statistics) -> Table:
    """Each recipe less the best on validation: difference, p over all pairs, chance to win again, equivalence."""

    def margin(value: float) -> str:
        return points(value).removeprefix("+")

    columns = [
        *_DIFFERENCE,
        Column("p", value="difference.p_value"),
        Column("p_all_pairs", value="adjusted"),
        Column("probability_better", value="superiority.probability"),
        Column("probability_better_low", value="superiority.low"),
        Column("probability_better_high", value="superiority.high"),
        Column("equivalent", value="equivalence.equivalent"),
        Column("p_equivalence", value="equivalence.p_value"),
        Column("probability_equivalent", value="equivalence.probability"),
        Column("smallest_margin", value="equivalence.smallest_margin"),
        Column("", "p, all pairs", _marked, value=lambda one: one),
        Column("", "beats the best with a new seed", _chance, value="superiority"),
        Column("", f"equivalent within {100 * found.margin:g}{FIXED_BLANK}points", _same, value="equivalence"),
        Column("", "smallest margin", margin, value="equivalence.smallest_margin"),
        Column("runs", value="difference.runs"),
    ]
    return Table.of("contrasts-recipes", columns, found.recipes.declared)


def _networks_table(comparisons: Comparisons) -> Table:
    """Each network less the best of its seed on validation: difference on the same images, McNemar's counts and p."""
    columns = [
        *_DIFFERENCE,
        Column("only_this_right", "only this one right", value="mcnemar.only_first"),
        Column("only_best_right", "only the best right", value="mcnemar.only_second"),
        Column("p_bootstrap", value="difference.p_value"),
        Column("p_mcnemar", value="mcnemar.p_value"),
        Column("p_holm", value="adjusted"),
        Column("", "p (McNemar, Holm)", _marked, value=lambda one: one),
        Column("runs", value="difference.runs"),
    ]
    return Table.of("contrasts-networks", columns, comparisons.declared)


def _pairs_table(comparisons: Comparisons) -> Table:
    """Every pair, corrected for all of them."""
    columns = [
        Column("first", "first", right=False, value=lambda one: str(one.first)),
        Column("second", "second", right=False, value=lambda one: str(one.second)),
        Column("difference", "first less second, points", in_points),
        Column("p", value="difference.p_value"),
        Column("p_all_pairs", value="adjusted"),
        Column("", "p, all pairs", _marked, value=lambda one: one),
        Column("runs", value="difference.runs"),
    ]
    return Table.of(f"pairs-{comparisons.question}s", columns, comparisons.pairs)


def _marked(one: Comparison) -> str:
    """Write the corrected p, bold where the difference is significant."""
    return f"**{p_value(one.adjusted)}**" if one.told_apart else p_value(one.adjusted)


def _chance(one: Superiority) -> str:
    return f"{probability(one.probability)} ({probability(one.low)} to {probability(one.high)})"


def _same(one: Equivalence) -> str:
    words = f"{'yes' if one.equivalent else 'not shown'}, p{FIXED_BLANK}{p_value(one.p_value)}"
    return f"{words}<br><sub>probability {probability(one.probability)}</sub>"


def _seeds_needed(found: Statistics) -> str:
    """Say how many seeds a next study like this one needs; empty without two recipes that have seeds enough."""
    recipes = len(found.recipes.compared)
    if recipes < 2:
        return ""
    design = Design.measured([found.scores.sample(found.scores.recipes[one]) for one in found.recipes.compared])
    return seeds_sentence(seeds_needed(design, recipes), recipes, measured=True)


def _picture(comparisons: Comparisons) -> Picture:
    """Show row less column in points, best on validation first; pairs that are told apart are printed bold."""
    compared = comparisons.compared
    names = labels_of(compared, 52)
    values: list[list[float | None]] = [[None] * len(names) for _ in names]
    apart = [[False] * len(names) for _ in names]
    for pair in comparisons.pairs:
        if pair.first in compared and pair.second in compared:
            row, column = compared.index(pair.first), compared.index(pair.second)
            values[row][column], values[column][row] = pair.difference.value, -pair.difference.value
            apart[row][column] = apart[column][row] = pair.told_apart
    about = "recipes" if comparisons.question == RECIPE else f"the networks of seed {comparisons.seed}"
    content = {"names": names, "values": values, "apart": apart}
    alt = f"Matrix of differences in test accuracy between {about}: row less column, in points"
    return Picture("contrasts", alt, content, lambda: _draw(names, values, apart))


def _draw(names: list[str], values: list[list[float | None]], apart: list[list[bool]]) -> Figure:
    numbers = 100 * np.array(values, dtype=np.float64)
    left = label_share([f"{place}  {name}" for place, name in enumerate(names, start=1)])
    cell = min(0.62, 9.0 * (0.99 - left) / len(names))
    height = max(0.27, min(0.34, cell)) * len(names) + 0.5
    figure = new_figure(height)
    axes = figure.add_axes((left, 0.1 / height, cell * len(names) / 9.0, 1 - 0.5 / height))
    reach = max(1.0, float(np.nanmax(np.abs(numbers))))
    words = np.array(
        [["" if value != value else f"{value:+.1f}".replace("-", "−") for value in row] for row in numbers]
    )
    size = 9 if len(names) <= 12 else 7.5 if len(names) <= 18 else 6.5
    places = [str(place) for place in range(1, len(names) + 1)]
    rows = [f"{name}  {place}" for name, place in zip(names, places, strict=True)]
    looks: dict[str, Any] = {"cmap": "RdBu", "vmin": -reach, "vmax": reach, "fmt": "", "annot_kws": {"fontsize": size}}
    heatmap(axes, numbers, places, rows, annot=words, **looks)
    told = np.array(apart)[words != ""]
    for text, flag in zip((text for text in axes.texts if text.get_text()), told, strict=True):
        text.set_fontweight("bold" if flag else "normal")
    return figure
