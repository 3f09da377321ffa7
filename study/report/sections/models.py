"""What was trained, and how."""

from __future__ import annotations

from study.analysis.recipes import random_weights
from study.report.collect import StudyData
from study.report.section import Section, fill, section
from study.report.tables import setup

TEMPLATE = """\
{{ models.markdown() }}

{% if shares %}
{{ "All runs trained" if all_shares else "Where a protocol's name says so, runs trained" }} on a part of the training \
split alone ({% for share in shares %}{{ "%g" | format(100 * share) }} %{{ ", " if not loop.last }}{% endfor %}): the \
same share of every class, drawn with one seed, so that runs with the same share saw the same images; a larger share \
holds a smaller one. Validation and test split are whole.

{% endif %}
{% if random_weights %}
**(random weights)**: a transfer architecture for which no pretrained weights were at hand, trained from scratch. Its \
scores say nothing about transfer.

{% endif %}
{{ protocols.markdown() }}

An epoch has as many updates under every sampling, so that oversampling buys no extra training.
{{ folded("Schedules: phases, optimizers, rates, stopping", schedules.markdown()) }}
"""


@section("models", title="Models and protocols", place=160)
def write(data: StudyData) -> Section:
    """Return models, protocols and schedules."""
    shares = sorted({one.spec.protocol.train_share for one in data.trained if one.spec.protocol.train_share < 1})
    models, protocols = setup.models_table(data), setup.protocols_table(data)
    schedules = setup.schedule_table(data)
    text = fill(
        TEMPLATE,
        models=models,
        protocols=protocols,
        schedules=schedules,
        shares=shares,
        all_shares=all(one.spec.protocol.train_share < 1 for one in data.trained),
        random_weights=any(random_weights(one.spec) and not one.spec.protocol.start for one in data.trained),
    )
    return Section(text, [models, protocols, schedules])
