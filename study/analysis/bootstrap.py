"""Network statements: these trained networks on new images, by resampling images or duplicate groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.analysis.clusters import Clusters
from study.analysis.contrasts import LEVEL
from study.analysis.influence import PROBABILITY_METRICS, Contributions, contributions, metric_of_sums
from study.core.errors import UsageError

DRAWS = 2000
#: Resampled differences of accuracies are often equal to zero; what rounding leaves of that must not take a side.
ROUNDING = 1e-12


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


class Resamples:
    """How often each image occurs in each resample, laid out for summing.

    Args:
        weights: float32 (draws, images), from ``bootstrap_weights``.
    """

    def __init__(self, weights: NDArray[np.float32]) -> None:
        self.images = weights.shape[-1]
        #: float64 (draws,), the images in each resample, repeated draws counted.
        self.counts = weights.sum(axis=-1, dtype=np.float64)
        self._counts_of = np.ascontiguousarray(weights.T)
        self._weights_of = self._counts_of.astype(np.float64)

    def sums(self, added: Contributions, exact: bool) -> NDArray[np.float64]:
        """Return the sums of each cell in each resample, (draws, cells); ``exact`` where every amount is 1.

        The sparse product adds image after image in one order everywhere, so that reports agree to the last digit
        between machines, as sums by a linear algebra library do not. Counts are whole in float32 too, at half the time.
        """
        from scipy.sparse import csr_matrix

        weights = self._counts_of if exact else self._weights_of
        amounts = added.amount.astype(weights.dtype)
        cells = csr_matrix((amounts, (added.cell, np.arange(self.images))), shape=(added.cells, self.images))
        return np.ascontiguousarray((cells @ weights).T, dtype=np.float64)


class ResampledNetwork:
    """One trained network on every resample of the images; sums are taken once and serve all metrics.

    Args:
        probabilities: (images, classes).
        labels: int (images,).
        weights: From ``Resamples``, the same for all networks that are compared, which is what pairs them.

    Raises:
        UsageError: shapes that do not fit.
    """

    def __init__(self, probabilities: NDArray[Any], labels: NDArray[Any], weights: Resamples) -> None:
        if probabilities.ndim != 2 or weights.images != len(probabilities):
            raise UsageError(
                f"one network's probabilities (images, classes) and weights for the same images are needed, got "
                f"{probabilities.shape} and weights for {weights.images}. Networks are not pooled over seeds."
            )
        self._probabilities, self._labels, self._weights = probabilities, labels, weights
        self._sums: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}

    def metric(self, metric: str, class_index: int | None = None) -> tuple[float, NDArray[np.float64]]:
        """Return a metric on the images as they are and on every resample, float64 (draws,)."""
        kind = metric if metric in PROBABILITY_METRICS else "confusion"
        if kind not in self._sums:
            added = contributions(metric, self._probabilities, self._labels)
            whole = np.bincount(added.cell, weights=added.amount, minlength=added.cells)
            self._sums[kind] = whole, self._weights.sums(added, exact=kind == "confusion")
        whole, drawn = self._sums[kind]
        value = metric_of_sums(metric, whole, self._weights.images, class_index)
        return float(value), metric_of_sums(metric, drawn, self._weights.counts, class_index)


def network_contrast(
    metric: str,
    networks: Sequence[ResampledNetwork],
    coefficients: Sequence[float],
    class_index: int | None = None,
    level: float = LEVEL,
) -> Resampled:
    """Return a weighted sum of trained networks' metrics with a paired percentile bootstrap interval over new images.

    Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13; with duplicates the cluster bootstrap
    (Davison and Hinkley, "Bootstrap methods and their application", 1997, section 3.8). (1,) is one network's metric,
    (1, -1) the difference of two; seeds are fixed, so nothing is said about other seeds. The ECE is biased upwards on
    every resample, so its interval leans upwards for a nearly calibrated network. An interval of no width (0 of 55
    found) is honest about resampling only: use ``proportion_interval`` there.

    Args:
        metric: One of ``influence.METRICS``.
        networks: On the same resamples.
        coefficients: One for each network. Where they add up to zero there is a p-value.
        class_index: The class, for the metrics of one class.
        level: Coverage of the interval.

    Raises:
        UsageError: an unknown metric, or networks and coefficients that do not fit each other.
    """
    if not networks or len(networks) != len(coefficients):
        raise UsageError(f"a contrast needs one coefficient a network, got {len(networks)} and {len(coefficients)}.")
    found = [network.metric(metric, class_index) for network in networks]
    value = sum(weight * one for weight, (one, _) in zip(coefficients, found, strict=True))
    draws = sum(weight * many for weight, (_, many) in zip(coefficients, found, strict=True))
    return _summarised(value, np.asarray(draws), abs(sum(coefficients)) < 1e-9, level)


def network_gain(per_image: NDArray[Any], resamples: Resamples, level: float = LEVEL) -> Resampled:
    """Return the mean of a difference taken image by image, such as right with less right without, over new images.

    The same as ``network_contrast`` of the two accuracies, for one sum in place of many.

    Args:
        per_image: (images,), the difference on each image.
        resamples: Of the same images.
        level: Coverage of the interval.
    """
    one_cell = Contributions(np.zeros(len(per_image), dtype=np.int64), np.asarray(per_image, dtype=np.float64), 1)
    draws = resamples.sums(one_cell, exact=False)[:, 0] / resamples.counts
    return _summarised(float(np.mean(per_image)), draws, True, level)


def _summarised(value: float, draws: NDArray[np.float64], difference: bool, level: float) -> Resampled:
    defined = draws[np.isfinite(draws)]
    if not (np.isfinite(value) and len(defined)):
        return Resampled(value, np.nan, np.nan, np.nan, level)
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(defined, [tail, 1.0 - tail])
    p_value = float("nan")
    if difference:
        fewer = min(np.count_nonzero(defined <= ROUNDING), np.count_nonzero(defined >= -ROUNDING))
        p_value = min(1.0, 2.0 * (fewer + 1) / (len(defined) + 1))
    return Resampled(float(value), float(low), float(high), p_value, level)
