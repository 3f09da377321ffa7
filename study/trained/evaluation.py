"""Evaluation: a stored run's scores on another dataset, as a page with tables and a confusion matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.evaluations import Elsewhere, Evaluations
from study.core.files import write_atomically
from study.core.record import Record
from study.core.store import Store
from study.datasets.image_set import ImageSet
from study.report.markdown import render
from study.report.picture import Picture, file_name
from study.report.sections.confusion import confusion_picture, run_panel
from study.report.sections.robustness import robustness_tables
from study.report.table import Column, Table, text_columns
from study.report.wording import escape, percent, plain, with_interval
from study.trained.corruptions import CORRUPTIONS
from study.trained.images import ALL, Foreign
from study.trained.runtime import DRAWN_NOTICE, notice_of
from study.trained.scores import BY_CLASS, OVERALL, NetworkScores, scores_on, stored_scores
from study.trained.slices import Slices

TEMPLATES = Path(__file__).parent / "templates"
DRAWN_DATA = "The images are drawn faces, not photographs: these scores say nothing about people."
IMAGES = Column("images", "images", lambda count: f"{count:,}")


@dataclass(frozen=True)
class Evaluation:
    """A run's answers to a dataset, scored on its images (``foreign``: as the run took them)."""

    record: Record
    image_set: ImageSet
    foreign: Foreign
    here: NetworkScores
    #: On those of them that the run has not met in training or validation; None where it has met none, where nothing is
    #: known of it, or where fewer than two are left.
    unseen: NetworkScores | None
    home: NetworkScores  #: On the test split of the run's own dataset.
    groups: Mapping[tuple[str, str], NetworkScores]  #: By subgroup (column, value), where the user named some.


def evaluate(
    store: Store,
    record: Record,
    image_set: ImageSet,
    foreign: Foreign,
    probabilities: NDArray[np.float32],
    slices: Slices | None = None,
) -> Evaluation:
    """Score a run's probabilities, float32 (n, classes), for the prepared images of a dataset.

    Raises:
        DataError: the slices name none of the images.
    """

    def scored(chosen: NDArray[np.bool_]) -> NetworkScores | None:
        if len(np.unique(foreign.hashes[chosen])) < 2:
            return None
        return scores_on(store, record, foreign.labels[chosen], probabilities[chosen], foreign.hashes[chosen])

    here = scores_on(store, record, foreign.labels, probabilities, foreign.hashes)
    unseen = scored(~foreign.seen) if foreign.seen is not None and foreign.seen.any() else None
    members = slices.members(foreign.ids) if slices else {}
    groups = {name: found for name, chosen in members.items() if (found := scored(chosen))}
    return Evaluation(record, image_set, foreign, here, unseen, stored_scores(store, record), groups)


def write_evaluation(found: Evaluation, store: Store, reports: Path, kind: str) -> Path:
    """Write ``<reports>/<study>/evaluations/<name>/README.md`` with tables and the confusion matrix; return its path.

    ``kind`` says what the network ran on.
    """
    tables = [_scores_table(found), _class_table(found), _confusion_table(found)]
    tables += [_slices_table(found)] if found.groups else []
    picture = _confusion(found)
    name = file_name(f"{found.image_set.name}-{found.foreign.split}-{found.record.key}")
    folder = reports / store.study / "evaluations" / name
    drawn = {DRAWN_NOTICE: found.record.dataset.drawn, DRAWN_DATA: found.image_set.drawn}
    write_atomically(folder / "figures" / f"{picture.name}.png", picture.png())
    return _written(
        folder,
        "evaluation.md.j2",
        {table.name: table for table in tables},
        found=found,
        record=found.record,
        card=found.image_set.card(),
        foreign=found.foreign,
        kind=kind,
        study=store.study,
        picture=picture,
        notices=[notice for notice, said in drawn.items() if said],
        seen=None if found.foreign.seen is None else int(found.foreign.seen.sum()),
        absent=[name for name, count in _supports(found) if not count],
        all_images=found.foreign.split == ALL,
    )


def write_robustness(found: Evaluations, store: Store, record: Record, reports: Path, kind: str) -> Path:
    """Write ``<reports>/<study>/evaluations/corruptions-<run>/README.md`` with its tables; return its path.

    ``kind`` says what the network ran on.
    """
    return _written(
        reports / store.study / "evaluations" / f"corruptions-{record.key}",
        "robustness.md.j2",
        robustness_tables([found]),
        record=record,
        robust=found.robustness,
        corruptions=CORRUPTIONS,
        kind=kind,
        study=store.study,
        notice=notice_of(record),
        percent=percent,
    )


def _written(folder: Path, template: str, tables: Mapping[str, Table], **names: Any) -> Path:
    page = render(TEMPLATES / template, tables=tables, **names)
    for name, table in tables.items():
        write_atomically(folder / "tables" / f"{name}.csv", table.csv().encode())
    write_atomically(folder / "README.md", page.encode())
    return folder / "README.md"


def _scores_table(found: Evaluation) -> Table:
    """Every metric of ``OVERALL`` here, on what of it is new to the run, and on the run's own test split."""
    places = {found.image_set.name: found.here, "new to the run": found.unseen, "its own test split": found.home}
    rows = [
        [place, *_scored(scores, OVERALL), scores.run.record.key]
        for place, scores in places.items()
        if scores is not None
    ]
    return Table("scores", [Column("images_of", "images of", right=False), *_columns(OVERALL), Column("runs")], rows)


def _slices_table(found: Evaluation) -> Table:
    """What the run scores on each subgroup, and on how many images."""
    metrics = ("accuracy", "balanced_accuracy", "macro_f1")
    rows = [[*group, *_scored(scores, metrics)] for group, scores in found.groups.items()]
    return Table("slices", [*text_columns("column", "group"), *_columns(metrics)], rows)


def _columns(metrics: Iterable[str]) -> list[Column]:
    shown = {"log_loss": partial(with_interval, show=plain)}
    return [IMAGES, *(Column(metric, OVERALL[metric], shown.get(metric, with_interval)) for metric in metrics)]


def _scored(scores: NetworkScores, metrics: Iterable[str]) -> list[Any]:
    return [len(scores.run.correct), *map(scores.score, metrics)]


def elsewhere(found: Evaluation) -> dict[str, Elsewhere]:
    """Return what the study's report shows of an evaluation, by what was scored; the own images are none."""
    name = f"{found.image_set.name}, {found.foreign.split}"
    whole = {} if found.foreign.own else {name: found.here}
    groups = {f"{name}, {column} = {value}": scores for (column, value), scores in found.groups.items()}
    return {
        name: Elsewhere(
            images=len(scores.run.correct),
            accuracy=scores.interval("accuracy"),
            balanced_accuracy=scores.interval("balanced_accuracy"),
        )
        for name, scores in (whole | groups).items()
    }


def _class_table(found: Evaluation) -> Table:
    """Precision, recall and F1 of every class that has images here, and its recall on the run's own test split."""
    rows = [
        [name, count, *(found.here.score(one, place) for one in BY_CLASS), found.home.score("recall", place)]
        for place, (name, count) in enumerate(_supports(found))
        if count
    ]
    columns = [
        *text_columns("class"),
        IMAGES,
        *(Column(measure, f"{measure}, %", with_interval) for measure in BY_CLASS),
        Column("recall_own_test_split", "recall on its test split, %", with_interval),
    ]
    return Table("per-class", columns, rows)


def _confusion_table(found: Evaluation) -> Table:
    """Counts, rows true and columns predicted classes, without rows that have no image."""
    classes = found.record.dataset.classes
    counts = found.here.run.test.confusion
    rows = [[name, *map(int, row)] for name, row in zip(classes, counts, strict=True) if row.sum()]
    columns = [Column(f"predicted_{name}", escape(name), str) for name in classes]
    return Table("confusion", [*text_columns("true"), *columns], rows)


def _confusion(found: Evaluation) -> Picture:
    """Return the confusion matrix as a picture."""
    model, protocol = found.record.spec.recipe
    title = f"{model} {protocol} seed {found.record.spec.seed}, on {found.image_set.name}"
    classes, panels = list(found.record.dataset.classes), [run_panel(found.here.run)]
    return confusion_picture("confusion", f"Confusion matrix of {title}", title, classes, panels)


def _supports(found: Evaluation) -> list[tuple[str, int]]:
    support = found.here.run.test.support
    return [(name, int(count)) for name, count in zip(found.record.dataset.classes, support, strict=True)]
