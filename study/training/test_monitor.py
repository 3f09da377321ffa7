"""Test monitor: the test split predicted after every epoch, where a protocol says so; honest choices never see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.training.predict import Predictor

Weights = list[NDArray[Any]]


class TestMonitor:
    """Keeps what each epoch answered, in three bytes an image.

    The answer and the true class's probability are enough for accuracy, every score of the confusion matrix and the
    log loss of any epoch; all probabilities would be five times as large.

    Args:
        predictor: Inference with the network.
        images: uint8 (n, h, w, c), the images to be scored.
        labels: int64 (n,).
        keep_best: Whether to keep the weights of the epoch with the highest accuracy, the oracle's.
    """

    def __init__(
        self, predictor: Predictor, images: NDArray[np.uint8], labels: NDArray[np.int64], keep_best: bool
    ) -> None:
        self.predictor = predictor
        self.images = images
        self.labels = labels
        self.keep_best = keep_best
        self.answers: list[NDArray[np.uint8]] = []
        self.true: list[NDArray[np.float16]] = []
        self.best: Weights = []
        self.best_epoch = -1
        self._most_right = -1

    def look(self, epoch: int, weights: Callable[[], Weights]) -> None:
        """Predict with the network as it is after an epoch; ``weights`` is called where it is the best so far."""
        probabilities = self.predictor(self.images)
        answers = probabilities.argmax(axis=1).astype(np.uint8)
        self.answers.append(answers)
        self.true.append(probabilities[np.arange(len(self.labels)), self.labels].astype(np.float16))
        right = int((answers == self.labels).sum())
        if self.keep_best and right > self._most_right:
            self._most_right, self.best_epoch, self.best = right, epoch, weights()

    def state(self) -> dict[str, int]:
        """Return what a checkpoint needs beside ``arrays``, as JSON data."""
        return {"best_epoch": self.best_epoch, "most_right": self._most_right}

    def arrays(self) -> dict[str, list[NDArray[Any]]]:
        """Return the arrays that a checkpoint keeps."""
        return {"monitored_answers": [*self.answers], "monitored_true": [*self.true], "best_on_test": self.best}

    def restore(self, state: Mapping[str, int], arrays: Mapping[str, list[NDArray[Any]]]) -> None:
        """Go on from what ``state`` and ``arrays`` gave."""
        self.best_epoch, self._most_right = state["best_epoch"], state["most_right"]
        self.answers, self.true = list(arrays["monitored_answers"]), list(arrays["monitored_true"])
        self.best = arrays["best_on_test"]

    def by_epoch(self) -> dict[str, NDArray[Any]]:
        """Return the record's arrays: ``epoch_answers`` uint8 and ``epoch_true`` float16, each (epochs, images)."""
        return {"epoch_answers": np.stack(self.answers), "epoch_true": np.stack(self.true)}
