"""What networks score when they vote."""

from __future__ import annotations

from study.report.collect import StudyData
from study.report.section import Section, fill, section
from study.report.tables import statistics as inference

TEMPLATE = """\
Soft votes, apart from the single networks above; who votes was settled on the validation split alone. Intervals are \
those of the voting networks over new images.

{{ table.markdown() }}
"""


@section("ensembles", title="Ensembles", place=100)
def write(data: StudyData) -> Section | None:
    """Return every ensemble; None where there is none."""
    if not data.found or not data.found.ensembles:
        return None
    table = inference.ensembles_table(data, data.found)
    return Section(fill(TEMPLATE, table=table), [table])
