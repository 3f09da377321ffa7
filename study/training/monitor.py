"""Monitor: the figures on the validation split that decide which epoch is kept, when to stop and when to slow down."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Probabilities are kept this far from zero in the log loss, as in Keras.
EPSILON = 1e-7


def log_loss(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the mean cross-entropy of probabilities (n, classes) against labels (n,)."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(chosen, EPSILON, 1.0)).mean())


def brier_score(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the mean Brier score: the squared distance between probabilities and one-hot labels, 0 to 2.

    One image adds at most 2/n to it, where the cross-entropy has no such bound. That matters while a pretrained
    BatchNormalization is frozen: a few images then have huge activations, are wrong with full confidence, and take the
    mean cross-entropy with them although nearly all others improve. Like the cross-entropy, and unlike accuracy, it is
    a proper scoring rule and changes smoothly from epoch to epoch. Source: Brier 1950, "Verification of forecasts
    expressed in terms of probability", Monthly Weather Review 78.

    Args:
        probabilities: float32 (n, classes), rows that sum to one.
        labels: int64 (n,), the true classes.

    >>> import numpy as np
    >>> brier_score(np.array([[0.5, 0.5], [0.0, 1.0]], np.float32), np.array([0, 0]))
    1.25
    """
    distance = probabilities.astype(np.float64)
    distance[np.arange(len(labels)), labels] -= 1.0
    return float((distance**2).sum(axis=1).mean())
