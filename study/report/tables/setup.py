"""Tables of what was run: class counts, models, protocols, schedules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from study.core.record import Cost, Pretraining, Record
from study.core.spec import SPLITS, NewSplit, Part, Phase, RunProtocol, Start, canonical_json, plain
from study.report.collect import StudyData
from study.report.tables.table import Column, Table
from study.report.wording import NOTHING, large, listed, percent


def counts_table(data: StudyData) -> Table:
    """Images per class and split, with each class's share of the training split."""
    counts = data.card.counts
    train = sum(counts["train"])
    rows: list[list[Any]] = []
    for place, name in enumerate(data.classes):
        images = [counts[split][place] for split in SPLITS]
        rows.append([name, *images, images[0] / train])
    rows.append(["all", *(sum(counts[split]) for split in SPLITS), 1.0])
    columns = [Column("class", "class", right=False)]
    columns += [Column(split, split, lambda count: f"{count:,}") for split in SPLITS]
    return Table("class-counts", [*columns, Column("train_share", "share of train, %", percent)], rows)


def models_table(data: StudyData) -> Table:
    """One row a model: family, weights, size, side."""
    rows = []
    for name in data.naming.models:
        records = [record for record in data.records if data.recipe(record).model == name]
        spec = records[0].spec
        cost = next((record.cost for record in records if record.cost.parameters), Cost())
        pretraining = next((record.pretraining for record in records if record.pretraining), None)
        sides = sorted({record.spec.side_px for record in records})
        rows.append(
            [
                name,
                spec.model.version if not records[0].imported else None,
                spec.model.family,
                weights_words(spec.weights, pretraining),
                spec.weights.sha256,
                cost.parameters,
                cost.macs,
                listed([str(side) for side in sides if side]),
            ]
        )
    columns = [
        Column("model", "model", right=False),
        Column("version", "version", lambda version: NOTHING if version is None else str(version)),
        Column("family", "family", right=False),
        Column("weights", "starts from", right=False),
        Column("weights_sha256", ""),
        Column("parameters", "parameters", large),
        Column("macs", "MACs", large),
        Column("side_px", "side, px"),
    ]
    return Table("models", columns, rows)


def protocols_table(data: StudyData) -> Table:
    """One row a protocol: what it does to the images and the loss."""
    rows = []
    for name in data.naming.protocols:
        first = next(record for record in data.records if data.recipe(record).protocol == name)
        if first.imported:
            continue
        protocol = first.spec.protocol
        rows.append(
            [
                name,
                protocol.sampling,
                _changes(protocol),
                part_words(protocol.loss),
                protocol.batch,
                _new_split(protocol.new_split),
                protocol.leak,
            ]
        )
    used = [Column("protocol", "protocol", right=False), Column("sampling", "sampling", right=False)]
    used += [Column("augmentation", "augmentation", right=False)]
    used += [Column("loss", "loss", right=False), Column("batch", "batch")]
    used += [_unless_always_none("split", rows, 5), _unless_always_none("leak", rows, 6)]
    return Table("protocols", used, rows)


def schedule_table(data: StudyData) -> Table:
    """One row a phase of every distinct schedule, with who follows it."""
    followers: dict[str, list[Record]] = defaultdict(list)
    for record in data.trained:
        followers[canonical_json(plain(record.spec.protocol.phases))].append(record)
    rows = []
    for records in followers.values():
        for phase in records[0].spec.protocol.phases:
            rows.append(
                [
                    _who(data, records),
                    phase.name,
                    phase.trainable,
                    part_words(phase.optimizer),
                    phase.rate,
                    phase.updates,
                    phase.updates / phase.updates_per_epoch,
                    schedule_words(phase),
                    phase.patience,
                ]
            )
    columns = [
        Column("followed_by", "followed by", right=False),
        Column("phase", "phase", right=False),
        Column("trains", "trains", right=False),
        Column("optimizer", "optimizer", right=False),
        Column("rate", "rate", lambda rate: f"{rate:g}"),
        Column("updates", "updates, at most", lambda count: f"{count:,}"),
        Column("epochs", "epochs", lambda epochs: f"{epochs:.3g}"),
        Column("schedule", "schedule", right=False),
        Column("patience", "patience", lambda epochs: NOTHING if epochs is None else str(epochs)),
    ]
    return Table("schedules", columns, rows)


def weights_words(weights: Start, pretraining: Pretraining | None) -> str:
    """Return what a network starts from; ``pretraining`` is what its file says of its making."""
    if weights.source == "file":
        file = f"file {weights.sha256[:10]}"
        return f"{file}, {pretraining.words()}" if pretraining else file
    known = {"none": "random weights", "imagenet": "ImageNet", "imported": "not known"}
    return known.get(weights.source, weights.source)


def _new_split(split: NewSplit | None) -> str:
    """Describe a split that is not the image set's own; empty for that."""
    if split is None:
        return ""
    return f"anew: {percent(split.test, 0)} % test, {percent(split.validation, 0)} % validation"


def _changes(protocol: RunProtocol) -> str:
    """Describe what changes images: in every batch anew, and once, in copies that join the training images."""
    words = augmentation_words(protocol.augmentation)
    if protocol.copies is None:
        return words
    number = protocol.copies.number
    changes = augmentation_words(protocol.copies.augmentation)
    static = f"{number} static {'copy' if number == 1 else 'copies'} of each image ({changes})"
    return static if words == "none" else f"{words}; {static}"


def augmentation_words(parts: Iterable[Part]) -> str:
    """Return what a protocol's augmentation does, or ``none``.

    >>> augmentation_words([Part(name="affine", settings={"flip": True, "zoom": 0.1}), Part(name="mixup")])
    'affine (flip, zoom 0.1); mixup'
    """
    return "; ".join(map(part_words, parts)) or "none"


def part_words(part: Part) -> str:
    """Return a registered piece with its settings."""
    settings = []
    for name, value in part.settings.items():
        shown = ", ".join(f"{one:g}" for one in value) if isinstance(value, (tuple, list)) else value
        shown = f"{shown:g}" if isinstance(shown, float) else shown
        if value not in (False, None):
            settings.append(name.replace("_", " ") + ("" if value is True else f" {shown}"))
    return f"{part.name} ({', '.join(settings)})" if settings else part.name


def _unless_always_none(key: str, rows: list[list[Any]], place: int) -> Column:
    return Column(key, "" if all(row[place] in ("none", "") for row in rows) else key, right=False)


def schedule_words(phase: Phase) -> str:
    """Return how a phase changes its rate and which epoch it keeps."""
    words = [] if phase.schedule.name == "constant" else [part_words(phase.schedule)]
    if phase.plateau:
        words.append(f"×{phase.plateau.factor:g} after {phase.plateau.patience} epochs without a better one")
    if phase.average:
        words.append(f"keeps the average of the weights, {part_words(phase.average)}")
    if phase.monitor != "loss":
        words.append(f"keeps the {monitor_words(phase)}")
    if phase.block_decay != 1:
        words.append(f"each block of the body ×{phase.block_decay:g} of the rate above it")
    return "; ".join(words) or "constant"


def monitor_words(phase: Phase) -> str:
    """Return which epoch a phase keeps; early stopping and the plateau follow the same figure."""
    return {
        "loss": "best validation loss",
        "brier": "best validation Brier score",
        "last": "last epoch, whatever it scores",
    }[phase.monitor]


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
