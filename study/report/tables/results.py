"""Tables of results: leaderboard, cost, flip at test time, factor effects, classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from study.analysis.effects import EFFECT_MEASURES, FACTORS, Effect, summarise
from study.analysis.leaderboard import Spread, Standing
from study.report.collect import StudyData
from study.report.tables.table import Column, Table
from study.report.wording import (
    FIXED_BLANK,
    NOTHING,
    duration,
    escape,
    large,
    mean_of,
    milliseconds,
    narrow_spread,
    percent,
    plain,
    points,
    spread,
)

UNCONVERGED = "†"
CLASS_MEASURES = ("precision", "recall", "f1")


def leaderboard_table(data: StudyData) -> Table:
    """Scores of every recipe, ranked by selection accuracy."""
    rows = []
    for one in data.standings:
        measures = one.measures
        rows.append(
            [
                one.rank,
                one.recipe.model,
                one.recipe.protocol + (FIXED_BLANK + UNCONVERGED if one.unconverged else ""),
                one.recipe.protocol,
                len(one.runs),
                measures["selection_accuracy"],
                measures["test_accuracy"],
                measures["test_macro_f1"],
                measures["test_balanced_accuracy"],
                (data.classes[one.worst_class], one.worst_recall),
                data.classes[one.worst_class],
                one.worst_recall,
                measures["test_log_loss"],
                one.unconverged,
            ]
        )
    columns = [
        Column("rank", "#", lambda rank: NOTHING if rank is None else str(rank)),
        Column("model", "model", right=False),
        Column("", "protocol", right=False),
        Column("protocol", ""),
        Column("seeds", "n" if len({len(one.runs) for one in data.ranked}) > 1 else ""),
        Column("selection_accuracy", "selection acc.", _bold),
        Column("test_accuracy", "test acc.", narrow_spread),
        Column("test_macro_f1", "macro-F1", narrow_spread),
        Column("test_balanced_accuracy", "balanced acc.", narrow_spread),
        Column(
            "", "worst class", lambda worst: f"{escape(worst[0])}{FIXED_BLANK}{mean_of(worst[1], percent)}", right=False
        ),
        Column("worst_class", ""),
        Column("worst_class_recall", ""),
        Column("test_log_loss", "loss", lambda value: mean_of(value, plain)),
        Column("runs_not_converged", ""),
    ]
    return Table("leaderboard", columns, rows)


def cost_table(data: StudyData) -> Table:
    """What every recipe costs, in the order of the leaderboard; means over seeds."""
    rows = []
    for one in data.standings:
        batch = next((run.record.cost.get("latency_batch_size") for run in one.runs), None)
        names = (
            "parameters",
            "macs",
            "train_s",
            "epochs",
            "train_images_per_s",
            "latency_single_ms",
            "latency_batch_ms",
        )
        rows.append(
            [
                one.rank,
                one.recipe.model,
                one.recipe.protocol,
                one.measures["test_accuracy"],
                *(one.measures[name] for name in names),
                batch,
                one.measures["peak_memory_mb"],
            ]
        )
    batches = {row[-2] for row in rows}
    size = f" of {batches.pop()}" if len(batches) == 1 and None not in batches else ""
    columns = [
        Column("rank", "#", lambda rank: NOTHING if rank is None else str(rank)),
        Column("model", "model", right=False),
        Column("protocol", "protocol", right=False),
        Column("test_accuracy", ""),
        Column("parameters", "parameters", lambda value: mean_of(value, large)),
        Column("macs", "MACs", lambda value: mean_of(value, large)),
        Column("train_s", "training", lambda value: mean_of(value, duration)),
        Column("epochs", ""),
        Column("train_images_per_s", ""),
        Column("latency_single_ms", "one image, ms", lambda value: mean_of(value, milliseconds)),
        Column("latency_batch_ms", f"batch{size}, ms", lambda value: mean_of(value, milliseconds)),
        Column("latency_batch_size", ""),
        Column("peak_memory_mb", "memory, MiB", lambda value: mean_of(value, lambda memory: f"{memory:,.0f}")),
    ]
    return Table("cost", columns, rows)


def flip_table(data: StudyData) -> Table:
    """Accuracy with the mean of plain and mirrored probabilities."""
    rows = []
    for one in data.standings:
        gains = Spread.of(run.test_accuracy_flipped - run.test.accuracy for run in one.runs)
        names = ("selection_accuracy", "selection_accuracy_flipped", "test_accuracy", "test_accuracy_flipped")
        rows.append([one.recipe.model, one.recipe.protocol, *(one.measures[name] for name in names), gains])
    columns = [
        Column("model", "model", right=False),
        Column("protocol", "protocol", right=False),
        Column("selection_accuracy", "selection acc.", spread),
        Column("selection_accuracy_flipped", "with flip", spread),
        Column("test_accuracy", "test acc.", spread),
        Column("test_accuracy_flipped", "with flip", spread),
        Column("gain", "gain on test, points", lambda value: mean_of(value, points)),
    ]
    return Table("flip-at-test-time", columns, rows)


def effects_table(data: StudyData) -> Table:
    """Each factor's mean difference, its range and the number of matched pairs, over all models and for each."""
    rows = []
    for factor in FACTORS:
        pairs = [pair for pair in data.pairs if pair.factor == factor]
        for model in (None, *data.naming.models):
            chosen = [pair for pair in pairs if model in (None, pair.model)]
            if not chosen or (model is not None and len({pair.model for pair in pairs}) == 1):
                continue
            effects = [summarise(chosen, measure)[factor] for measure in EFFECT_MEASURES]
            flat = [number for effect in effects for number in (effect.mean, effect.low, effect.high)]
            rows.append([factor, model or "all models", effects[0].pairs, *effects, *flat])
    columns = [
        Column("factor", "factor", right=False),
        Column("model", "model", right=False),
        Column("pairs", "pairs"),
        *(Column("", title, _effect) for title in ("test accuracy", "balanced accuracy", "macro-F1")),
    ]
    columns += [Column(f"{measure}_{part}", "") for measure in EFFECT_MEASURES for part in ("mean", "low", "high")]
    return Table("factor-effects", columns, rows)


def recall_effects_table(data: StudyData) -> Table:
    """Each factor's mean difference of every class's recall, over all matched pairs."""
    rows = []
    for factor in FACTORS:
        differences = [pair.recall_differences for pair in data.pairs if pair.factor == factor]
        if differences:
            rows.append([factor, len(differences), *map(float, np.mean(differences, axis=0))])
    columns = [Column("factor", "factor", right=False), Column("pairs", "pairs")]
    return Table(
        "factor-effects-by-class", [*columns, *(Column(name, escape(name), points) for name in data.classes)], rows
    )


def class_measure_table(data: StudyData, measure: str) -> Table:
    """One of ``CLASS_MEASURES`` of every class and recipe on the test split, mean and spread over seeds."""
    rows = [[one.recipe.model, one.recipe.protocol, *class_spreads(one, measure)] for one in data.standings]
    columns = [Column("model", "model", right=False), Column("protocol", "protocol", right=False)]
    return Table("", [*columns, *(Column(name, escape(name), spread) for name in data.classes)], rows)


def per_class_table(data: StudyData) -> Table:
    """Every run's precision, recall, F1 and support of every class on both splits; for the CSV."""
    rows: list[list[Any]] = []
    for run in data.runs:
        recipe = data.recipe(run.record)
        for split, scores in (("selection", run.selection), ("test", run.test)):
            for place, name in enumerate(data.classes):
                values = [float(getattr(scores, measure)[place]) for measure in CLASS_MEASURES]
                rows.append(
                    [recipe.model, recipe.protocol, run.spec.seed, split, name, *values, int(scores.support[place])]
                )
    keys = ("model", "protocol", "seed", "split", "class", *CLASS_MEASURES, "support")
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
        for run in data.runs
    ]


def class_spreads(standing: Standing, measure: str) -> list[Spread]:
    """Return mean and spread over a recipe's runs of one of ``CLASS_MEASURES``, in class order."""
    values = np.stack([getattr(run.test, measure) for run in standing.runs])
    return [Spread.of(column) for column in values.T]


def _bold(value: Spread) -> str:
    mean = percent(value.mean)
    return f"**{mean}**{narrow_spread(value).removeprefix(mean)}"


def _effect(effect: Effect) -> str:
    if effect.pairs == 1:
        return points(effect.mean)
    return f"{points(effect.mean)} ({points(effect.low)}{FIXED_BLANK}to{FIXED_BLANK}{points(effect.high)})"
