"""Scored runs: what predicted probabilities score, and done records together with what theirs do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from study.analysis.calibration import SMALLEST_PROBABILITY
from study.core.errors import StoreError
from study.core.record import Record
from study.core.spec import Spec
from study.core.store import Store

#: Records as a store gives them, and their scores, by key and hash of the predictions, while the store is in use.
_SCORED: WeakKeyDictionary[Store, dict[tuple[str, str], tuple[Record, ScoredRun]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class SplitScores:
    """What one network scores on one split; arrays are in class order."""

    accuracy: float  #: Share of right answers, 0..1.
    balanced_accuracy: float  #: Mean recall over the classes that have images.
    macro_f1: float  #: Mean F1 over the classes that have images.
    log_loss: float  #: Mean negative logarithm of the true class's probability; nan where probabilities are not finite.
    #: float64 (classes,); 0 where a class is never predicted, nan where it has no images.
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]  #: float64 (classes,); nan where a class has no images.
    f1: NDArray[np.float64]  #: float64 (classes,); nan where a class has no images.
    support: NDArray[np.int64]  #: int64 (classes,), images of each class.
    confusion: NDArray[np.int64]  #: int64 (classes, classes), rows are true classes and columns predicted ones.

    @property
    def worst_class(self) -> int:
        """Index of the class with the lowest recall (the first of equals) among the classes that have images."""
        return int(np.nanargmin(self.recall))


def predicted(probabilities: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the most probable class (int64, (n,)); the first of equals."""
    return np.asarray(np.argmax(probabilities, axis=1), np.int64)


def accuracy(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> float:
    """Return the share of images whose most probable class is the true one, 0..1.

    >>> accuracy(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
    0.6666666666666666
    """
    return float(np.mean(predicted(probabilities) == labels))


def log_loss(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> float:
    """Return the mean negative logarithm of the true class's probability; nan where probabilities are not finite.

    >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])), 4)
    0.6931
    """
    if not np.isfinite(probabilities).all():
        return float("nan")
    rows = np.asarray(probabilities, dtype=np.float64)
    true_class = rows[np.arange(len(labels)), labels] / rows.sum(axis=1)
    return float(-np.mean(np.log(np.clip(true_class, SMALLEST_PROBABILITY, 1.0))))


def score(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> SplitScores:
    """Score predictions: probabilities float (n, classes), whose rows sum to 1, for labels int64 (n,), n >= 1.

    Raises:
        ValueError: shapes do not match, or there are no images.

    >>> found = score(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]))
    >>> found.confusion.tolist(), found.balanced_accuracy
    ([[1, 1], [0, 1]], 0.75)
    """
    if len(labels) == 0 or len(labels) != len(probabilities):
        raise ValueError(f"scores need one row of probabilities a label, got {len(labels)} and {len(probabilities)}.")
    classes = np.arange(probabilities.shape[1])
    answers = predicted(probabilities)
    confusion = np.bincount(labels * len(classes) + answers, minlength=len(classes) ** 2).reshape(len(classes), -1)
    support = confusion.sum(axis=1)
    present = support > 0
    # By hand: scikit-learn's function gives the same numbers, but takes seconds to import and for a hundred runs.
    hits, answered = confusion.diagonal(), confusion.sum(axis=0)
    precision = hits / np.maximum(1, answered)
    recall = hits / np.maximum(1, support)
    f1 = 2.0 * hits / np.maximum(1, support + answered)
    return SplitScores(
        accuracy=float(np.mean(answers == labels)),
        balanced_accuracy=float(recall[present].mean()),
        macro_f1=float(f1[present].mean()),
        log_loss=log_loss(labels, probabilities),
        precision=np.where(present, precision, np.nan),
        recall=np.where(present, recall, np.nan),
        f1=np.where(present, f1, np.nan),
        support=support.astype(np.int64),
        confusion=confusion.astype(np.int64),
    )


@dataclass(frozen=True)
class ScoredRun:
    """One finished run and its scores."""

    record: Record  #: The record with its predictions.
    #: Scores on the validation split, by which runs are ranked; nan where imported predictions lack it.
    validation: SplitScores
    test: SplitScores  #: Scores on the test split.
    test_accuracy_flipped: float  #: Test accuracy of the mean of plain and mirrored probabilities; nan without.
    #: bool (n test images,), which answers on the test split are right, in the data set's order.
    correct: NDArray[np.bool_]

    @property
    def spec(self) -> Spec:
        """What was run."""
        return self.record.spec

    @property
    def on_validation(self) -> bool:
        """False where imported predictions lack the validation split: such a run cannot be ranked."""
        return "validation_probabilities" in self.record.arrays

    @property
    def converged(self) -> bool:
        """False where the best epoch is the last one."""
        return self.record.outcome is None or self.record.outcome.converged


def score_run(record: Record) -> ScoredRun:
    """Score a done record that carries its arrays.

    Raises:
        StoreError: the arrays are missing or do not fit each other or the classes.
    """
    arrays = record.arrays
    classes = len(record.dataset.classes)
    nan, nothing = float("nan"), np.full(classes, np.nan)
    counts = np.zeros((classes, classes), np.int64)
    # Of a split that was not predicted.
    none = SplitScores(nan, nan, nan, nan, nothing, nothing, nothing, counts[0], counts)
    try:
        scores = {"validation": none} | {
            split: score(arrays[f"{split}_labels"], arrays[f"{split}_probabilities"])
            for split in (record.imported.splits if record.imported else ("validation", "test"))
        }
        if not record.has_probabilities:
            scores = {split: replace(found, log_loss=nan) for split, found in scores.items()}
        flipped = nan
        if "test_flipped" in arrays:
            flipped = accuracy(arrays["test_labels"], arrays["test_probabilities"] + arrays["test_flipped"])
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise StoreError(f"the predictions of {record.key} do not fit its labels ({error}). Run it again.") from error
    if scores["test"].support.shape != (classes,):
        found = scores["test"].support.size
        raise StoreError(f"the predictions of {record.key} must have {classes} classes, found {found}. Run it again.")
    return ScoredRun(
        record=record,
        validation=scores["validation"],
        test=scores["test"],
        test_accuracy_flipped=flipped,
        correct=predicted(arrays["test_probabilities"]) == arrays["test_labels"],
    )


def scored_runs(store: Store, records: list[Record]) -> list[ScoredRun]:
    """Load and score every done record among ``records``, in their order; what a store holds is scored once."""
    known = _SCORED.setdefault(store, {})
    found = []
    for record in records:
        if record.status == "done":
            name = record.key, record.predictions_sha256
            if name not in known or known[name][0] is not record:
                known[name] = record, score_run(store.load_arrays(record))
            found.append(known[name][1])
    return found
