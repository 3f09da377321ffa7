"""What every recipe costs: size, operations, latency, training time, memory."""

from __future__ import annotations

from study.report.collect import StudyData
from study.report.figures.pareto import pareto_picture
from study.report.section import Section, fill, section
from study.report.tables import results

TEMPLATE = """\
{% if pareto %}
{{ picture(pareto) }}

On the line: no other recipe scores as high at less cost. {% endif %}{{ "Means over seeds. " if several_seeds \
}}Training is the time of the training steps alone; one image and batch are the latency of one forward pass. Times \
are compared within one device only: the figure shows those of the device with the most runs{{ ", the table has a row \
for each" if several_devices }}.

{{ folded("Accuracy and cost in numbers", table.markdown(), open=true) }}
"""


@section("cost", title="Accuracy and cost", place=110)
def write(data: StudyData) -> Section | None:
    """Return accuracy against cost, and the numbers."""
    found = data.found
    if not found:
        return None
    pareto = pareto_picture(data, found) if data.ranked else None
    table = results.cost_table(data)
    devices = {results.device_of(run.record) for run in data.runs} - {""}
    text = fill(
        TEMPLATE, pareto=pareto, several_seeds=data.several_seeds, table=table, several_devices=len(devices) > 1
    )
    return Section(text, [table], [pareto] if pareto else [])
