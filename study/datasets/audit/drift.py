"""Drift: how far the splits of an image set differ in their classes and in what their pixels are like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.core.spec import SPLITS
from study.datasets.audit.pixel_statistics import PixelMeasures
from study.datasets.image_set import ImageSet

MEASURES = ("brightness", "contrast", "sharpness", "unevenness")
SURE = 0.0001
"""Differences are warned of only below this p-value and above these effect sizes:"""
LARGE_DELTA = 0.33
"""Cliff's delta that counts as medium (Romano et al. 2006); the official split of FER-2013 stays below 0.01."""
LARGE_V = 0.1
"""Cramer's V that counts as small (Cohen 1988), enough to change accuracies; the official split has 0.02."""
EVEN = 0.05
"""Median unevenness below which a split is histogram-equalised; FER-2013 has 0.2, equalised copies 0.02 at most."""


@dataclass(frozen=True)
class ClassDrift:
    """Pearson's chi-square test that two splits draw their classes from one distribution.

    Attributes:
        split: The split compared with train.
        chi_square: The statistic.
        freedom: Degrees of freedom.
        p_value: Its p-value.
        cramers_v: Effect size, 0 (equal shares) to 1.
    """

    split: str
    chi_square: float
    freedom: int
    p_value: float
    cramers_v: float

    @property
    def large(self) -> bool:
        """Tell whether the shares differ enough to be warned of."""
        return self.p_value < SURE and self.cramers_v >= LARGE_V


@dataclass(frozen=True)
class PixelDrift:
    """One measure of two splits compared by ranks (Mann-Whitney).

    Attributes:
        measure: One of ``MEASURES``.
        split: The split compared with train.
        train_median: Median over the training images.
        median: Median over the split's images.
        delta: Cliff's delta, -1..1: P(a training image's value is greater) - P(it is smaller).
        p_value: Of the hypothesis that neither tends to be greater.
    """

    measure: str
    split: str
    train_median: float
    median: float
    delta: float
    p_value: float

    @property
    def large(self) -> bool:
        """Tell whether the splits differ enough to be warned of."""
        return self.p_value < SURE and abs(self.delta) >= LARGE_DELTA


def class_drifts(data: ImageSet) -> list[ClassDrift]:
    """Compare the class shares of validation and test with train's, over the classes that either has."""
    from scipy.stats import chi2_contingency

    counts = data.counts()
    found = []
    for split in SPLITS[1:]:
        table = np.array([counts["train"], counts[split]])
        table = table[:, table.sum(axis=0) > 0]
        if table.shape[1] < 2:
            found.append(ClassDrift(split, 0.0, 0, 1.0, 0.0))
            continue
        chi_square, p_value, freedom, _ = chi2_contingency(table, correction=False)
        v = float(np.sqrt(chi_square / table.sum()))  # of two rows: the smaller dimension less one is 1
        found.append(ClassDrift(split, float(chi_square), int(freedom), float(p_value), v))
    return found


def pixel_drifts(data: ImageSet, measures: PixelMeasures) -> list[PixelDrift]:
    """Compare every measure of validation and test with train's; images that have none are left out."""
    found = []
    for split in SPLITS[1:]:
        for name in MEASURES:
            values: NDArray[np.float64] = getattr(measures, name)
            train, other = (_known(values[data.indices(one)]) for one in ("train", split))
            if len(train) and len(other):
                found.append(_compare(name, split, train, other))
    return found


def equalised(data: ImageSet, measures: PixelMeasures) -> list[str]:
    """Return the splits whose images have been histogram-equalised, judged by their grey levels."""
    values = {split: _known(measures.unevenness[data.indices(split)]) for split in SPLITS}
    return [split for split, found in values.items() if len(found) and np.median(found) < EVEN]


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]


def _compare(name: str, split: str, train: NDArray[np.float64], other: NDArray[np.float64]) -> PixelDrift:
    from scipy.stats import mannwhitneyu

    statistic, p_value = mannwhitneyu(train, other, method="asymptotic")
    delta = 2 * float(statistic) / (len(train) * len(other)) - 1
    p_value = 1.0 if np.isnan(p_value) else float(p_value)  # all values equal
    return PixelDrift(name, split, float(np.median(train)), float(np.median(other)), delta, p_value)
