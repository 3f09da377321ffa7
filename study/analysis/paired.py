"""The paired interval of two trained networks' accuracies on the same images."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PairedDifference:
    """First minus second accuracy on the same images, in shares, with a normal interval over images."""

    difference: float
    low: float
    high: float

    @property
    def told_apart(self) -> bool:
        """True where the interval excludes zero."""
        return self.low > 0.0 or self.high < 0.0


def paired_difference(first: NDArray[np.bool_], second: NDArray[np.bool_], level: float = 0.95) -> PairedDifference:
    """Compare two networks, image by image.

    Args:
        first: bool (n,), which images the first network answers right, n >= 2.
        second: bool (n,), the same images for the second.
        level: Nominal coverage of the interval.

    Raises:
        ValueError: the two do not have the same length, or fewer than two images.
    """
    if first.shape != second.shape or first.size < 2:
        raise ValueError(
            f"a paired difference needs the same two or more images, got {first.shape} and {second.shape}."
        )
    differences = first.astype(np.float64) - second.astype(np.float64)
    half = NormalDist().inv_cdf(0.5 + level / 2) * differences.std(ddof=1) / np.sqrt(differences.size)
    mean = differences.mean()
    return PairedDifference(float(mean), float(mean - half), float(mean + half))
