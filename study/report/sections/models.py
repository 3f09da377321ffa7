"""What was trained, and how."""

from __future__ import annotations

from collections import defaultdict

from study.analysis.leaks import ORACLE
from study.analysis.recipes import random_weights
from study.core.record import Cost, Record
from study.core.spec import RANDOM_FEATURES, RunProtocol, canonical_json, plain
from study.report.collect import StudyData
from study.report.section import Section, section
from study.report.table import Column, Table, text_columns
from study.report.wording import augmentation_words, large, listed, part_words, percent, schedule_words, weights_words

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
{% if random_features %}
**(random features)**: a transfer architecture whose body holds random numbers, the same in every run, and learns \
nothing: its head alone is trained. This is the floor that pretrained weights must beat, and says nothing about \
transfer.

{% endif %}
{{ protocols.markdown() }}

{% if oversampled %}
Oversampling does not change the number of updates per epoch.
{% endif %}
{{ folded("Schedules: phases, optimizers, rates, stopping", schedules.markdown() ~ oracle) }}
"""
_ORACLE = "\n\n`checkpoint-on-test` keeps the epoch with the highest test accuracy instead."


@section("models", title="Models and protocols", place=160)
def write(data: StudyData) -> Section:
    """Return models, protocols and schedules."""
    shares = [one.spec.protocol.train_share for one in data.trained]
    return Section.of(
        TEMPLATE,
        models=_models(data),
        protocols=_protocols(data),
        schedules=_schedules(data),
        shares=sorted({share for share in shares if share < 1}),
        oracle=_ORACLE if any(one.spec.protocol.leak == ORACLE for one in data.trained) else "",
        oversampled=any(one.spec.protocol.sampling != "none" for one in data.trained),
        all_shares=all(share < 1 for share in shares),
        random_features=any(one.spec.weights.source == RANDOM_FEATURES for one in data.trained),
        random_weights=any(random_weights(one.spec) and not one.spec.protocol.start for one in data.trained),
    )


def _models(data: StudyData) -> Table:
    """One row a model: family, weights, size, side."""
    rows = []
    for name in data.naming.models:
        records = [record for record in data.records if data.recipe(record).model == name]
        spec = records[0].spec
        version = spec.model.version if not records[0].imported else None
        cost = next((record.cost for record in records if record.cost.parameters), Cost())
        pretraining = next((record.pretraining for record in records if record.pretraining), None)
        sides = listed([str(side) for side in sorted({record.spec.side_px for record in records}) if side])
        start = [weights_words(spec.weights, pretraining), spec.weights.sha256]
        rows.append([name, version, spec.model.family, *start, cost.parameters, cost.macs, sides])
    columns = [
        *text_columns("model"),
        Column("version", "version"),
        *text_columns("family"),
        Column("weights", "starts from", right=False),
        Column("weights_sha256"),
        Column("parameters", "parameters", large),
        Column("macs", "MACs", large),
        Column("side_px", "side, px"),
    ]
    return Table("models", columns, rows)


def _protocols(data: StudyData) -> Table:
    """One row a protocol: what it does to the images and the loss."""
    rows = []
    for name in data.naming.protocols:
        first = next(record for record in data.records if data.recipe(record).protocol == name)
        if first.imported:
            continue
        protocol = first.spec.protocol
        changes = [protocol.sampling, _changes(protocol), part_words(protocol.loss), protocol.batch]
        split, words = protocol.new_split, ""
        if split is not None:
            words = f"anew: {percent(split.test, 0)} % test, {percent(split.validation, 0)} % validation"
        rows.append([name, *changes, words, protocol.leak])

    def unless_always_none(key: str, place: int) -> Column:
        return Column(key, "" if all(row[place] in ("none", "") for row in rows) else key, right=False)

    columns = [
        *text_columns("protocol", "sampling", "augmentation", "loss"),
        Column("batch", "batch"),
        unless_always_none("split", 5),
        unless_always_none("leak", 6),
    ]
    return Table("protocols", columns, rows)


def _schedules(data: StudyData) -> Table:
    """One row a phase of every distinct schedule, with who follows it."""
    followers: dict[str, list[Record]] = defaultdict(list)
    for record in data.trained:
        followers[canonical_json(plain(record.spec.protocol.phases))].append(record)
    rows = [
        [_who(data, records), phase.name, phase.trainable, part_words(phase.optimizer), phase.rate, phase.updates]
        + [phase.updates / phase.updates_per_epoch, schedule_words(phase), phase.patience]
        for records in followers.values()
        for phase in records[0].spec.protocol.phases
    ]
    columns = [
        Column("followed_by", "used by", right=False),
        *text_columns("phase", "trains", "optimizer"),
        Column("rate", "rate", "{:g}".format),
        Column("updates", "updates, at most", "{:,}".format),
        Column("epochs", "epochs", "{:.3g}".format),
        *text_columns("schedule"),
        Column("patience", "patience"),
    ]
    return Table("schedules", columns, rows)


def _changes(protocol: RunProtocol) -> str:
    """Describe what changes images: in every batch anew, and once, in copies that join the training images."""
    words = augmentation_words(protocol.augmentation)
    if protocol.copies is None:
        return words
    number = protocol.copies.number
    changes = augmentation_words(protocol.copies.augmentation)
    static = f"{number} static {'copy' if number == 1 else 'copies'} of each image ({changes})"
    return static if words == "none" else f"{words}; {static}"


def _who(data: StudyData, records: list[Record]) -> str:
    """Name the followers of a schedule by family where all of a family's models follow it."""
    models = {data.recipe(record).model for record in records}
    protocols = {data.recipe(record).protocol for record in records}
    words = []
    for family in ("custom", "transfer"):
        members = {data.recipe(one).model for one in data.records if one.spec.model.family == family}
        if len(members) > 1 and members <= models:
            words.append(f"{family} networks")
            models -= members
    words += [name for name in data.naming.models if name in models]
    if protocols == {data.recipe(record).protocol for record in data.trained}:
        return ", ".join(words)
    return f"{', '.join(words)}: {', '.join(name for name in data.naming.protocols if name in protocols)}"
