"""What oversampling, augmentation and transfer do to the scores, and to each class."""

from __future__ import annotations

from study.analysis.factors import is_random_start
from study.analysis.metric import METRICS
from study.report.collect import StudyData
from study.report.figures.effects import class_effects_picture, effects_picture
from study.report.section import Section, fill, section
from study.report.tables import statistics as inference

TEMPLATE = """\
{% if found.effects %}
{{ "Over new seeds and new images" if found.effects.question == "recipe" else "**Among the trained networks of seed " \
~ found.effects.seed ~ " alone**, over new images" }}: with less without the factor, in points on the test split, \
averaged over everything else that was run both ways. An interaction is the difference between two such effects.
Bars are 95 % intervals; full marks and bold print are significant after Holm's correction within a score (effects \
over all models are one family, those of single models another). These contrasts were fixed before the data{{ ", but \
for random starts at several rates, of which validation chose one" if several_starts }}.

{{ picture(effects) }}
{% set body %}
{{ table.markdown() }}

p after Holm's correction; raw values are in [tables/factor-effects.csv](tables/factor-effects.csv).
{% endset %}
{{ folded("Factor effects in numbers", body) }}

### Who gains and who pays

Effects on the recall of each class, over all models.

{{ picture(by_class) }}
{% for title, table in classes %}
{{ folded((title[:1] | upper) ~ title[1:] ~ " of each class: effects in points", table.markdown()) }}
{% endfor %}
{% else %}
No finished runs differ in one factor alone.
{% endif %}
"""


@section("factors", title="What each factor does", place=60)
def write(data: StudyData) -> Section | None:
    """Return the effects over all models, model by model and class by class."""
    found = data.found
    if not found:
        return None
    if not found.effects:
        return Section(fill(TEMPLATE, found=found))
    starts = {data.recipe(run.record) for run in data.runs if is_random_start(run.spec.protocol.name)}
    effects, by_class = effects_picture(data, found), class_effects_picture(data, found)
    table = inference.effects_table(found, data.naming.models)
    classes = [
        (METRICS.get(name).title, inference.class_effects_table(data, found, name)) for name in found.effects.by_class
    ]
    text = fill(
        TEMPLATE,
        found=found,
        several_starts=len(starts) > 1,
        effects=effects,
        by_class=by_class,
        table=table,
        classes=classes,
    )
    return Section(text, [table, inference.all_class_effects_table(data, found)], [effects, by_class])
