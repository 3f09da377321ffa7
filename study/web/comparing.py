"""Two runs side by side: what they score on the same test images, class by class, and where they disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.analysis.pairs import McNemar, mcnemar_exact
from study.analysis.runs import ScoredRun, predicted
from study.analysis.scores import ACCURACY, Measure, Scores, Statement
from study.analysis.statistics import CLASS_MEASURES
from study.core.errors import UsageError

FIRST_RIGHT, SECOND_RIGHT, BOTH_WRONG = "only the first is right", "only the second is right", "both wrong, differently"


@dataclass(frozen=True)
class Comparison:
    """What two trained networks score on the same test images."""

    accuracy: Statement  #: First less second, with the paired interval over new images.
    exact: McNemar  #: McNemar's test.
    #: First less second for each class, by measure of ``CLASS_MEASURES``.
    by_class: Mapping[str, tuple[Statement, ...]]
    confusion: NDArray[np.float64]  #: Difference of the shares (classes, classes), rows true; first less second.
    kinds: NDArray[np.str_]  #: For each test image what kind of disagreement it is; empty where the two agree.


def compare(scores: Scores, first: ScoredRun, second: ScoredRun) -> Comparison:
    """Compare two runs by the scores of their study, which know copies among the test images.

    Raises:
        UsageError: they do not answer the same test images.
    """
    if not (first.record.on_own_test and second.record.on_own_test):
        raise UsageError(
            "two runs are compared on the same test images; one of these was scored on a split of its own."
        )
    pair = [(first, 1.0), (second, -1.0)]
    classes = range(len(first.test.support))
    return Comparison(
        accuracy=scores.network_contrast(pair, ACCURACY),
        exact=mcnemar_exact(first.correct, second.correct, scores.clusters),
        by_class={
            measure: tuple(scores.network_contrast(pair, Measure(measure, place)) for place in classes)
            for measure in CLASS_MEASURES
        },
        confusion=shares(first.test.confusion) - shares(second.test.confusion),
        kinds=disagreements(first, second),
    )


def shares(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a confusion matrix whose rows sum to 1; rows without images are 0."""
    return np.asarray(confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True)), np.float64)


def disagreements(first: ScoredRun, second: ScoredRun) -> NDArray[np.str_]:
    """Return for each test image how two runs disagree; empty where they give one answer."""
    answers = [predicted(run.record.arrays["test_probabilities"]) for run in (first, second)]
    cases = [first.correct & ~second.correct, ~first.correct & second.correct, answers[0] != answers[1]]
    return np.select(cases, [FIRST_RIGHT, SECOND_RIGHT, BOTH_WRONG], default="")


def most_certain(runs: Sequence[ScoredRun], places: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return the test images among ``places`` on which the runs are the most certain together, at most ``most``."""
    certainty = sum(run.record.arrays["test_probabilities"][places].max(axis=1) for run in runs)
    return places[np.argsort(-np.asarray(certainty), kind="stable")[:most]]


def answer_words(run: ScoredRun, place: int, classes: Sequence[str]) -> str:
    """Return a run's answer to a test image: its class and how sure it is."""
    row = run.record.arrays["test_probabilities"][place]
    return f"{classes[int(row.argmax())]} {100 * float(row.max()):.0f} %"
