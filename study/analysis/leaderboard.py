"""The leaderboard: mean and spread over seeds, ranked by the validation split; the front of score against cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.analysis.recipes import Naming, Recipe, is_leaky
from study.analysis.runs import ScoredRun


@dataclass(frozen=True)
class Spread:
    """Mean and spread of a number over seeds."""

    mean: float | None  #: Mean over the runs that have the number; None where none has.
    deviation: float | None  #: Sample standard deviation (n - 1); None below two runs.

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread:
        """Summarise values; None and nan are left out."""
        found = [float(value) for value in values if value is not None and np.isfinite(value)]
        if not found:
            return cls(None, None)
        return cls(float(np.mean(found)), float(np.std(found, ddof=1)) if len(found) > 1 else None)


#: Every number of the leaderboard, by name. Accuracies, F1 and recalls lie in 0..1.
MEASURES: Mapping[str, Callable[[ScoredRun], float | None]] = {
    "validation_accuracy": lambda run: run.validation.accuracy,
    "test_accuracy": lambda run: run.test.accuracy,
    "test_macro_f1": lambda run: run.test.macro_f1,
    "test_balanced_accuracy": lambda run: run.test.balanced_accuracy,
    "test_log_loss": lambda run: run.test.log_loss,
    "validation_log_loss": lambda run: run.validation.log_loss,
    "parameters": lambda run: run.record.cost.parameters,
    "macs": lambda run: run.record.cost.macs,
    "latency_single_ms": lambda run: run.record.cost.latency_single_ms,
    "latency_batch_ms": lambda run: run.record.cost.latency_batch_ms,
    "peak_memory_mb": lambda run: run.record.cost.peak_memory_mb,
    "train_s": lambda run: run.record.timing.train_s,
    "wall_s": lambda run: run.record.timing.wall_s,
    "train_images_per_s": lambda run: run.record.timing.train_images_per_s,
    "epochs": lambda run: len(run.record.history) or None,
}


#: A run of fewer updates was hardly trained, whatever it scores.
FEWEST_UPDATES = 40
#: Seeds spread by a point or two: a run that lies ten points behind is no part of a normal spread.
FAR_BEHIND = 0.1


@dataclass(frozen=True)
class Standing:
    """One recipe's place."""

    #: 1 for the best mean validation accuracy; None for leaky recipes, those on another split, those without
    #: predictions on the validation split and those that were hardly trained, which are never ranked.
    rank: int | None
    recipe: Recipe  #: The recipe.
    runs: tuple[ScoredRun, ...]  #: Its finished runs, by seed.
    measures: Mapping[str, Spread]  #: Mean and spread over these runs, by the names of ``MEASURES``.
    worst_class: int  #: Index of the class with the lowest mean recall on the test split.
    worst_recall: Spread  #: That recall over the runs.

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the runs, ascending."""
        return tuple(run.spec.seed for run in self.runs)

    @property
    def unconverged(self) -> int:
        """Number of runs whose best epoch is the last one."""
        return sum(not run.converged for run in self.runs)

    @property
    def learned_nothing(self) -> tuple[int, ...]:
        """Seeds of the runs that are no better on validation than always answering with its most frequent class."""
        return tuple(run.spec.seed for run in self.runs if not _above_majority(run))

    @property
    def far_behind(self) -> tuple[int, ...]:
        """Seeds of the runs whose validation accuracy lies more than ``FAR_BEHIND`` below the runs' median."""
        scores = [run.validation.accuracy for run in self.runs]
        return tuple(run.spec.seed for run in self.runs if run.validation.accuracy < np.median(scores) - FAR_BEHIND)

    @property
    def hardly_trained(self) -> bool:
        """See the function of that name."""
        return hardly_trained(self.runs)


def hardly_trained(runs: Iterable[ScoredRun]) -> bool:
    """Tell whether most of a recipe's runs learned nothing, or made fewer updates than ``FEWEST_UPDATES``.

    A single run that learned nothing stays: leaving it out would flatter the recipe. How imported predictions were
    made is not known.
    """
    trained = [run for run in runs if not run.record.imported]
    bad = sum(
        not _above_majority(run) or bool(run.record.history and run.record.history[-1].updates < FEWEST_UPDATES)
        for run in trained
    )
    return 2 * bad > len(trained) > 0


def leaderboard(runs: Iterable[ScoredRun], naming: Naming) -> list[Standing]:
    """Rank recipes by mean validation accuracy, then by validation loss.

    Those that have no rank (``Standing.rank``) follow in table order.
    """
    groups: dict[Recipe, list[ScoredRun]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (naming.order(naming.of(run.record)), run.spec.seed)):
        groups[naming.of(run.record)].append(run)
    ranked: list[Standing] = []
    apart: list[Standing] = []
    for recipe, group in groups.items():
        fit = all(run.record.on_own_test and run.on_validation and not is_leaky(run.record) for run in group)
        (ranked if fit and not hardly_trained(group) else apart).append(_standing(recipe, group))
    ranked.sort(key=_quality)
    return [replace(one, rank=place) for place, one in enumerate(ranked, start=1)] + apart


def _above_majority(run: ScoredRun) -> bool:
    support = run.validation.support
    return not support.any() or run.validation.accuracy > support.max() / support.sum()


def _standing(recipe: Recipe, runs: list[ScoredRun]) -> Standing:
    measures = {name: Spread.of(measure(run) for run in runs) for name, measure in MEASURES.items()}
    recalls = np.stack([run.test.recall for run in runs])
    worst = int(np.nanargmin(recalls.mean(axis=0)))
    return Standing(None, recipe, tuple(runs), measures, worst, Spread.of(recalls[:, worst]))


def _quality(standing: Standing) -> tuple[float, float]:
    loss = standing.measures["validation_log_loss"].mean
    return (-(standing.measures["validation_accuracy"].mean or 0.0), float("inf") if loss is None else loss)


def pareto_front(score: ArrayLike, cost: ArrayLike) -> NDArray[np.bool_]:
    """Tell which points are on the front: none other scores at least as high at no more cost and better in one of them.

    Scores and costs are (points,), the result is bool (points,). Points that are equal in both stay together; a point
    without score or cost (nan) is never on the front.

    >>> pareto_front([0.6, 0.7, 0.65], [1.0, 2.0, 3.0]).tolist()
    [True, True, False]
    """
    scores, costs = np.asarray(score, dtype=np.float64), np.asarray(cost, dtype=np.float64)
    no_worse = (scores[None, :] >= scores[:, None]) & (costs[None, :] <= costs[:, None])
    better = (scores[None, :] > scores[:, None]) | (costs[None, :] < costs[:, None])
    return ~(no_worse & better).any(axis=1) & np.isfinite(scores) & np.isfinite(costs)
