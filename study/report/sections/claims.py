"""What others claim on FER-2013, beside what this study has."""

from __future__ import annotations

from study.report.collect import StudyData
from study.report.published_results import DATASET, read_published
from study.report.section import Section, fill, section
from study.report.tables import leaks

TEMPLATE = """\
What others claim on FER-2013, in percent, beside the nearest that this study has. Where that is a leaky recipe, \
*clean* is its clean twin on the same images.

{{ folded(table.rows | length ~ " claims with what to know about them", table.markdown(), open=data.leaks | length > \
0) }}
"""


@section("claims", title="Published claims", place=140)
def write(data: StudyData) -> Section | None:
    """Return the claims; None on other datasets."""
    if not data.finished or data.card.name != DATASET:
        return None
    table = leaks.published_table(data, read_published())
    return Section(fill(TEMPLATE, data=data, table=table), [table])
