"""Label errors: labels that held-out predictions contradict, ranked by confident learning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError


@dataclass(frozen=True)
class RankedLabels:
    """What predictions say about labels; images are counted as they were passed.

    Attributes:
        rows: int64 (suspected,), images whose label is contradicted with confidence, most suspicious first.
        suggested: int64 (suspected,), the class that each of them is predicted as.
        margin: float64 (suspected,), probability of the given class less that of the most probable other, -1..1.
        joint: float64 (classes, classes), estimated shares of images by given label (rows) and true class (columns).
        thresholds: float64 (classes,), mean probability of a class over the images labelled so; nan without images.
    """

    rows: NDArray[np.int64]
    suggested: NDArray[np.int64]
    margin: NDArray[np.float64]
    joint: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    @property
    def noise(self) -> float:
        """Return the estimated share of wrong labels; the networks' own errors raise it."""
        return float(1 - np.trace(self.joint))


def rank_labels(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> RankedLabels:
    """Rank labels by how confidently held-out predictions contradict them.

    Confident learning, Northcutt, Jiang and Chuang, J. Artif. Intell. Res. 70, 2021, 1373-1411
    (https://arxiv.org/abs/1911.00068), section 3: an image counts for a class where its probability reaches that
    class's mean over the images labelled so, which allows for classes that a network is less sure of; among several it
    counts for the most probable one. Counts by given label and confident class, scaled to the number of labels, are
    the estimated joint distribution. Images off its diagonal whose label is not the most probable class either are
    suspected (the paper's method 2, as cleanlab has it) and ranked by their normalised margin.

    Args:
        labels: int64 (n,), given labels.
        probabilities: float (n, classes), predicted by networks that were not trained on these images.

    Raises:
        UsageError: no images, shapes that differ, or probabilities that are not finite.
    """
    n, classes = probabilities.shape
    if n == 0 or n != len(labels) or not np.isfinite(probabilities).all():
        raise UsageError(
            f"suspicion needs one row of finite probabilities a label, got {n} rows for {len(labels)} labels. "
            "Leave out networks that diverged."
        )
    probabilities = probabilities.astype(np.float64)
    every = np.arange(n)
    support = np.bincount(labels, minlength=classes)
    own = probabilities[every, labels]
    with np.errstate(invalid="ignore"):
        thresholds = np.bincount(labels, weights=own, minlength=classes) / support
    confident = probabilities >= np.where(np.isnan(thresholds), np.inf, thresholds) - 1e-12
    counted = confident.any(axis=1)
    answers = np.where(confident, probabilities, -1.0).argmax(axis=1)
    counts = np.zeros((classes, classes))
    np.add.at(counts, (labels[counted], answers[counted]), 1)
    others = probabilities.copy()
    others[every, labels] = -np.inf
    margin = own - others.max(axis=1)
    suspected = np.flatnonzero(counted & (answers != labels) & (margin < 0))
    suspected = suspected[np.lexsort((suspected, margin[suspected]))].astype(np.int64)
    return RankedLabels(suspected, answers[suspected], margin[suspected], _calibrated(counts, support), thresholds)


def _calibrated(counts: NDArray[np.float64], support: NDArray[np.int64]) -> NDArray[np.float64]:
    """Scale each row to its label's share; a label without any confident image is taken to be right."""
    sums = counts.sum(axis=1, keepdims=True)
    rows = np.divide(counts, sums, out=np.eye(len(counts)), where=sums > 0)
    joint: NDArray[np.float64] = rows * support[:, None] / support.sum()
    return joint
