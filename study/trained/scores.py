"""What one network scores on any labelled images, with the study's own intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import ArrayLike, NDArray

from study.analysis.recipes import Recipe
from study.analysis.runs import ScoredRun, score_run
from study.analysis.scores import Measure, Scores, Statement
from study.core.errors import StoreError
from study.core.record import Record
from study.core.store import DATASET_FILE, Store, rows_of

#: What is said of a network as a whole, by the metric's name.
OVERALL: Mapping[str, str] = {
    "accuracy": "accuracy, %",
    "balanced_accuracy": "balanced accuracy, %",
    "macro_f1": "macro-F1, %",
    "log_loss": "log loss, nats",
    "ece": "expected calibration error, %",
}
BY_CLASS = ("precision", "recall", "f1")


class NetworkScores:
    """What a network's test predictions score; intervals are over new images, copies of one image counted as one.

    Groups (images,) are equal for images of equal content, or None where that is not known.
    """

    def __init__(self, run: ScoredRun, groups: ArrayLike | None) -> None:
        self.run = run
        self._recipe = Recipe(*run.spec.recipe)
        self._scores = Scores({self._recipe: [run]}, groups)

    def score(self, metric: str, class_index: int | None = None) -> Statement:
        """Return a registered metric; ``class_index`` for those of one class."""
        return self._scores.score(self._recipe, Measure(metric, class_index))

    def interval(self, metric: str) -> tuple[float, float, float]:
        """Return a metric with the ends of its interval."""
        found = self.score(metric)
        return float(found.value), float(found.low), float(found.high)


def stored_scores(store: Store, record: Record) -> NetworkScores:
    """Return a run's scores on its test split, from the stored predictions.

    Raises:
        StoreError: they are missing or damaged.
    """
    run = score_run(store.load_arrays(record))
    dataset = store.find_dataset()
    if dataset is None or not record.on_own_test:
        return NetworkScores(run, None)
    test = rows_of(dataset["splits"], "test")
    if len(test) != len(run.correct):
        raise StoreError(
            f"{record.key} has {len(run.correct)} answers on the test split, {store.folder / DATASET_FILE} "
            f"{len(test)} images: remove the file and run the study once with its dataset at hand."
        )
    return NetworkScores(run, dataset["hashes"][test])


def validation_scores(store: Store, record: Record) -> NetworkScores:
    """Return a run's scores on its validation split, from the stored predictions; copies count as one if known."""
    arrays, dataset = store.load_arrays(record).arrays, store.find_dataset()
    labels = arrays["validation_labels"]
    hashes = np.arange(len(labels))
    if dataset is not None and "validation_indices" not in arrays:
        hashes = dataset["hashes"][rows_of(dataset["splits"], "validation")]
    return scores_on(store, record, labels, arrays["validation_probabilities"], hashes)


def scores_on(
    store: Store, record: Record, labels: NDArray[Any], probabilities: NDArray[Any], hashes: NDArray[Any]
) -> NetworkScores:
    """Return a run's scores on other images: probabilities float32 (n, classes) for labels int64 (n,) in its classes.

    Hashes (n,) are equal for images of equal content.
    """
    stored = store.load_arrays(record).arrays
    validation = {name: array for name, array in stored.items() if name.startswith("validation_")}
    answers = {"test_labels": labels, "test_probabilities": probabilities, "test_flipped": probabilities}
    return NetworkScores(score_run(replace(record, arrays=validation | answers)), hashes)
