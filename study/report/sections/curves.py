"""How runs learned, epoch by epoch."""

from __future__ import annotations

from study.report.collect import StudyData
from study.report.figures.curves import model_pictures, overview_picture
from study.report.section import Section, fill, section

TEMPLATE = """\
Validation accuracy by epoch; a dot marks the epoch whose weights were kept.

{{ picture(overview) }}

Training curves are those of the batches as the network saw them, with dropout and augmentation, and may lie below \
the validation curves.

{% for model in data.naming.models if model in curves %}
{{ folded(model | md ~ ": loss and accuracy", picture(curves[model])) }}
{% endfor %}
"""


@section("curves", title="Learning curves", place=130)
def write(data: StudyData) -> Section | None:
    """Return the curves of all models together, then of each."""
    if not any(run.record.history for run in data.finished):  # imported predictions have none
        return None
    overview, curves = overview_picture(data), model_pictures(data)
    return Section(fill(TEMPLATE, data=data, overview=overview, curves=curves), (), [overview, *curves.values()])
