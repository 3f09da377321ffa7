"""What training could see of the other splits."""

from __future__ import annotations

from study.report.collect import StudyData
from study.report.section import Section, fill, section
from study.report.tables import runs

TEMPLATE = """\
{% if table %}
What training could see of the other splits. Copies are images with equal pixels.

{{ table.markdown() }}
{% else %}
Measured with the first finished run.
{% endif %}
"""


@section("contamination", title="Contamination", place=180)
def write(data: StudyData) -> Section:
    """Return the counts of copies and of images that were trained on."""
    table = runs.contamination_table(data) if data.finished else None
    return Section(fill(TEMPLATE, table=table), [table] if table else [])
