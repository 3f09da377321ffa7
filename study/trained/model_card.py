"""The model card of an export: what the network is, what it scores, where its limits are, how to call it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from study.analysis.evaluations import find_evaluations
from study.core.files import write_atomically
from study.core.record import DatasetCard, Record
from study.core.spec import SPLITS, Phase
from study.core.store import Store
from study.models.entry import MODELS
from study.report.markdown import render
from study.report.sections.robustness import robustness_tables
from study.report.table import Column, Table
from study.report.wording import (
    augmentation_words,
    code,
    escape,
    large,
    listed,
    monitor_words,
    part_words,
    percent,
    plain,
    points,
    schedule_words,
    weights_words,
    with_interval_inline,
)
from study.trained.formats import FORMATS, INT8
from study.trained.release import MODEL, Release
from study.trained.runtime import notice_of
from study.trained.scores import BY_CLASS, OVERALL, NetworkScores, stored_scores, validation_scores
from study.trained.winner import retrain_command

CARD = "MODEL_CARD.md"
TEMPLATE = Path(__file__).parent / "templates" / "model_card.md.j2"


def write_card(store: Store, record: Record, folder: Path, exports: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write the card of a run beside its exports and return its path.

    Raises:
        StoreError: the predictions cannot be read.
    """
    path = folder / CARD
    write_atomically(path, build_card(store, record, exports).encode())
    return path


def write_release_card(store: Store, record: Record, release: Release, folder: Path) -> None:
    """Write the card of a released network into its folder.

    Raises:
        StoreError: the predictions cannot be read.
    """
    about = {"file": MODEL, "bytes": release.bytes, "largest_difference": release.largest_difference, "checked_on": ""}
    write_atomically(folder / CARD, build_card(store, record, {"onnx": about}, release).encode())


def build_card(
    store: Store, record: Record, exports: Mapping[str, Mapping[str, Any]], release: Release | None = None
) -> str:
    """Return the card's Markdown; of the package's own network where ``release`` says how it was made.

    Raises:
        StoreError: the predictions cannot be read.
    """
    scores, evaluations = stored_scores(store, record), find_evaluations(store, record)
    spec, card = record.spec, record.dataset
    entry = MODELS.get(spec.model.name)
    published = entry.published.get(spec.weights.source)
    exports = {kind: exports[kind] for kind in FORMATS if kind in exports}
    return render(
        TEMPLATE,
        record=record,
        spec=spec,
        card=card,
        entry=entry,
        notice=notice_of(record),
        scores=scores,
        validation=validation_scores(store, record).score("accuracy"),
        evaluations=evaluations,
        robustness=robustness_tables([evaluations]),
        counts=_counts_table(card),
        overall=_overall_table(scores),
        by_class=_class_table(scores, card.classes),
        phases=_phase_table(spec.protocol.phases),
        exports=_export_table(exports),
        checked_on=listed(sorted({one["checked_on"] for one in exports.values()})),
        int8=exports.get(INT8),
        release=release,
        calls=[(FORMATS[kind], FORMATS[kind].python.format(file=FORMATS[kind].file)) for kind in exports],
        starts_from=weights_words(spec.weights, record.pretraining) if entry.family == "transfer" else "random weights",
        weights_licence=published.licence if published else "",
        augmentation=augmentation_words(spec.protocol.augmentation),
        loss=part_words(spec.protocol.loss),
        watched=monitor_words(spec.protocol.phases[-1]),
        large=large,
        retrain=retrain_command(Store("results", store.study), record),  # no folders of this machine
        points=points,
        percent=percent,
        with_interval=with_interval_inline,
    )


def _counts_table(card: DatasetCard) -> str:
    counts = [[*card.counts[split], sum(card.counts[split])] for split in SPLITS]
    names = [*map(escape, card.classes), "all"]
    return _table(["class", *SPLITS], [[name, *map(_count, row)] for name, *row in zip(names, *counts, strict=True)])


def _overall_table(scores: NetworkScores) -> str:
    rows = [
        [escape(title), with_interval_inline(scores.score(metric), plain if metric == "log_loss" else percent)]
        for metric, title in OVERALL.items()
    ]
    return _table(["metric", "95 % interval in brackets"], rows)


def _class_table(scores: NetworkScores, classes: Sequence[str]) -> str:
    rows = [
        [escape(name), *(with_interval_inline(scores.score(measure, place)) for measure in BY_CLASS), _count(images)]
        for place, (name, images) in enumerate(zip(classes, scores.run.test.support, strict=True))
        if images
    ]
    return _table(["class", *(f"{measure}, %" for measure in BY_CLASS), "images"], rows)


def _phase_table(phases: Sequence[Phase]) -> str:
    titles = ["phase", "trains", "optimizer", "rate", "updates, at most", "schedule", "patience, epochs"]
    rows = []
    for one in phases:
        words, schedule = (one.name, one.trainable, part_words(one.optimizer)), escape(schedule_words(one))
        rows.append([*map(escape, words), f"{one.rate:g}", _count(one.updates), schedule, str(one.patience)])
    return _table(titles, rows, left=("phase", "trains", "optimizer", "schedule"))


def _export_table(exports: Mapping[str, Mapping[str, Any]]) -> str:
    titles = ["format", "file", "MB", "largest difference of a probability"]
    rows = []
    for kind, one in exports.items():
        names = escape(FORMATS[kind].title), code(one["file"])
        rows.append([*names, f"{one['bytes'] / 1e6:.1f}", f"{one['largest_difference']:.2g}"])
    return _table(titles, rows, left=("format", "file"))


def _count(number: int) -> str:
    return f"{number:,}"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[str] = ("class", "metric")) -> str:
    """Return a Markdown table of cells that are ready; the columns of the titles in ``left`` are aligned so."""
    return Table("", [Column("", title, str, right=title not in left) for title in titles], rows).markdown()
