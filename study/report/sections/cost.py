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
are comparable only between runs of one machine, see [how to reproduce](#how-to-reproduce).

{{ folded("Cost in numbers", table.markdown()) }}
"""


@section("cost", title="Cost", place=110)
def write(data: StudyData) -> Section | None:
    """Return accuracy against cost, and the numbers."""
    found = data.found
    if not found:
        return None
    pareto = pareto_picture(data, found) if data.ranked else None
    table = results.cost_table(data)
    text = fill(TEMPLATE, pareto=pareto, several_seeds=data.several_seeds, table=table)
    return Section(text, [table], [pareto] if pareto else [])
