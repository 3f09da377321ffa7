"""People, their expressions as facial action units, their poses, and the outlines of their heads.

Face units: x to the right, y downwards, z towards the viewer; a head is about 2 wide, 2.7 high.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from study.datasets.synthetic.tools import Array, Dice, plainness

SIDES = (-1.0, 1.0)
#: What each person brings along: mean in face units, standard deviation, and how many of these it is off at most.
MEASURES = {
    "head_height": (1.33, 0.06, 2.5),
    "jaw": (0.16, 0.07, 2.5),
    "squareness": (0.86, 0.05, 2.5),
    "eye_x": (0.42, 0.025, 2.5),
    "eye_y": (-0.13, 0.04, 2.5),
    "eye_width": (0.22, 0.018, 2.5),
    "eye_height": (0.094, 0.014, 2.0),
    "eye_slant": (0.0, 0.025, 2.5),
    "brow_y": (-0.42, 0.035, 2.5),
    "brow_thickness": (0.068, 0.017, 2.0),
    "brow_tilt": (0.0, 0.035, 2.5),
    "brow_arch": (0.05, 0.025, 2.5),
    "nose_y": (0.34, 0.035, 2.5),
    "nose_width": (0.15, 0.02, 2.5),
    "mouth_y": (0.73, 0.035, 2.5),
    "mouth_width": (0.37, 0.03, 2.5),
    "mouth_rest": (0.0, 0.03, 2.5),
    "mouth_skew": (0.0, 0.02, 2.5),
    "lip_upper": (0.062, 0.014, 2.0),
    "lip_lower": (0.085, 0.017, 2.0),
    "gaze_x": (0.0, 0.045, 2.5),
    "gaze_y": (0.0, 0.015, 2.5),
}

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

#: Action units of the Facial Action Coding System that the drawing knows: 1 inner and 2 outer brow raised, 4 brows
#: lowered, 5 upper lid raised, 6 cheek raised, 7 lids tightened, 9 nose wrinkled, 10 upper lip raised, 12 lip corners
#: pulled up or 15 down, 17 chin raised, 20 lips stretched, 23 tightened or 25 parted, 26 jaw dropped, 27 mouth wide
#: open, 43 eyes closing.
ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 17, 20, 23, 25, 26, 27, 43)

# Each expression comes in variants (weight, action units at full strength): people do not all shout when angry.
VARIANTS: dict[str, tuple[tuple[float, dict[int, float]], ...]] = {
    "angry": (
        (0.55, {4: 1.0, 5: 0.3, 7: 0.8, 17: 0.5, 23: 1.0, 15: 0.3}),
        (0.45, {4: 1.0, 5: 0.4, 7: 0.7, 9: 0.4, 10: 0.7, 20: 0.3, 25: 1.0, 26: 0.5}),
    ),
    "disgust": (
        (0.6, {4: 0.5, 6: 0.4, 7: 0.7, 9: 1.0, 10: 1.0, 15: 0.4, 17: 0.5}),
        (0.4, {4: 0.4, 6: 0.4, 7: 0.8, 9: 1.0, 10: 1.0, 25: 0.8, 26: 0.2}),
    ),
    "fear": (
        (0.6, {1: 1.0, 2: 0.6, 4: 0.6, 5: 1.0, 20: 1.0, 25: 0.9, 26: 0.35}),
        (0.25, {1: 1.0, 2: 0.5, 4: 0.7, 5: 0.9, 20: 0.5, 25: 1.0, 26: 0.9}),
        (0.15, {1: 1.0, 2: 0.4, 4: 0.8, 5: 0.9, 20: 0.9, 15: 0.3}),
    ),
    "happy": (
        (0.5, {6: 0.8, 12: 1.0, 25: 0.9}),
        (0.25, {6: 0.5, 12: 0.9}),
        (0.25, {6: 1.0, 7: 0.4, 12: 1.0, 25: 1.0, 26: 0.8, 43: 0.2}),
    ),
    "sad": (
        (0.7, {1: 1.0, 4: 0.6, 15: 1.0, 17: 0.5, 43: 0.3}),
        (0.3, {1: 0.8, 4: 0.8, 6: 0.4, 7: 0.5, 15: 0.9, 20: 0.4, 25: 0.6, 43: 0.45}),
    ),
    "surprise": (
        (0.6, {1: 1.0, 2: 1.0, 5: 1.0, 25: 1.0, 27: 1.0}),
        (0.4, {1: 0.9, 2: 1.0, 5: 0.8, 25: 1.0, 26: 0.9, 27: 0.2}),
    ),
    "neutral": ((1.0, {}),),
}


@dataclass(frozen=True)
class Pose:
    """Where each head is and how it is turned: radians, pixels per face unit, centre in pixels, all (n, 1)."""

    yaw: Array
    pitch: Array
    roll: Array
    scale: Array
    centre_x: Array
    centre_y: Array

    def project(self, x: Array, y: Array, z: Array | float) -> Array:
        """Return pixels (n, k, 2) of points in face units, each (n, k) or the same for all."""
        yaw, pitch, roll = self.yaw, self.pitch, self.roll
        turned_x = x * np.cos(yaw) + z * np.sin(yaw)
        depth = z * np.cos(yaw) - x * np.sin(yaw)
        turned_y = y * np.cos(pitch) + depth * np.sin(pitch)
        pixel_x = self.centre_x + self.scale * (turned_x * np.cos(roll) - turned_y * np.sin(roll))
        pixel_y = self.centre_y + self.scale * (turned_x * np.sin(roll) + turned_y * np.cos(roll))
        return np.stack([pixel_x, pixel_y], axis=-1)


def sample_pose(difficulty: float, side: int, dice: Dice) -> Pose:
    """Return poses that turn, tilt, shift and scale more with difficulty, for pictures of ``side`` pixels."""
    turn = 0.15 + difficulty * (2.9 - difficulty)
    return Pose(
        yaw=dice.normal(0.22 * turn, 2.2),
        pitch=dice.normal(0.11 * turn, 2.2),
        roll=dice.normal(0.11 * turn, 2.2),
        scale=side * 0.42 * (1.0 + 0.25 * plainness(difficulty)) * (1.0 + dice.normal(0.085 * turn, 2.0)),
        centre_x=side * (0.5 + dice.normal(0.05 * turn, 2.0)),
        centre_y=side * (0.475 + dice.normal(0.045 * turn, 2.0)),
    )


def sample_person(difficulty: float, dice: Dice) -> SimpleNamespace:
    """Return ``MEASURES`` (n, 1) that differ more with difficulty; brows and mouths at rest too, so classes overlap."""
    vary = 0.25 + 1.5 * difficulty
    return SimpleNamespace(
        **{name: mean + dice.normal(spread * vary, limit) for name, (mean, spread, limit) in MEASURES.items()}
    )


def _pick_variants(drawn: NDArray[np.int64], chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the full-strength action units (n, units) of one variant of each face's expression, both (n, 1)."""
    result = np.zeros((len(drawn), len(ACTION_UNITS)))
    for label, name in enumerate(CLASSES):
        threshold = 0.0
        for weight, units in VARIANTS[name]:
            chosen = (drawn == label) & (chance >= threshold) & (chance < threshold + weight + 1e-9)
            threshold += weight
            result[chosen[:, 0]] = [units.get(unit, 0.0) for unit in ACTION_UNITS]
    return result


def express(drawn: NDArray[np.int64], difficulty: float, dice: Dice) -> NDArray[np.float64]:
    """Return the strength (n, units), 0..1.2 (1.8 in the easiest sets), of every action unit in every face.

    Difficulty weakens expressions, mixes a second one in, and moves muscles that do not belong to the expression.
    """
    weakest = max(0.0, 1.0 - 1.5 * difficulty)
    intensity = weakest + (1.08 - weakest) * dice.uniform(0.0, 1.0) ** (0.5 + 0.5 * difficulty)
    units = _pick_variants(drawn[:, None], dice.uniform(0.0, 1.0)) * intensity
    units *= np.clip(1.0 + 0.45 * difficulty * dice.normals(units.shape[1]), 0.0, 1.4)
    second = dice.uniform(0.0, float(len(CLASSES))).astype(np.int64)
    share = np.where(dice.uniform(0.0, 1.0) < difficulty, dice.uniform(0.0, min(1.0, 1.15 * difficulty)), 0.0)
    mixed = _pick_variants(second, dice.uniform(0.0, 1.0)) * share
    stray = 0.34 * difficulty * np.maximum(dice.normals(units.shape[1]) - 0.3, 0.0)
    units = np.clip(units * (1.0 - 0.6 * share) + mixed + stray, 0.0, 1.2)
    return units * (1.0 + 0.5 * plainness(difficulty))


class Face:
    """Places on n faces, in pixels: people with the strength (n, units) of every action unit, in their poses."""

    def __init__(self, person: SimpleNamespace, units: Array, pose: Pose) -> None:
        self.person = person
        self.pose = pose
        self._units = units
        self.jaw_drop = 0.17 * self.unit(26) + 0.32 * self.unit(27)  #: How far (n, 1) the jaw hangs, in face units.

    def unit(self, number: int) -> Array:
        """Return the strength (n, 1) of one action unit."""
        return self._units[:, [ACTION_UNITS.index(number)]]

    def head(self) -> Array:
        """Return the outline of the head (n, 32, 2)."""
        angle = np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)
        p = self.person
        sine, down = np.sin(angle), -np.cos(angle)
        lower = np.maximum(down, 0.0)
        x = np.sign(sine) * np.abs(sine) ** p.squareness * (1.0 - p.jaw * lower**1.5) * 0.95
        y = down * p.head_height + 0.85 * self.jaw_drop * lower**2
        # The outline of a turned head stays where it is; only the features on it move.
        return self.flat(x, y)

    def flat(self, x: Array, y: Array) -> Array:
        """Return pixels (n, k, 2) of points in the plane of the head, which do not shift when it turns."""
        return self.pose.project(x, y, 0.0)

    def on(self, x: Array, y: Array, lift: float = 0.0) -> Array:
        """Return pixels (n, k, 2) of points that lie on the front of the head, ``lift`` above it."""
        depth = 0.75 * np.sqrt(np.maximum(0.04, 1.0 - (x / 1.08) ** 2 - (y / 1.75) ** 2))
        return self.pose.project(x, y, depth - 0.25 + lift)

    def band(self, x: Array, above: Array, below: Array, lift: float = 0.0) -> Array:
        """Return the outline (n, 2k, 2) of what lies on the head between two lines."""
        return self.on(there_and_back(x, x), there_and_back(above, below), lift)

    def wrinkle(self, x: tuple[float, float], y: tuple[float, float], bend: float = 0.0, lift: float = 0.0) -> Array:
        """Return a wrinkle (n, 6, 2) between two points in face units, bent upwards by ``bend``."""
        u = np.linspace(0.0, 1.0, 6)
        line_y = y[0] + (y[1] - y[0]) * u - bend * np.sin(np.pi * u)
        return self.on(x[0] + (x[1] - x[0]) * u, line_y, lift)


def there_and_back(line: Array, other: Array) -> Array:
    """Return the coordinates (n, 2k) of an outline along one line and back along another, each (n, k) or (k,)."""
    there, back = line + 0.0 * other[..., :1], other[..., ::-1] + 0.0 * line[..., :1]  # both (n, k)
    return np.concatenate([there, back], axis=-1)
