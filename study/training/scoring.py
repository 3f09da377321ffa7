"""Scoring: what a record keeps of a trained network's answers on the splits of its run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.datasets.image_set import ImageSet
from study.protocols.contamination import seen_in_training
from study.protocols.piece import Views
from study.protocols.splits import Splits
from study.training.predict import Predictor


class Scoring:
    """The images that one run is scored on.

    Args:
        data: The image set.
        splits: The run's splits.
        images: uint8 (samples, h, w, c), what the splits's numbers count: the set's images, then changed copies.
        labels: int64 (samples,).
        predictor: Inference with the network as it is when ``arrays`` is called.
        views: Views whose mean is predicted too, or None.

    Attributes:
        validation: uint8, the validation split's images.
        test: uint8, the scored images.
    """

    def __init__(
        self,
        data: ImageSet,
        splits: Splits,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64],
        predictor: Predictor,
        views: Views | None = None,
    ) -> None:
        self.splits = splits
        self.predictor = predictor
        self.views = views
        self.validation = np.ascontiguousarray(images[splits.validation])
        self.test = np.ascontiguousarray(images[splits.scored])
        self._labels = {"validation": labels[splits.validation], "test": labels[splits.scored]}
        self._fixed = _fixed_arrays(data, splits)
        self._claimed, self._claim = np.zeros((0, *images.shape[1:]), np.uint8), np.zeros(0, np.int64)
        if not np.array_equal(splits.test, splits.scored):
            different, self._claim = np.unique(splits.test, return_inverse=True)
            self._claimed = images[different]
            self._fixed["claim_indices"] = splits.test.astype(np.int32)
            self._fixed["claim_labels"] = labels[splits.test].astype(np.uint8)

    @property
    def predicted_images(self) -> int:
        """How many predictions one call of ``arrays`` makes."""
        each = 2 + (len(self.views.shifts(self.test.shape[1])) if self.views else 0)
        return each * (len(self.validation) + len(self.test)) + len(self._claimed)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Predict and return the record's arrays (see ``study.core.record.Record``)."""
        found: dict[str, NDArray[Any]] = dict(self._fixed)
        for name, images in (("validation", self.validation), ("test", self.test)):
            found[f"{name}_labels"] = self._labels[name]
            found[f"{name}_probabilities"] = self.predictor(images)
            found[f"{name}_flipped"] = self.predictor(images, mirrored=True)
            if self.views:
                found[f"{name}_views"] = predict_views(self.predictor, images, self.views)
        if len(self._claimed):
            found["claim_answers"] = self.predictor(self._claimed).argmax(axis=1).astype(np.uint8)[self._claim]
        return found


def predict_views(predictor: Predictor, images: NDArray[np.uint8], views: Views) -> NDArray[np.float32]:
    """Return the mean probabilities of all views of uint8 images (n, h, w, c), float32 (n, classes)."""
    shifts = views.shifts(images.shape[1])
    total = sum(predictor(shifted(images, down, right), mirrored=mirrored) for down, right, mirrored in shifts)
    mean: NDArray[np.float32] = np.asarray(total / len(shifts), np.float32)
    return mean


def shifted(images: NDArray[np.uint8], down: int, right: int) -> NDArray[np.uint8]:
    """Return images (n, h, w, c) whose pixel (y, x) is what was at (y + down, x + right); edges are repeated.

    >>> shifted(np.arange(3, dtype=np.uint8).reshape(1, 1, 3, 1), 0, 1).ravel().tolist()
    [1, 2, 2]
    """
    height, width = images.shape[1:3]
    rows = np.clip(np.arange(height) + down, 0, height - 1)
    columns = np.clip(np.arange(width) + right, 0, width - 1)
    return np.ascontiguousarray(images[:, rows][:, :, columns])


def _fixed_arrays(data: ImageSet, splits: Splits) -> dict[str, NDArray[Any]]:
    """Return where the scored images are in the set and what training saw of them, where the split is not the set's."""
    found: dict[str, NDArray[Any]] = {}
    if not np.array_equal(splits.validation, data.indices("validation")):
        found["validation_indices"] = splits.validation.astype(np.int32)
    if not np.array_equal(splits.scored, data.indices("test")):
        found["test_indices"] = splits.scored.astype(np.int32)
        found["test_seen"] = seen_in_training(data, splits)
    return found
