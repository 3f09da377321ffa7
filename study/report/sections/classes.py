"""Precision, recall, F1 and other metrics of each class."""

from __future__ import annotations

from study.analysis.metric import METRICS
from study.report.collect import StudyData
from study.report.figures.classes import class_picture
from study.report.section import Section, fill, section
from study.report.tables import results

TEMPLATE = """\
F1 on the test split{{ ", mean over seeds" if several_seeds }}, recipes in the order of the leaderboard.

{{ picture(parts[0][1]) }}

{% for title, shown, table in parts %}
{% set body %}
{% if not loop.first %}{{ picture(shown) }}

{% endif %}
{{ table.markdown() }}
{% endset %}
{{ folded((title[:1] | upper) ~ title[1:] ~ " of each class in percent with 95 % intervals, test split", body) }}
{% endfor %}
"""


@section("classes", title="Classes", place=70)
def write(data: StudyData) -> Section | None:
    """Return a heatmap and a table for every metric of each class."""
    found = data.found
    if not found:
        return None
    names = list(found.effects.by_class)
    names.sort(key=lambda name: name != "f1")
    parts = [
        (METRICS.get(name).title, class_picture(data, name), results.class_measure_table(data, found, name))
        for name in names
    ]
    text = fill(TEMPLATE, several_seeds=data.several_seeds, parts=parts)
    return Section(text, [*(table for *_, table in parts), results.per_class_table(data)], [one for _, one, _ in parts])
