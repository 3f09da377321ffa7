"""A sketch: filled outlines and lines on many pictures at once, painted large and reduced so that edges are smooth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.datasets.synthetic.person import Array

SIDE_PX = 48
OVERSAMPLING = 4
# Fractional bits of the coordinates handed to OpenCV: whole numbers draw the same everywhere.
FRACTION_BITS = 4


@dataclass(frozen=True)
class Stroke:
    """One shape on every face: a filled outline, or a line where ``thickness`` is given."""

    points: NDArray[np.int32]
    grey: list[float]
    shown: list[bool]
    thickness: list[int] | None


class Sketch:
    """The strokes of n faces, in the order in which they are painted."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.strokes: list[Stroke] = []

    def fill(self, points: Array, grey: Array | float, shown: NDArray[np.bool_] | bool = True) -> None:
        """Add an outline (n, k, 2) in pixels, filled with a grey level (n,), 0..255."""
        self._add(points, grey, shown, None)

    def line(
        self, points: Array, grey: Array | float, width: Array | float, shown: NDArray[np.bool_] | bool = True
    ) -> None:
        """Add a line (n, k, 2) of a width (n,) in pixels."""
        thick = np.clip(np.rint(np.broadcast_to(width, self._count) * OVERSAMPLING), 1, 60).astype(int).tolist()
        self._add(points, grey, shown, thick)

    def _add(
        self, points: Array, grey: Array | float, shown: NDArray[np.bool_] | bool, thickness: list[int] | None
    ) -> None:
        fixed = np.rint(points * (OVERSAMPLING << FRACTION_BITS)).astype(np.int32)
        level = np.rint(np.clip(np.broadcast_to(grey, self._count), 0, 255)).tolist()
        self.strokes.append(Stroke(fixed, level, np.broadcast_to(shown, self._count).tolist(), thickness))

    def paint(self, background: Array) -> NDArray[np.uint8]:
        """Return the painted pictures, uint8 (n, 48, 48), on backgrounds of one grey level (n,) each."""
        import cv2

        big = SIDE_PX * OVERSAMPLING
        pictures = np.empty((self._count, SIDE_PX, SIDE_PX), np.uint8)
        canvas = np.empty((big, big), np.uint8)
        levels = np.rint(np.clip(background, 0, 255)).astype(np.uint8)
        for row in range(self._count):
            canvas[:] = levels[row]
            for stroke in self.strokes:
                if not stroke.shown[row]:
                    continue
                points = [stroke.points[row]]
                if stroke.thickness is None:
                    cv2.fillPoly(canvas, points, stroke.grey[row], cv2.LINE_8, FRACTION_BITS)
                else:
                    cv2.polylines(
                        canvas, points, False, stroke.grey[row], stroke.thickness[row], cv2.LINE_8, FRACTION_BITS
                    )
            cv2.resize(canvas, (SIDE_PX, SIDE_PX), dst=pictures[row], interpolation=cv2.INTER_AREA)
        return pictures
