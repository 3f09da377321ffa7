"""Faces from frame to frame: each keeps its number, moves on between searches, and is answered about steadily."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.faces.detection import Box, Detection, overlap, square

#: How much of the difference between what was foreseen and what was found a track takes over, of place, velocity and
#: size: detectors tremble by some pixels, and more in size than in place.
PLACE_GAIN, VELOCITY_GAIN, SIZE_GAIN = 0.7, 0.3, 0.4
#: A found face can be a track's if its middle is within this many sides and its size within this factor.
REACH_SIDES, SIZE_FACTOR = 0.75, 1.7
#: A face is taken for one when it was found twice (in the first frame once), and forgotten when it was missed this
#: often in a row.
CONFIRMED_AFTER, LOST_AFTER = 2, 6
#: A face that is not found is not carried further than this.
COAST_S = 0.4
#: With answers as noisy as those of a network that is right in six of ten, ten times a second, these follow a real
#: change within half a second and add hardly any of their own.
TIME_CONSTANT_S = 0.5
MARGIN = 0.08


@dataclass
class Track:
    """One face: a square around (x, y), in pixels and pixels a second, as it was when it was found last."""

    x: float
    y: float
    side: float
    score: float
    time_s: float
    velocity_x: float = 0.0
    velocity_y: float = 0.0
    number: int = 0  #: Its number, from 1; 0 until it is confirmed.
    hits: int = 1  #: How often it was found.
    misses: int = 0  #: How often it was searched and not found since.

    def at(self, time_s: float) -> Box:
        """Return where the face is at a time."""
        passed = min(time_s - self.time_s, COAST_S)
        return square(self.x + self.velocity_x * passed, self.y + self.velocity_y * passed, self.side)

    def found(self, face: Detection, time_s: float) -> None:
        """Take over where the face was found."""
        passed = max(time_s - self.time_s, 1e-3)
        x, y = face.box.centre
        ahead_x = x - (self.x + self.velocity_x * min(passed, COAST_S))
        ahead_y = y - (self.y + self.velocity_y * min(passed, COAST_S))
        self.x, self.y = x - (1 - PLACE_GAIN) * ahead_x, y - (1 - PLACE_GAIN) * ahead_y
        self.velocity_x += VELOCITY_GAIN * ahead_x / passed
        self.velocity_y += VELOCITY_GAIN * ahead_y / passed
        self.side += SIZE_GAIN * (face.box.width - self.side)
        self.score, self.time_s = face.score, time_s
        self.hits += 1
        self.misses = 0


class Tracker:
    """The faces of a video."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._numbers = itertools.count(1)
        self._first = True

    @property
    def confirmed(self) -> list[Track]:
        """The faces that have a number."""
        return [track for track in self.tracks if track.number]

    def update(self, faces: Sequence[Detection], time_s: float) -> list[Track]:
        """Match what a search found with the tracks, start tracks for the rest; return the confirmed ones it found."""
        pairs = sorted(
            (-closeness, row, column)
            for row, track in enumerate(self.tracks)
            for column, face in enumerate(faces)
            if (closeness := _closeness(track.at(time_s), face.box)) > 0
        )
        found: dict[int, int] = {}
        for _, row, column in pairs:
            if row not in found and column not in found.values():
                found[row] = column
        for row, track in enumerate(self.tracks):
            if row in found:
                track.found(faces[found[row]], time_s)
            else:
                track.misses += 1
        seen = [self.tracks[row] for row in sorted(found)]
        # One that was only just found must be found again at once; an older one may turn away for a moment.
        self.tracks = [track for track in self.tracks if track.misses < (LOST_AFTER if track.number else 1)]
        for column, face in enumerate(faces):
            if column not in found.values():
                seen.append(Track(*face.box.centre, face.box.width, face.score, time_s))
                self.tracks.append(seen[-1])
        for track in seen:
            if not track.number and (self._first or track.hits >= CONFIRMED_AFTER):
                track.number = next(self._numbers)
        self._first = False
        return [track for track in seen if track.number]


def _closeness(foreseen: Box, found: Box) -> float:
    """Return how well a found face fits a track, above 0 where it can be the same."""
    (x, y), (u, v) = foreseen.centre, found.centre
    sides = math.hypot(u - x, v - y) / max(foreseen.width, found.width)
    factor = max(foreseen.width, found.width) / min(foreseen.width, found.width)
    if sides > REACH_SIDES or factor > SIZE_FACTOR:
        return 0.0
    return overlap(foreseen, found)[0] + 1 - sides


@dataclass
class Smoothed:
    """What is said about one face: averaged probabilities float32 (classes,), the class named, and the last answer."""

    probabilities: NDArray[np.float32]
    label: int
    time_s: float
    answers: int = 1


class Smoother:
    """Averages what a network says about faces.

    Older answers lose weight exponentially; the first ones count alike, so that no single frame decides the beginning.
    Another class is named when its average is larger by a margin than that of the class named so far. After the time
    constant an answer weighs 1/e of a new one; with 0 s only the latest counts.
    """

    def __init__(self, time_constant_s: float = TIME_CONSTANT_S, margin: float = MARGIN) -> None:
        self.time_constant_s = time_constant_s
        self.margin = margin
        self._faces: dict[int, Smoothed] = {}

    def add(self, number: int, probabilities: NDArray[np.float32], time_s: float) -> None:
        """Take in an answer about a face."""
        known = self._faces.get(number)
        if known is None:
            self._faces[number] = Smoothed(probabilities.copy(), int(probabilities.argmax()), time_s)
            return
        known.answers += 1
        weight = 1.0
        if self.time_constant_s > 0:
            weight = max(1 - math.exp((known.time_s - time_s) / self.time_constant_s), 1 / known.answers)
        known.probabilities += np.float32(weight) * (probabilities - known.probabilities)
        known.time_s = time_s
        best = int(known.probabilities.argmax())
        if known.probabilities[best] > known.probabilities[known.label] + self.margin:
            known.label = best

    def get(self, number: int) -> Smoothed | None:
        """Return what is said about a face, or None before the first answer."""
        return self._faces.get(number)

    def keep(self, numbers: set[int]) -> None:
        """Forget all faces but these."""
        self._faces = {number: known for number, known in self._faces.items() if number in numbers}
