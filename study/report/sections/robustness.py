"""What changed images and other datasets do to single networks, where ``study evaluate`` measured it."""

from __future__ import annotations

from study.report.collect import StudyData
from study.report.section import Section, fill, section
from study.report.tables.robustness import robustness_tables

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
    return Section(fill(TEMPLATE, tables=tables), list(tables.values())) if "robustness" in tables else None
