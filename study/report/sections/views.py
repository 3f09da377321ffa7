"""What several views of an image add at test time, apart from the ranking."""

from __future__ import annotations

from study.report.collect import StudyData
from study.report.section import Section, fill, section
from study.report.tables import statistics as inference

TEMPLATE = """\
Accuracy of the mean prediction over several views of each image: the image and its mirror image, or centre and \
corner crops. Means over the seeds, with 95 % intervals; the gain on the test split is that of the same networks, \
image by image, and p is not corrected. The leaderboard and every other score are those of the **single view**; \
validation accuracies are of the split that ranks.

{{ folded("Single view and others of every recipe", table.markdown(), open=declared) }}
"""


@section("views", title="Test-time views", place=40)
def write(data: StudyData) -> Section | None:
    """Return the table; None where no run was predicted with more than a single view."""
    if not data.found:
        return None
    table = inference.views_table(data, data.found)
    if len(table.rows) <= len(data.standings):
        return None
    declared = any("test_views" in run.record.arrays for run in data.runs)
    return Section(fill(TEMPLATE, table=table, declared=declared), [table])
