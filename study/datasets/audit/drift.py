"""Drift: how far splits differ in their classes, and in four numbers for each image that need no model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.core.spec import SPLITS
from study.datasets.audit.near_duplicates import grey_levels
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
NEARLY_CONSTANT = 2.0
"""Contrast in grey levels below which an image shows nothing."""

_IMAGES = 1024
_LEVELS = 256
_FEWEST_LEVELS = 8


@dataclass(frozen=True)
class PixelMeasures:
    """One number for each image; all are taken from its grey levels."""

    brightness: NDArray[np.float64]  #: float64 (n,), mean grey level, 0..255.
    #: float64 (n,), standard deviation of the grey levels, 0..127.5; 0 for a constant image.
    contrast: NDArray[np.float64]
    #: float64 (n,), root mean square of the Laplacian over the contrast, so that it does not depend on the latter; nan
    #: where the image is nearly constant.
    sharpness: NDArray[np.float64]
    #: float64 (n,), how far grey levels are from being equally frequent, 0..1; histogram equalisation brings it near 0;
    #: nan where the image is nearly constant or has few levels.
    unevenness: NDArray[np.float64]

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Tell which images have one grey level only."""
        flat: NDArray[np.bool_] = self.contrast == 0
        return flat

    @property
    def nearly_constant(self) -> NDArray[np.bool_]:
        """Tell which images show nothing without being constant."""
        return (self.contrast > 0) & (self.contrast < NEARLY_CONSTANT)


@dataclass(frozen=True)
class ClassDrift:
    """Pearson's chi-square test that a split draws its classes as train does; Cramer's V, 0..1, is its effect size."""

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
    """One of ``MEASURES`` of a split's images compared with that of train's by ranks (Mann-Whitney)."""

    measure: str
    split: str
    train_median: float
    median: float
    delta: float  #: Cliff's delta, -1..1: P(a training image's value is greater) - P(it is smaller).
    p_value: float  #: Of the hypothesis that neither tends to be greater.

    @property
    def large(self) -> bool:
        """Tell whether the splits differ enough to be warned of."""
        return self.p_value < SURE and abs(self.delta) >= LARGE_DELTA


def measure_pixels(images: NDArray[np.uint8]) -> PixelMeasures:
    """Measure uint8 (n, height, width, channels), at least 3 pixels high and wide."""
    found = np.empty((4, len(images)), np.float64)
    for start in range(0, len(images), _IMAGES):
        grey = grey_levels(images[start : start + _IMAGES])
        flat = grey.max(axis=(1, 2)) == grey.min(axis=(1, 2))
        contrast = np.where(flat, 0.0, grey.std(axis=(1, 2), dtype=np.float64))  # the deviation may miss 0 by rounding
        around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
        laplacian = np.sqrt(np.square(4 * grey[:, 1:-1, 1:-1] - around).mean(axis=(1, 2), dtype=np.float64))
        shown = contrast >= NEARLY_CONSTANT
        found[:, start : start + _IMAGES] = (
            grey.mean(axis=(1, 2)),
            contrast,
            np.divide(laplacian, contrast, out=np.full(len(grey), np.nan), where=shown),
            np.where(shown, _unevenness(grey), np.nan),
        )
    return PixelMeasures(*found)


def _unevenness(grey: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how far the levels between the darkest and the brightest that occur are from being equally frequent.

    It is the Kolmogorov-Smirnov distance from equal frequency, taken where levels occur and forgiving steps at them:
    equalisation leaves gaps. The darkest and the brightest level are left out, because black and white backgrounds
    stay large single steps.
    """
    n, height, width = grey.shape
    levels = np.rint(grey).astype(np.int64).reshape(n, -1) + _LEVELS * np.arange(n)[:, None]
    counts = np.bincount(levels.ravel(), minlength=_LEVELS * n).reshape(n, _LEVELS)
    each = np.arange(n)
    for ends in (counts, counts[:, ::-1]):
        ends[each, (ends > 0).argmax(axis=1)] = 0
    occurs = counts > 0
    lowest = occurs.argmax(axis=1)[:, None]
    span = _LEVELS - occurs[:, ::-1].argmax(axis=1)[:, None] - lowest
    even = (np.arange(_LEVELS)[None] - lowest) / span
    with np.errstate(invalid="ignore"):
        reached = counts.cumsum(axis=1) / counts.sum(axis=1, keepdims=True)
        before = reached - counts / counts.sum(axis=1, keepdims=True)
    apart = np.maximum(even - reached, before - even - 1 / span)
    distance: NDArray[np.float64] = np.where(occurs, np.maximum(apart, 0), 0).max(axis=1)
    return np.where(occurs.sum(axis=1) < _FEWEST_LEVELS, np.nan, distance)


def class_drifts(data: ImageSet) -> list[ClassDrift]:
    """Compare the class shares of validation and test with train's, over the classes that either has."""
    from scipy.stats import chi2_contingency

    counts = data.counts()
    found = []
    for split in SPLITS[1:]:
        table = np.array([counts["train"], counts[split]])
        table = table[:, table.sum(axis=0) > 0]
        chi_square, p_value, freedom, _ = chi2_contingency(table, correction=False)
        v = float(np.sqrt(chi_square / table.sum()))  # of two rows: the smaller dimension less one is 1
        found.append(ClassDrift(split, float(chi_square), int(freedom), float(p_value), v))
    return found


def pixel_drifts(data: ImageSet, measures: PixelMeasures) -> list[PixelDrift]:
    """Compare every measure of validation and test with train's; images that have none are left out."""
    from scipy.stats import mannwhitneyu

    found = []
    for split in SPLITS[1:]:
        for name in MEASURES:
            values: NDArray[np.float64] = getattr(measures, name)
            train, other = (_known(values[data.indices(one)]) for one in ("train", split))
            if not len(train) or not len(other):
                continue
            statistic, p_value = mannwhitneyu(train, other, method="asymptotic")
            delta = 2 * float(statistic) / (len(train) * len(other)) - 1
            p_value = 1.0 if np.isnan(p_value) else float(p_value)  # all values equal
            found.append(PixelDrift(name, split, float(np.median(train)), float(np.median(other)), delta, p_value))
    return found


def equalised(data: ImageSet, measures: PixelMeasures) -> list[str]:
    """Return the splits whose images have been histogram-equalised, judged by their grey levels."""
    values = {split: _known(measures.unevenness[data.indices(split)]) for split in SPLITS}
    return [split for split, found in values.items() if len(found) and np.median(found) < EVEN]


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]
