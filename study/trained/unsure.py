"""Below which probability an answer is unsure: chosen on the validation split, so that the answers left are right."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def unsure_threshold(probabilities: ArrayLike, labels: ArrayLike, share_right: float) -> float:
    """Return the lowest probability from which on answers are right in a share of all cases.

    An answer is the most probable class. Of the answers at or above the threshold at least ``share_right`` are right;
    no lower threshold has that property.

    Args:
        probabilities: float (n, classes), of images whose labels are known.
        labels: int (n,), their classes.
        share_right: 0..1.

    Returns:
        0..1; 0 where all answers can be kept. Above 1 where no threshold is high enough: every answer is unsure.

    >>> unsure_threshold([[0.9, 0.1], [0.4, 0.6], [0.55, 0.45]], [0, 1, 1], share_right=0.8)
    0.6
    """
    given = np.asarray(probabilities, np.float64)
    sureness = given.max(axis=1)
    right = given.argmax(axis=1) == np.asarray(labels)
    order = np.argsort(-sureness, kind="stable")
    sureness = sureness[order]
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # Answers of one probability are kept or left together: only the last of them can be where the line is drawn.
    last = np.append(sureness[1:] < sureness[:-1], True)
    (enough,) = np.nonzero(last & (shares >= share_right))
    if len(enough) == 0:
        return float(np.nextafter(1.0, 2.0))
    return 0.0 if enough[-1] == len(order) - 1 else float(sureness[enough[-1]])
