"""Which runs exist, which failed and which are missing."""

from __future__ import annotations

from study.report.collect import StudyData
from study.report.section import Section, fill, section
from study.report.tables import runs

TEMPLATE = """\
{{ statuses }}{{ ", " ~ missing ~ " missing" if missing }}. Seeds by model and protocol:

{{ coverage.markdown() }}

{% if data.unfinished %}
### Failed runs

{{ unfinished.markdown() }}

{% else %}
No run failed.
{% endif %}
{% if data.damaged %}
Left out, because what is stored of {{ "it" if data.damaged|length == 1 else "them" }} was altered or cut short, or \
made by a faulty version: {{ data.damaged|map("code")|join("; ") }}. Running the study again sets that aside and does \
the same anew.
{% endif %}
{% if missing %}
Missing: no record exists for this combination of a model, a protocol and a seed of the study. Running the study \
again fills it in.
{% endif %}
"""


@section("runs", title="Runs", place=170)
def write(data: StudyData) -> Section:
    """Return the seeds of every cell, and the reasons of runs that did not finish."""
    coverage, unfinished = runs.coverage_table(data), runs.unfinished_table(data)
    missing = len(runs.missing_cells(data))
    text = fill(
        TEMPLATE, data=data, coverage=coverage, unfinished=unfinished, missing=missing, statuses=runs.statuses(data)
    )
    return Section(text, [coverage, unfinished])
