"""Tables of results: leaderboard, cost, classes."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.leaderboard import MEASURES, Spread, Standing
from study.analysis.metric import METRICS, Metric, ordered
from study.analysis.recipes import Recipe
from study.analysis.rescoring import NO_COPIES
from study.analysis.runs import ScoredRun, Scores
from study.analysis.scores import Measure, Statement
from study.analysis.statistics import Statistics
from study.core.record import Record
from study.report.collect import StudyData
from study.report.tables.table import RECIPE, Column, Table, hidden
from study.report.wording import (
    FIXED_BLANK,
    NOTHING,
    duration,
    escape,
    large,
    mean_of,
    milliseconds,
    percent,
    plain,
    probability,
    whole_percent,
    with_interval,
    with_interval_inline,
)

UNCONVERGED, HARDLY_TRAINED = "†", "‡"


def leaderboard_table(data: StudyData, found: Statistics) -> Table:
    """Scores of every recipe with their intervals, ranked by validation accuracy."""
    letters = found.main.letters
    alone = _without_copies(data)
    metrics = ordered(lambda one: one.on_leaderboard and one.name != "accuracy")
    rows = []
    for one in data.standings:
        # The first was chosen by the seeds that score it: its interval allows for that.
        of = found.winner if one.rank == 1 else partial(found.scores.score, one.recipe)
        scores = [of(measure) for measure in (Measure("accuracy"), *(Measure(metric.name) for metric in metrics))]
        rows.append(
            [
                one.rank,
                one.recipe.model,
                one.recipe.protocol + marks(one.unconverged > 0, one.hardly_trained),
                one.recipe.protocol,
                len(one.runs),
                scores[0].question,
                one.measures["validation_accuracy"],
                scores[0],
                one.measures["test_accuracy"].deviation,
                letters.get(one.recipe, ""),
                found.best.get(one.recipe),
                alone.get(one.recipe),
                *scores[1:],
                data.classes[one.worst_class],
                one.worst_recall,
                one.unconverged,
                one.hardly_trained,
                scores[0].runs,
            ]
        )
    columns = [
        Column("rank", "#", lambda rank: NOTHING if rank is None else str(rank)),
        Column("model", "model", right=False),
        Column("", "protocol", right=False),
        Column("protocol", ""),
        Column("seeds", "n" if len({len(one.runs) for one in data.ranked}) > 1 else ""),
        Column("statement_about", ""),
        Column("validation_accuracy", "validation acc.", lambda value: f"**{percent(value.mean)}**"),
        Column("test_accuracy", "test acc.", with_interval),
        Column("test_accuracy_sd", ""),
        Column("group", "group" if any(letters.values()) else "", lambda group: group or NOTHING, right=False),
        Column("probability_best", "best" if found.best else "", _probability),
        Column(
            "test_accuracy_without_copies", "without copies" if alone else "", lambda one: percent(one and one.value)
        ),
        *(Column(f"test_{one.name}", one.heading, with_interval if one.share else _plain) for one in metrics),
        *hidden("worst_class", "worst_class_recall", "runs_not_converged", "hardly_trained", "runs"),
    ]
    return Table("leaderboard", columns, rows)


def marks(unconverged: bool, hardly_trained: bool) -> str:
    """Return what follows a protocol's name in a table."""
    found = UNCONVERGED * unconverged + HARDLY_TRAINED * hardly_trained
    return FIXED_BLANK + found if found else ""


def _without_copies(data: StudyData) -> dict[Recipe, Statement]:
    names = [one.name for one in data.rescoring.subsets] if data.rescoring else []
    if data.rescoring is None or NO_COPIES not in names:
        return {}
    return {recipe: scores[names.index(NO_COPIES)] for recipe, scores in data.rescoring.scores.items()}


def _probability(value: float | None) -> str:
    return NOTHING if value is None else probability(value)


def _plain(value: Statement) -> str:
    return with_interval(value, lambda number: plain(number, 2))


def cost_table(data: StudyData) -> Table:
    """Accuracy beside what every recipe costs, in the order of the leaderboard; means over seeds, device by device."""
    names = ("parameters", "macs", "train_s", "epochs", "train_images_per_s", "latency_single_ms", "latency_batch_ms")
    rows = []
    for one in data.standings:
        of_device: dict[str, list[ScoredRun]] = {}
        for run in one.runs:
            of_device.setdefault(device_of(run.record), []).append(run)
        for device, runs in of_device.items():  # times of two machines have no mean
            spent = {name: Spread.of(MEASURES[name](run) for run in runs) for name in (*names, "peak_memory_mb")}
            named = [one.rank, one.recipe.model, one.recipe.protocol, device]
            accuracy = data.found.scores.score(one.recipe) if data.found else one.measures["test_accuracy"]
            batch = runs[0].record.cost.latency_batch_size
            costs = [spent[name] for name in names]
            rows.append(
                [*named, accuracy, *costs, batch, spent["peak_memory_mb"], tuple(run.record.key for run in runs)]
            )
    batches = {row[-3] for row in rows}
    several = len({row[3] for row in rows if row[3]}) > 1
    size = f" of {batches.pop()}" if len(batches) == 1 and None not in batches else ""
    columns = [
        Column("rank", "#", lambda rank: NOTHING if rank is None else str(rank)),
        *RECIPE,
        Column("device", "device" if several else "", lambda name: escape(name) or NOTHING, right=False),
        Column("test_accuracy", "test acc.", with_interval_inline),
        Column("parameters", "parameters", lambda value: mean_of(value, large)),
        Column("macs", "MACs", lambda value: mean_of(value, large)),
        Column("train_s", "training", lambda value: mean_of(value, duration)),
        *hidden("epochs", "train_images_per_s"),
        Column("latency_single_ms", "one image, ms", lambda value: mean_of(value, milliseconds)),
        Column("latency_batch_ms", f"batch{size}, ms", lambda value: mean_of(value, milliseconds)),
        Column("latency_batch_size", ""),
        Column("peak_memory_mb", "memory, MiB", lambda value: mean_of(value, lambda memory: f"{memory:,.0f}")),
        Column("runs", ""),
    ]
    return Table("cost", columns, rows)


def device_of(record: Record) -> str:
    """Return what a run's times hold for: its accelerator, else its processor; empty where that is not recorded."""
    return "" if record.imported else record.provenance.device or record.provenance.processor


def class_measure_table(data: StudyData, found: Statistics, measure: str) -> Table:
    """A metric of each class of every recipe on the test split, with intervals."""
    rows = []
    for one in data.standings:
        scores = [found.scores.score(one.recipe, Measure(measure, place)) for place in range(len(data.classes))]
        rows.append([one.recipe.model, one.recipe.protocol, scores[0].question, *scores, scores[0].runs])
    columns = [
        *RECIPE,
        Column("statement_about", ""),
        *(Column(name, escape(name), _class_score) for name in data.classes),
        Column("runs", ""),
    ]
    return Table(f"per-class-{measure}", columns, rows)


def _class_score(value: Statement) -> str:
    return with_interval(value, percent, whole_percent)


def per_class_table(data: StudyData) -> Table:
    """Every run's precision, recall, F1 and support of every class on both splits; for the CSV."""
    rows: list[list[Any]] = []
    metrics = ordered(lambda one: one.each_class)
    for run in data.finished:
        recipe = data.recipe(run.record)
        own = "" if run.record.on_own_test else " (split anew)"
        for split, scores in ((f"validation{own}", run.validation), (f"test{own}", run.test)):
            if not scores.support.any():
                continue
            for place, name in enumerate(data.classes):
                words = [recipe.model, recipe.protocol, run.spec.seed, split, name]
                scored = [float(of_class(scores, metric)[place]) for metric in metrics]
                rows.append([*words, *scored, int(scores.support[place]), run.record.key])
    keys = ("model", "protocol", "seed", "split", "class", *(one.name for one in metrics), "support", "runs")
    return Table("per-class", [Column(key, "") for key in keys], rows)


def confusion_tables(data: StudyData) -> list[Table]:
    """One confusion matrix of the test split a run, rows true and columns predicted; for the CSV."""
    columns = [Column("true", ""), *(Column(f"predicted_{name}", "") for name in data.classes)]
    return [
        Table(
            f"confusion/{run.record.key}",
            columns,
            [[name, *map(int, counts)] for name, counts in zip(data.classes, run.test.confusion, strict=True)],
        )
        for run in data.finished
    ]


def class_spreads(standing: Standing, measure: str) -> list[Spread]:
    """Return mean and spread over a recipe's runs of a metric of each class, in class order."""
    values = np.stack([of_class(run.test, METRICS.get(measure)) for run in standing.runs])
    return [Spread.of(column) for column in values.T]


def of_class(scores: Scores, metric: Metric) -> NDArray[np.float64]:
    """Return a metric of each class of one network on one split; a class that is never predicted has precision 0."""
    if hasattr(scores, metric.name):
        return np.asarray(getattr(scores, metric.name))
    return metric.of_sums(scores.confusion.reshape(-1).astype(np.float64), float(scores.support.sum()))
