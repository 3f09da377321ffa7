"""Tables of what was run: class counts, models, protocols, schedules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from study.core.record import Record
from study.core.spec import SPLITS, canonical_json
from study.report.collect import StudyData
from study.report.tables.table import Column, Table
from study.report.wording import NOTHING, large, listed, percent, plural


def counts_table(data: StudyData) -> Table:
    """Images per class and split, with each class's share of the training split."""
    counts = data.card["counts"]
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
        cost = next((record.cost for record in records if record.cost), {})
        sides = sorted({record.spec.side_px for record in records})
        rows.append(
            [
                name,
                spec.model.get("version") if not records[0].imported else None,
                spec.model.get("family"),
                weights_words(spec.weights, next((record.pretraining for record in records if record.pretraining), {})),
                spec.weights.get("sha256", ""),
                cost.get("parameters"),
                cost.get("macs"),
                listed([str(side) for side in sides if side]),
                _settings(spec.model.get("settings") or {}),
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
    if any(row[-1] for row in rows):
        return Table("models", [*columns, Column("settings", "settings", right=False)], rows)
    return Table("models", columns, [row[:-1] for row in rows])


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
                protocol.get("sampling", "none"),
                _changes(protocol),
                protocol.get("mix", "none"),
                loss_words(protocol),
                protocol.get("batch"),
                _new_split(protocol.get("new_split") or {}),
                protocol.get("leak", "none"),
                protocol.get("source", ""),
            ]
        )
    used = [Column("protocol", "protocol", right=False), Column("sampling", "sampling", right=False)]
    used += [Column("augmentation", "augmentation", right=False)]
    used += [_unless_always_none("mix", rows, 3), Column("loss", "loss", right=False), Column("batch", "batch")]
    used += [_unless_always_none("split", rows, 6), _unless_always_none("leak", rows, 7), Column("source", "")]
    return Table("protocols", used, rows)


def schedule_table(data: StudyData) -> Table:
    """One row a phase of every distinct schedule, with who follows it."""
    followers: dict[str, list[Record]] = defaultdict(list)
    for record in data.trained:
        followers[canonical_json(record.spec.protocol["phases"])].append(record)
    rows = []
    for records in followers.values():
        for phase in records[0].spec.protocol["phases"]:
            optimizer = phase.get("optimizer", {})
            rows.append(
                [
                    _who(data, records),
                    phase["name"],
                    _trainable(phase.get("trainable", "all")),
                    optimizer_words(optimizer),
                    optimizer.get("rate"),
                    phase["updates"],
                    phase["updates"] / max(1, phase.get("updates_per_epoch", 1)),
                    schedule_words(phase),
                    phase.get("patience"),
                ]
            )
    columns = [
        Column("followed_by", "followed by", right=False),
        Column("phase", "phase", right=False),
        Column("trains", "trains", right=False),
        Column("optimizer", "optimizer", right=False),
        Column("rate", "rate", lambda rate: NOTHING if rate is None else f"{rate:g}"),
        Column("updates", "updates, at most", lambda count: f"{count:,}"),
        Column("epochs", "epochs", lambda epochs: f"{epochs:.3g}"),
        Column("schedule", "schedule", right=False),
        Column("patience", "patience", lambda epochs: NOTHING if epochs is None else str(epochs)),
    ]
    return Table("schedules", columns, rows)


def weights_words(weights: Mapping[str, Any], pretraining: Mapping[str, Any]) -> str:
    """Return what a network starts from; ``pretraining`` is what the file says of its making, or empty."""
    source = weights.get("source", "none")
    if source == "imported":
        return "not known"
    if source == "file":
        file = f"file {weights.get('sha256', '')[:10]}"
        return f"{file}, {pretraining_words(pretraining)}" if pretraining else file
    return {"none": "random weights", "imagenet": "ImageNet"}.get(source, source)


def pretraining_words(pretraining: Mapping[str, Any]) -> str:
    """Return what the weights that a run started from were trained on: how long and how well, or as declared."""
    if "licence" in pretraining:
        return (
            f"declared as pretrained on {pretraining['dataset']}: {pretraining['images']:,} images; "
            f"licence {pretraining['licence']}; source {pretraining['source']}"
        )
    return (
        f"pretrained on {pretraining['dataset']}: {pretraining['images']:,} images of "
        f"{pretraining['classes']} classes, "
        f"{plural(pretraining['epochs'], 'epoch')} at {pretraining['side_px']} px, "
        f"test accuracy {percent(pretraining['test_accuracy'])} %"
    )


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(settings.items()))


def _new_split(shares: Mapping[str, Any]) -> str:
    """Describe a split that is not the image set's own; empty for that."""
    if not shares:
        return ""
    return f"anew: {percent(shares['test'], 0)} % test, {percent(shares['validation'], 0)} % validation"


def _changes(protocol: Mapping[str, Any]) -> str:
    """Describe what changes images: in every batch anew, and once, in copies that join the training images."""
    words = augmentation_words(protocol.get("augmentation") or {})
    copies = dict(protocol.get("copies") or {})
    if not copies:
        return words
    number = int(copies.pop("number"))
    static = f"{number} static {'copy' if number == 1 else 'copies'} of each image ({augmentation_words(copies)})"
    return static if words == "none" else f"{words}; {static}"


def augmentation_words(parts: Mapping[str, Any]) -> str:
    """Return what a protocol's augmentation does, or ``none``."""
    words = []
    say = {
        "rotation_degrees": lambda value: f"rotation ±{value:g}°",
        "translation": lambda value: f"translation ±{100 * value:g} %",
        "zoom": lambda value: f"zoom ±{100 * value:g} %",
    }
    for name, value in parts.items():
        if name == "cutout_probability" or value in (False, 0, None):
            continue
        if name == "cutout_side":
            words.append(f"cutout of {value:g} side with probability {parts.get('cutout_probability', 1):g}")
        elif value is True:
            words.append(name.replace("_", " "))
        else:
            words.append(say[name](value) if name in say else f"{name.replace('_', ' ')} {value}")
    return ", ".join(words) or "none"


def loss_words(protocol: Mapping[str, Any]) -> str:
    """Return a protocol's loss."""
    smoothing = protocol.get("label_smoothing", 0.0)
    return protocol.get("loss", "cross-entropy") + (f", label smoothing {smoothing:g}" if smoothing else "")


def _unless_always_none(key: str, rows: list[list[Any]], place: int) -> Column:
    return Column(key, "" if all(row[place] in ("none", "") for row in rows) else key, right=False)


def _trainable(trainable: Any) -> str:
    return trainable if isinstance(trainable, str) else ", ".join(map(str, trainable))


def optimizer_words(optimizer: Mapping[str, Any]) -> str:
    """Return a phase's optimizer with its settings, without the rate."""
    rest = [
        f"{name.replace('_', ' ')} {value}"
        for name, value in optimizer.items()
        if name not in ("name", "rate") and value
    ]
    return ", ".join([str(optimizer.get("name", "")), *rest]).replace(" True", "")


def schedule_words(phase: Mapping[str, Any]) -> str:
    """Return how a phase changes its rate."""
    words = [] if phase.get("schedule", "constant") == "constant" else [phase["schedule"]]
    if phase.get("rates"):
        words.append("rates " + ", ".join(f"{rate:g}" for rate in phase["rates"]))
    plateau = phase.get("plateau")
    if plateau:
        watched = monitor_words(phase)
        words.append(f"×{plateau['factor']:g} after {plateau['patience']} epochs without a better {watched}")
    if "monitor" in phase:
        words.append(f"keeps the epoch with the best {monitor_words(phase)}")
    if phase.get("block_decay", 1) != 1:
        words.append(f"each block of the body ×{phase['block_decay']:g} of the rate above it")
    return "; ".join(words) or "constant"


def monitor_words(phase: Mapping[str, Any]) -> str:
    """Return what a phase watches: the kept epoch, early stopping and the plateau follow it."""
    return {"brier": "validation Brier score"}.get(phase.get("monitor", "loss"), "validation loss")


def _who(data: StudyData, records: list[Record]) -> str:
    """Name the followers of a schedule by family where all of a family's models follow it."""
    models = {data.recipe(record).model for record in records}
    protocols = {data.recipe(record).protocol for record in records}
    words = []
    for family in ("custom", "transfer"):
        members = {data.recipe(one).model for one in data.records if one.spec.model.get("family") == family}
        if len(members) > 1 and members <= models:
            words.append(f"{family} networks")
            models -= members
    words += [name for name in data.naming.models if name in models]
    if protocols == {data.recipe(record).protocol for record in data.trained}:
        return ", ".join(words)
    return f"{', '.join(words)}: {', '.join(name for name in data.naming.protocols if name in protocols)}"
