"""Scored runs: a done record together with what its stored predictions score."""

from __future__ import annotations

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from study.analysis.metrics import Scores, accuracy, no_scores, predicted, score
from study.core.errors import StoreError
from study.core.record import Record
from study.core.spec import Spec
from study.core.store import Store

#: Records as a store gives them, and their scores, by key and hash of the predictions, while the store is in use.
_SCORED: WeakKeyDictionary[Store, dict[tuple[str, str], tuple[Record, ScoredRun]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class ScoredRun:
    """One finished run and its scores.

    Attributes:
        record: The record with its predictions.
        validation: Scores on the validation split, by which runs are ranked; nan where imported predictions lack it.
        test: Scores on the test split.
        test_accuracy_flipped: Test accuracy of the mean of plain and mirrored probabilities; nan without.
        correct: bool (n test images,), which answers on the test split are right, in the data set's order.
    """

    record: Record
    validation: Scores
    test: Scores
    test_accuracy_flipped: float
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
    try:
        scores = {"validation": no_scores(classes)} | {
            split: score(arrays[f"{split}_labels"], arrays[f"{split}_probabilities"])
            for split in (record.imported.splits if record.imported else ("validation", "test"))
        }
        if not record.has_probabilities:
            scores = {split: replace(found, log_loss=float("nan")) for split, found in scores.items()}
        flipped = float("nan")
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
