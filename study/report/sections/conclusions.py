"""What follows from the tests, most important first."""

from __future__ import annotations

from study.report.collect import StudyData
from study.report.conclusions import leading
from study.report.section import Section, fill, section

TEMPLATE = """\
{% for sentence in first %}
- {{ sentence }}
{% endfor %}
{% set body %}
{% for sentence in rest %}
- {{ sentence }}
{% endfor %}
{% endset %}
{% if rest %}{{ folded("More conclusions (" ~ rest | length ~ ")", body) }}{% endif %}
"""


@section("conclusions", title="Conclusions", place=10)
def write(data: StudyData) -> Section:
    """Return the sentences of ``study.report.conclusions``: those that matter most, and the rest folded."""
    first, rest = leading(data)
    return Section(fill(TEMPLATE, first=first, rest=rest))
