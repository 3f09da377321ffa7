"""The raw set: what a reader hands over before the split is settled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NO_SPLIT = 255
"""Split code of images that the source puts into no split."""

Allocate = Callable[[tuple[int, ...]], NDArray[np.uint8]]
"""Gives a writable uint8 array of a shape, in memory or in the cache that is being filled."""

Log = Callable[[str], None]


@dataclass(frozen=True)
class RawSet:
    """Images as a reader found them.

    Attributes:
        images: uint8 (n, side, side, channels), range 0..255.
        labels: int64 (n,), index into ``classes``.
        classes: Class names in label order.
        ids: str (n,), unique.
        given: uint8 (n,), index into ``study.core.spec.SPLITS``, or ``NO_SPLIT``.
        given_by: What the given split rests on, for the report's sentence about the split.
        claims_fer2013: True where the source uses FER-2013's own names for its splits.
        notes: Warnings for the person who reads results.
        left_out: One line, file and reason, for each file that could not be read.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    ids: NDArray[np.str_]
    given: NDArray[np.uint8]
    given_by: str
    claims_fer2013: bool
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def in_memory(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Allocate outside the cache."""
    return np.empty(shape, np.uint8)
