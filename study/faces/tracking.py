"""Faces from frame to frame: each keeps its number while it is seen, and moves on between the searches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from study.faces.faces import Box, square

#: How much of the difference between what was foreseen and what was found a track takes over, of place, velocity and
#: size: detectors tremble by some pixels, and more in size than in place.
PLACE_GAIN, VELOCITY_GAIN, SIZE_GAIN = 0.7, 0.3, 0.4
#: A found face can be a track's if its middle is within this many sides and its size within this factor.
REACH_SIDES, SIZE_FACTOR = 0.75, 1.7
#: A face is taken for one when it was found twice, and forgotten when it was missed this often in a row.
CONFIRMED_AFTER, LOST_AFTER = 2, 6
#: A face that is not found is not carried further than this.
COAST_S = 0.4


@dataclass
class Track:
    """One face.

    Attributes:
        x: Column of its middle in pixels, when it was found last; so ``y``.
        y: Row of its middle.
        side: Side of its square in pixels.
        time_s: When it was found last.
        velocity_x: Pixels a second; so ``velocity_y``.
        velocity_y: Pixels a second.
        number: Its number, from 1; 0 until it is confirmed.
        hits: How often it was found.
        misses: How often it was searched and not found since.
    """

    x: float
    y: float
    side: float
    time_s: float
    velocity_x: float = 0.0
    velocity_y: float = 0.0
    number: int = 0
    hits: int = 1
    misses: int = 0

    def at(self, time_s: float) -> Box:
        """Return where the face is at a time."""
        passed = min(time_s - self.time_s, COAST_S)
        return square(self.x + self.velocity_x * passed, self.y + self.velocity_y * passed, self.side)

    def found(self, box: Box, time_s: float) -> None:
        """Take over where the face was found."""
        passed = max(time_s - self.time_s, 1e-3)
        x, y = box.centre
        ahead_x = x - (self.x + self.velocity_x * min(passed, COAST_S))
        ahead_y = y - (self.y + self.velocity_y * min(passed, COAST_S))
        self.x, self.y = x - (1 - PLACE_GAIN) * ahead_x, y - (1 - PLACE_GAIN) * ahead_y
        self.velocity_x += VELOCITY_GAIN * ahead_x / passed
        self.velocity_y += VELOCITY_GAIN * ahead_y / passed
        self.side += SIZE_GAIN * (box.width - self.side)
        self.time_s = time_s
        self.hits += 1
        self.misses = 0


class Tracker:
    """The faces of a video."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._numbers = itertools.count(1)

    @property
    def confirmed(self) -> list[Track]:
        """The faces that have a number."""
        return [track for track in self.tracks if track.number]

    def update(self, boxes: Sequence[Box], time_s: float) -> list[Track]:
        """Match what a search found with the tracks, start tracks for the rest; return the confirmed ones it found."""
        pairs = sorted(
            (-closeness, row, column)
            for row, track in enumerate(self.tracks)
            for column, box in enumerate(boxes)
            if (closeness := _closeness(track.at(time_s), box)) > 0
        )
        found: dict[int, int] = {}
        for _, row, column in pairs:
            if row not in found and column not in found.values():
                found[row] = column
        for row, track in enumerate(self.tracks):
            if row not in found:
                track.misses += 1
                continue
            track.found(boxes[found[row]], time_s)
            if not track.number and track.hits >= CONFIRMED_AFTER:
                track.number = next(self._numbers)
        seen = [self.tracks[row] for row in sorted(found) if self.tracks[row].number]
        # One that was only just found must be found again at once; an older one may turn away for a moment.
        self.tracks = [track for track in self.tracks if track.misses < (LOST_AFTER if track.number else 1)]
        for column, box in enumerate(boxes):
            if column not in found.values():
                self.tracks.append(Track(*box.centre, box.width, time_s))
        return seen


def overlap(one: Box, other: Box) -> float:
    """Return the intersection of two boxes over their union, 0..1."""
    width = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    height = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (one.width * one.height + other.width * other.height - width * height)


def _closeness(foreseen: Box, found: Box) -> float:
    """Return how well a found face fits a track, above 0 where it can be the same."""
    (x, y), (u, v) = foreseen.centre, found.centre
    sides = math.hypot(u - x, v - y) / max(foreseen.width, found.width)
    factor = max(foreseen.width, found.width) / min(foreseen.width, found.width)
    if sides > REACH_SIDES or factor > SIZE_FACTOR:
        return 0.0
    return overlap(foreseen, found) + 1 - sides
