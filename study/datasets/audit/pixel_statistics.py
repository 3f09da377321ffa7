"""Four numbers for each image that need no model: brightness, contrast, sharpness, and how even its grey levels are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.datasets.audit.near_duplicates import grey_levels

NEARLY_CONSTANT = 2.0
"""Contrast in grey levels below which an image shows nothing."""

_IMAGES = 1024
_LEVELS = 256
_FEWEST_LEVELS = 8


@dataclass(frozen=True)
class PixelMeasures:
    """One number for each image; all are taken from its grey levels.

    Attributes:
        brightness: float64 (n,), mean grey level, 0..255.
        contrast: float64 (n,), standard deviation of the grey levels, 0..127.5; 0 for a constant image.
        sharpness: float64 (n,), root mean square of the Laplacian over the contrast, so that it does not depend on
            the latter; nan where the image is nearly constant.
        unevenness: float64 (n,), how far grey levels are from being equally frequent, 0..1; histogram equalisation
            brings it near 0; nan where the image is nearly constant or has few levels.
    """

    brightness: NDArray[np.float64]
    contrast: NDArray[np.float64]
    sharpness: NDArray[np.float64]
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


def measure_pixels(images: NDArray[np.uint8]) -> PixelMeasures:
    """Measure uint8 (n, height, width, channels), at least 3 pixels high and wide."""
    found = np.empty((4, len(images)), np.float64)
    for start in range(0, len(images), _IMAGES):
        grey = grey_levels(images[start : start + _IMAGES])
        contrast = _contrast(grey)
        shown = contrast >= NEARLY_CONSTANT
        found[:, start : start + _IMAGES] = (
            grey.mean(axis=(1, 2)),
            contrast,
            np.divide(_detail(grey), contrast, out=np.full(len(grey), np.nan), where=shown),
            np.where(shown, _unevenness(grey), np.nan),
        )
    return PixelMeasures(*found)


def _contrast(grey: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the standard deviation, exactly 0 where all grey levels are equal."""
    flat = grey.max(axis=(1, 2)) == grey.min(axis=(1, 2))
    return np.where(flat, 0.0, grey.std(axis=(1, 2), dtype=np.float64))


def _detail(grey: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the root mean square of the Laplacian, without the border."""
    middle = grey[:, 1:-1, 1:-1]
    around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    detail: NDArray[np.float64] = np.sqrt(np.square(4 * middle - around).mean(axis=(1, 2), dtype=np.float64))
    return detail


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
