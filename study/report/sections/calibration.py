"""Whether probabilities can be believed, before and after temperature scaling."""

from __future__ import annotations

from study.report.collect import StudyData
from study.report.figures.reliability import reliability_picture
from study.report.section import Section, fill, section
from study.report.tables import statistics as inference

TEMPLATE = """\
{% if shown %}
Above the diagonal a network is right more often than it says, below less often. The temperature of each network was \
fitted on the validation split alone. Bins with fewer than 20 answers are left out.

{{ picture(shown) }}
{% endif %}
{% set body %}
log loss: mean negative log-likelihood. ECE: expected calibration error. Scaled: with the temperature.

{{ table.markdown() }}
{% endset %}
{{ folded("Negative log-likelihood, Brier score, expected calibration error, temperature", body) }}
"""


@section("calibration", title="Calibration", place=90)
def write(data: StudyData) -> Section | None:
    """Return reliability diagrams and calibration scores."""
    found = data.found
    if not found:
        return None
    shown = reliability_picture(data, found)
    table = inference.calibration_table(data, found)
    return Section(fill(TEMPLATE, shown=shown, table=table), [table], [shown] if shown else [])
