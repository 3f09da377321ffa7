"""Which recipes, and which networks of one seed, differ significantly."""

from __future__ import annotations

from study.report.collect import StudyData
from study.report.figures.contrasts import MOST_ROWS, contrasts_picture
from study.report.section import Section, fill, section
from study.report.tables import statistics as inference

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
seeds. Intervals are paired over images, the p-value is McNemar's exact test with Holm's correction.

{{ networks.markdown() if networks }}
{% endset %}
{% if networks %}
{% if recipes %}{{ folded("Trained networks of seed " ~ found.networks.seed ~ ", image by image", of_seed) }}{% else \
%}{{ of_seed }}{% endif %}
{% endif %}
{% if not networks and not recipes %}
There are no two {{ "networks of one seed" }} to compare.
{% endif %}

{% if contrasts %}
All pairs, row less column, in points of test accuracy; **bold** where a difference is significant after correction \
for all pairs.

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
    """Return every comparison with the best, and all pairs."""
    found = data.found
    if not found:
        return None
    recipes = inference.declared_recipes_table(found) if found.recipes.declared else None
    networks = inference.declared_networks_table(found.networks) if found.networks.declared else None
    both = [one for one in (found.recipes, found.networks) if one.declared]
    pairs = [inference.pairs_table(one) for one in both]
    drawn = 2 < len(found.main.compared) <= MOST_ROWS
    contrasts = contrasts_picture(found.main) if drawn else None
    text = fill(
        TEMPLATE,
        found=found,
        few_seeds=data.few_seeds,
        recipes=recipes,
        networks=networks,
        pairs=list(
            zip(pairs, ["recipes" if one is found.recipes else "networks of one seed" for one in both], strict=True)
        ),
        many_pairs=inference.MOST_PAIRS,
        seeds_sentence=inference.seeds_needed_words(found),
        contrasts=contrasts,
        too_many=len(found.main.compared) > MOST_ROWS,
    )
    kept = [table for table in (recipes, networks, *pairs) if table]
    return Section(text, kept, [contrasts] if contrasts else [])
