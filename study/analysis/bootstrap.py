"""Network statements: these trained networks on new images, by resampling images or duplicate groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.analysis.clusters import Clusters
from study.analysis.contrasts import LEVEL
from study.analysis.influence import contributions, metric_of_sums
from study.errors import UsageError

DRAWS = 2000


@dataclass(frozen=True)
class Resampled:
    """A network's metric, or the difference of two networks', with its percentile interval over new images.

    Attributes:
        value: On the images as they are.
        low: Lower end of the interval; nan where the metric is not defined.
        high: Upper end of the interval.
        p_value: Two-sided, for a difference of zero: twice the smaller share of draws on one side of zero, both ends
            counted (never exactly 0); nan for a single network.
        level: Coverage of the interval.
    """

    value: float
    low: float
    high: float
    p_value: float
    level: float


def bootstrap_weights(
    images: int, groups: ArrayLike | Clusters | None = None, draws: int = DRAWS, seed: int = 0
) -> NDArray[np.float32]:
    """Draw how often each image occurs in each resample; whole duplicate groups are drawn together.

    Draw the weights once and pass them to every comparison on the split: all are then paired on the same resamples.

    Args:
        images: Number of images.
        groups: (images,) ids equal for images of equal content, or None.
        draws: Number of resamples.
        seed: The same seed gives the same weights.

    Returns:
        float32 (draws, images).
    """
    clusters = Clusters.of(groups, images)
    generator = np.random.default_rng(seed)
    drawn = np.empty((draws, clusters.count), dtype=np.float32)
    for row in drawn:
        picked = generator.integers(clusters.count, size=clusters.count)
        row[:] = np.bincount(picked, minlength=clusters.count)
    return drawn[:, clusters.index]


def network_interval(
    metric: str,
    probabilities: NDArray[Any],
    labels: NDArray[Any],
    weights: NDArray[np.float32],
    class_index: int | None = None,
    level: float = LEVEL,
) -> Resampled:
    """Return one network's metric with a percentile bootstrap interval over new images.

    Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13; with duplicates the cluster bootstrap
    (Davison and Hinkley, "Bootstrap methods and their application", 1997, section 3.8). The ECE is biased upwards on
    every resample, so its interval leans upwards for a nearly calibrated network. An interval of no width (0 of 55
    found) is honest about resampling only: use ``proportion_interval`` there.

    Args:
        metric: One of ``influence.METRICS``.
        probabilities: (images, classes).
        labels: int (images,).
        weights: From ``bootstrap_weights``.
        class_index: The class, for the metrics of one class.
        level: Coverage of the interval.

    Raises:
        UsageError: an unknown metric or shapes that do not fit.
    """
    value, draws = _resample(metric, probabilities, labels, weights, class_index)
    low, high = _percentiles(draws, level) if np.isfinite(value) else (np.nan, np.nan)
    return Resampled(value, low, high, float("nan"), level)


def network_difference(
    metric: str,
    first: NDArray[Any],
    second: NDArray[Any],
    labels: NDArray[Any],
    weights: NDArray[np.float32],
    class_index: int | None = None,
    level: float = LEVEL,
) -> Resampled:
    """Return the first network's metric less the second's with a paired percentile bootstrap interval over new images.

    Both networks are scored on the same resamples, which is what pairs them; see ``network_interval``.

    Args:
        metric: One of ``influence.METRICS``.
        first: (images, classes).
        second: (images, classes), the same images.
        labels: int (images,).
        weights: From ``bootstrap_weights``.
        class_index: The class, for the metrics of one class.
        level: Coverage of the interval.

    Raises:
        UsageError: an unknown metric or shapes that do not fit.
    """
    values, draws = zip(*(_resample(metric, one, labels, weights, class_index) for one in (first, second)), strict=True)
    value, differences = values[0] - values[1], draws[0] - draws[1]
    if not np.isfinite(value):
        return Resampled(value, np.nan, np.nan, np.nan, level)
    low, high = _percentiles(differences, level)
    found = differences[np.isfinite(differences)]
    fewer = min(np.count_nonzero(found <= 0.0), np.count_nonzero(found >= 0.0))
    return Resampled(value, low, high, min(1.0, 2.0 * (fewer + 1) / (len(found) + 1)), level)


def _resample(
    metric: str,
    probabilities: NDArray[Any],
    labels: NDArray[Any],
    weights: NDArray[np.float32],
    class_index: int | None,
) -> tuple[float, NDArray[np.float64]]:
    from scipy.sparse import csr_matrix

    if probabilities.ndim != 2 or weights.shape[-1] != len(probabilities):
        raise UsageError(
            f"one network's probabilities (images, classes) and weights for the same images are needed, got "
            f"{probabilities.shape} and weights for {weights.shape[-1]}. Networks are not pooled over seeds."
        )
    added = contributions(metric, probabilities, labels)
    images = len(labels)
    matrix = csr_matrix((added.amount, (np.arange(images), added.cell)), shape=(images, added.cells))
    counts = weights.sum(axis=-1, dtype=np.float64)
    value = metric_of_sums(metric, np.asarray(matrix.sum(axis=0))[0], images, class_index)
    return float(value), metric_of_sums(metric, np.asarray(weights @ matrix), counts, class_index)


def _percentiles(draws: NDArray[np.float64], level: float) -> tuple[float, float]:
    tail = (1.0 - level) / 2.0
    low, high = np.nanquantile(draws, [tail, 1.0 - tail])
    return float(low), float(high)
