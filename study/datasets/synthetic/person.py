"""People and their poses: what differs between drawn faces, whatever they express.

Face units: x to the right, y downwards, z towards the viewer; a head is about 2 wide, 2.7 high.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.datasets.synthetic.tools import Array, Dice


@dataclass(frozen=True)
class Pose:
    """Where each head (n,) is and how it is turned.

    Angles are in radians, the scale in pixels per face unit, the centre in pixels.
    """

    yaw: Array
    pitch: Array
    roll: Array
    scale: Array
    centre_x: Array
    centre_y: Array

    def project(self, x: Array, y: Array, z: Array | float) -> Array:
        """Return pixels (n, k, 2) of points given by x, y, z (n, k) in face units."""
        sin_yaw, cos_yaw = np.sin(self.yaw)[:, None], np.cos(self.yaw)[:, None]
        sin_pitch, cos_pitch = np.sin(self.pitch)[:, None], np.cos(self.pitch)[:, None]
        turned_x = x * cos_yaw + z * sin_yaw
        depth = z * cos_yaw - x * sin_yaw
        turned_y = y * cos_pitch + depth * sin_pitch
        sin_roll, cos_roll = np.sin(self.roll)[:, None], np.cos(self.roll)[:, None]
        scale = self.scale[:, None]
        pixel_x = self.centre_x[:, None] + scale * (turned_x * cos_roll - turned_y * sin_roll)
        pixel_y = self.centre_y[:, None] + scale * (turned_x * sin_roll + turned_y * cos_roll)
        return np.stack([pixel_x, pixel_y], axis=-1)

    def on_face(self, x: Array, y: Array, lift: float = 0.0) -> Array:
        """Return pixels (n, k, 2) of points that lie on the front of the head, ``lift`` above it."""
        depth = 0.75 * np.sqrt(np.maximum(0.04, 1.0 - (x / 1.08) ** 2 - (y / 1.75) ** 2))
        return self.project(x, y, depth - 0.25 + lift)


def plainness(difficulty: float) -> float:
    """Return 1 at difficulty 0, falling to 0 at 0.5: how far a set is from real people towards posed pictograms.

    Very easy sets are for first looks, where a network gets a hundred updates and must still learn something.
    """
    return max(0.0, 1.0 - 2.0 * difficulty)


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


@dataclass(frozen=True)
class Person:
    """What each person (n,) brings along, whatever the expression: sizes and places in face units."""

    head_height: Array
    jaw: Array
    squareness: Array
    eye_x: Array
    eye_y: Array
    eye_width: Array
    eye_height: Array
    eye_slant: Array
    brow_y: Array
    brow_thickness: Array
    brow_tilt: Array
    brow_arch: Array
    nose_y: Array
    nose_width: Array
    mouth_y: Array
    mouth_width: Array
    mouth_rest: Array
    mouth_skew: Array
    lip_upper: Array
    lip_lower: Array
    gaze_x: Array
    gaze_y: Array


def sample_person(difficulty: float, dice: Dice) -> Person:
    """Return people who differ more with difficulty; resting brows and mouths differ too, so classes overlap."""
    vary = 0.25 + 1.5 * difficulty
    return Person(
        head_height=1.33 + dice.normal(0.06 * vary),
        jaw=0.16 + dice.normal(0.07 * vary),
        squareness=0.86 + dice.normal(0.05 * vary),
        eye_x=0.42 + dice.normal(0.025 * vary),
        eye_y=-0.13 + dice.normal(0.04 * vary),
        eye_width=0.22 + dice.normal(0.018 * vary),
        eye_height=0.094 + dice.normal(0.014 * vary, 2.0),
        eye_slant=dice.normal(0.025 * vary),
        brow_y=-0.42 + dice.normal(0.035 * vary),
        brow_thickness=0.068 + dice.normal(0.017 * vary, 2.0),
        brow_tilt=dice.normal(0.035 * vary),
        brow_arch=0.05 + dice.normal(0.025 * vary),
        nose_y=0.34 + dice.normal(0.035 * vary),
        nose_width=0.15 + dice.normal(0.02 * vary),
        mouth_y=0.73 + dice.normal(0.035 * vary),
        mouth_width=0.37 + dice.normal(0.03 * vary),
        mouth_rest=dice.normal(0.03 * vary),
        mouth_skew=dice.normal(0.02 * vary),
        lip_upper=0.062 + dice.normal(0.014 * vary, 2.0),
        lip_lower=0.085 + dice.normal(0.017 * vary, 2.0),
        gaze_x=dice.normal(0.045 * vary),
        gaze_y=dice.normal(0.015 * vary),
    )
