"""What follows from the probabilities: log loss (nats), Brier score (0 to 2), expected calibration error (0 to 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.calibration import BINS, SMALLEST_PROBABILITY, confidence_bins
from study.analysis.metric import Array, Contributions, Metric, of_images, register


def _of_true(probabilities: NDArray[Any], labels: NDArray[Any]) -> Array:
    places = np.broadcast_to(labels, probabilities.shape[:-1])[..., None]
    return np.asarray(np.take_along_axis(probabilities, places, axis=-1)[..., 0], np.float64)


@of_images("log_loss", title="log loss", share=False, place=30)
def log_loss(probabilities: NDArray[Any], labels: NDArray[Any]) -> Array:
    """Return the negative logarithm of the true class's probability."""
    return np.asarray(-np.log(np.clip(_of_true(probabilities, labels), SMALLEST_PROBABILITY, 1.0)))


@of_images("brier", title="Brier score", share=False, on_leaderboard=False, place=40)
def brier(probabilities: NDArray[Any], labels: NDArray[Any]) -> Array:
    """Return the squared distance from the true class's corner."""
    squares = (probabilities.astype(np.float64) ** 2).sum(axis=-1)
    return np.asarray(squares - 2.0 * _of_true(probabilities, labels) + 1.0)


def _surplus(probabilities: NDArray[Any], labels: NDArray[Any]) -> Contributions:
    confidence = probabilities.max(axis=-1).astype(np.float64)
    right = probabilities.argmax(axis=-1) == labels
    return confidence_bins(confidence), right - confidence, BINS


def _error(sums: Array, images: Any) -> Array:
    return np.asarray(np.abs(sums).sum(axis=-1) / images)


def _error_slopes(sums: Array, images: Any) -> tuple[Array, Array]:
    return np.sign(sums) / images, -_error(sums, images) / images


_more: dict[str, Any] = {"confusion": False, "on_leaderboard": False, "place": 50}
register(Metric("ece", "expected calibration error", _surplus, _error, _error_slopes, **_more), __file__)
