"""Tools for drawing many faces at once: random numbers, and strokes that are painted large and reduced."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

UNIFORMS = 112
NORMALS = 176
SIDE_PX = 48
OVERSAMPLING = 4
# Fractional bits of the coordinates handed to OpenCV: whole numbers draw the same everywhere.
FRACTION_BITS = 4


class Dice:
    """Random columns for n faces (n,) of a set, each a stream of its own, however many are drawn at once.

    ``noise`` has so many normal numbers per face for texture and sensor noise.
    """

    def __init__(self, seed: int, faces: NDArray[np.int64], noise: int) -> None:
        n = len(faces)
        self._uniforms = np.empty((n, UNIFORMS))
        self._normals = np.empty((n, NORMALS))
        self.noise = np.empty((n, noise))
        for row, face in enumerate(faces.tolist()):
            generator = np.random.default_rng((seed, face))
            generator.random(out=self._uniforms[row])
            generator.standard_normal(out=self._normals[row])
            generator.standard_normal(out=self.noise[row])
        self._next_uniform = 0
        self._next_normal = 0

    def uniform(self, low: float, high: float) -> Array:
        """Return (n, 1) numbers, uniform in low..high."""
        column = self._uniforms[:, [self._next_uniform]]
        self._next_uniform += 1
        return low + (high - low) * column

    def chance(self, probability: float) -> NDArray[np.bool_]:
        """Return (n, 1) booleans, true with a probability."""
        return self.uniform(0.0, 1.0) < probability

    def normal(self, spread: float = 1.0, limit: float = 2.5) -> Array:
        """Return (n, 1) normal numbers, cut at ``limit`` standard deviations."""
        return spread * self.normals(1, limit)

    def normals(self, count: int, limit: float = 2.5) -> Array:
        """Return (n, count) standard normal numbers, cut at ``limit``."""
        start = self._next_normal
        if start + count > NORMALS:
            raise IndexError(f"only {NORMALS} normal numbers are drawn per face.")
        self._next_normal += count
        return np.clip(self._normals[:, start : start + count], -limit, limit)


def plainness(difficulty: float) -> float:
    """Return 1 at difficulty 0, falling to 0 at 0.5: how far a set is from real people towards posed pictograms.

    Very easy sets are for first looks, where a network gets a hundred updates and must still learn something.
    """
    return max(0.0, 1.0 - 2.0 * difficulty)


class Sketch:
    """The strokes of n faces, in the order in which they are painted."""

    def __init__(self, count: int) -> None:
        self._count = count
        #: Points, grey levels, where it is shown, and widths of each stroke; without widths it is a filled outline.
        self._strokes: list[tuple[NDArray[np.int32], list[float], list[bool], list[int] | None]] = []

    def fill(self, points: Array, grey: Array | float, shown: NDArray[np.bool_] | bool = True) -> None:
        """Add an outline (n, k, 2) in pixels, filled with a grey level (n, 1), 0..255."""
        self.line(points, grey, None, shown)

    def line(
        self, points: Array, grey: Array | float, width: Array | float | None, shown: NDArray[np.bool_] | bool = True
    ) -> None:
        """Add a line (n, k, 2) of a width (n, 1) in pixels."""
        fixed = np.rint(points * (OVERSAMPLING << FRACTION_BITS)).astype(np.int32)
        level = np.rint(np.clip(grey, 0, 255))
        thick = None if width is None else self._each(np.clip(np.rint(width * OVERSAMPLING), 1, 60).astype(int))
        self._strokes.append((fixed, self._each(level), self._each(shown), thick))

    def _each(self, value: Any) -> list[Any]:
        """Return a number for each face."""
        return np.broadcast_to(value, (self._count, 1)).ravel().tolist()

    def paint(self, background: Array) -> NDArray[np.uint8]:
        """Return the painted pictures, uint8 (n, 48, 48), on backgrounds of one grey level (n, 1) each."""
        import cv2

        big = SIDE_PX * OVERSAMPLING
        pictures = np.empty((self._count, SIDE_PX, SIDE_PX), np.uint8)
        canvas = np.empty((big, big), np.uint8)
        levels = np.rint(np.clip(background, 0, 255)).astype(np.uint8)
        for row in range(self._count):
            canvas[:] = levels[row]
            for points, grey, shown, width in self._strokes:
                if not shown[row]:
                    continue
                if width is None:
                    cv2.fillPoly(canvas, [points[row]], grey[row], cv2.LINE_8, FRACTION_BITS)
                else:
                    cv2.polylines(canvas, [points[row]], False, grey[row], width[row], cv2.LINE_8, FRACTION_BITS)
            cv2.resize(canvas, (SIDE_PX, SIDE_PX), dst=pictures[row], interpolation=cv2.INTER_AREA)
        return pictures
