"""What the study's authors say of it: written by hand, shown as plain text."""

from __future__ import annotations

import re

from study.report.collect import StudyData
from study.report.section import Section, section
from study.report.wording import escape

TEMPLATE = """\
*Written by the study's authors, not computed from the records.*

{% for one in remarks %}
{{ one }}

{% endfor %}
"""


@section("remarks", title="Remarks", place=15)
def write(data: StudyData) -> Section | None:
    """Return the paragraphs of the study's ``remarks.md``; None without any."""
    remarks = [re.sub("^#", r"\#", escape(one)) for one in data.remarks]
    return Section.of(TEMPLATE, remarks=remarks) if remarks else None
