"""Geometry of drawn faces: people, action units and poses in, outlines in pixels out, for many faces at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.datasets.synthetic.expressions import COLUMN
from study.datasets.synthetic.person import Person, Pose
from study.datasets.synthetic.tools import Array

SIDES = (-1.0, 1.0)


def _wide(column: Array) -> Array:
    return column[:, None]


@dataclass(frozen=True)
class Eye:
    """Outlines of one eye in pixels, each (n, k, 2)."""

    white: Array
    iris: Array
    pupil: Array
    glint: Array
    upper: Array
    lower: Array
    crease: Array
    bag: Array


@dataclass(frozen=True)
class Mouth:
    """Outlines of the mouth in pixels, each (n, k, 2).

    ``gap``, ``bite`` and ``low_bite`` (n,), in face units: how far it is open and how much of both rows of teeth shows.
    """

    lips: Array
    opening: Array
    teeth: Array
    lower_teeth: Array
    tongue: Array
    line: Array
    below: Array
    gap: Array
    bite: Array
    low_bite: Array


class Face:
    """Outlines of n faces, from people, action units and poses."""

    def __init__(self, person: Person, units: Array, pose: Pose) -> None:
        self.person = person
        self.pose = pose
        self._units = units
        self.jaw_drop = 0.17 * self.unit(26) + 0.32 * self.unit(27)

    def unit(self, number: int) -> Array:
        """Return the strength (n,) of one action unit."""
        return self._units[:, COLUMN[number]]

    def head(self, grow: float = 0.0) -> Array:
        """Return the outline of the head (n, 32, 2), ``grow`` face units larger."""
        angle = np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)[None, :]
        p = self.person
        sine, down = np.sin(angle), -np.cos(angle)
        lower = np.maximum(down, 0.0)
        x = np.sign(sine) * np.abs(sine) ** _wide(p.squareness) * (1.0 - _wide(p.jaw) * lower**1.5) * (0.95 + grow)
        y = down * (_wide(p.head_height) + grow) + 0.85 * _wide(self.jaw_drop) * lower**2
        # The outline of a turned head stays where it is; only the features on it move.
        return self.pose.project(x, y, 0.0)

    def eye(self, side: float) -> Eye:
        """Return one eye; ``side`` is -1 (left in the picture) or +1."""
        p = self.person
        t = np.linspace(-1.0, 1.0, 9)[None, :]
        closing = 1.0 - 0.8 * self.unit(43)
        up = p.eye_height * (
            1.0 + 0.95 * self.unit(5) - 0.35 * self.unit(7) - 0.15 * self.unit(6) - 0.25 * self.unit(9)
        )
        up = np.maximum(0.012, up * closing)
        low = 0.75 * p.eye_height * (1.0 + 0.3 * self.unit(5) - 0.55 * self.unit(6) - 0.45 * self.unit(7))
        low = np.maximum(0.006, low * closing)
        width = p.eye_width * (1.0 + 0.08 * self.unit(5))
        x = _wide(side * p.eye_x) + _wide(width) * t
        # The slant lifts the outer corner; sadness lets it droop.
        corner = _wide(p.eye_y) - side * _wide(p.eye_slant - 0.03 * self.unit(15) * self.unit(1)) * t
        bow = 1.0 - np.abs(t) ** 2.2
        upper_y = corner - _wide(up) * bow
        lower_y = corner + _wide(low) * bow
        on = self.pose.on_face
        angle = np.linspace(0.0, 2.0 * np.pi, 14, endpoint=False)[None, :]

        def disc(radius: float, left: float = 0.0, above: float = 0.012) -> Array:
            disc_x = _wide(side * p.eye_x + p.gaze_x - left) + radius * np.cos(angle)
            disc_y = _wide(p.eye_y + p.gaze_y - above) + radius * np.sin(angle)
            place = np.clip((disc_x - _wide(side * p.eye_x)) / _wide(width), -1.0, 1.0)
            lid = 1.0 - np.abs(place) ** 2.2
            level = _wide(p.eye_y) - side * _wide(p.eye_slant) * place
            return on(disc_x, np.clip(disc_y, level - _wide(up) * lid, level + _wide(low) * lid))

        crease_y = corner - _wide(up + 0.05 - 0.02 * self.unit(5)) * (1.0 - 0.6 * np.abs(t) ** 2)
        bag_y = corner + _wide(low + 0.075) * (1.0 - 0.5 * t**2)
        return Eye(
            white=on(np.concatenate([x, x[:, ::-1]], 1), np.concatenate([upper_y, lower_y[:, ::-1]], 1)),
            iris=disc(0.1),
            pupil=disc(0.05),
            glint=disc(0.028, 0.035, 0.045),
            upper=on(x, upper_y),
            lower=on(x[:, 1:-1], lower_y[:, 1:-1]),
            crease=on(x * 1.02, crease_y),
            bag=on(x[:, 1:-1], bag_y[:, 1:-1]),
        )

    def brow(self, side: float) -> Array:
        """Return the outline (n, 14, 2) of one eyebrow."""
        p = self.person
        u = np.linspace(0.0, 1.0, 7)[None, :]
        inner = 0.17 - 0.075 * self.unit(4) + 0.01 * self.unit(1)
        x = side * (_wide(inner) + u * (_wide(0.56 + 0.0 * inner)))
        y = _wide(p.brow_y) - _wide(p.brow_arch) * np.sin(np.pi * u**1.3) + (u - 0.5) * _wide(p.brow_tilt)
        y = y - 0.19 * _wide(self.unit(1)) * (1.0 - u) ** 1.3 - 0.22 * _wide(self.unit(2)) * np.sin(0.5 * np.pi * u)
        y = y + _wide(self.unit(4)) * (0.19 - 0.16 * u) + 0.05 * _wide(self.unit(9))
        y = y + 0.02 * _wide(self.unit(6)) * u
        half = 0.5 * _wide(p.brow_thickness) * np.clip(1.25 - 0.95 * u**1.5, 0.2, 1.0)
        return self.pose.on_face(
            np.concatenate([x, x[:, ::-1]], 1), np.concatenate([y - half, (y + half)[:, ::-1]], 1), 0.03
        )

    def mouth(self) -> Mouth:
        """Return the mouth."""
        p = self.person
        t = np.linspace(-1.0, 1.0, 13)[None, :]
        au = self.unit
        width = p.mouth_width * (
            1.0
            + 0.36 * au(12)
            + 0.28 * au(20)
            + 0.05 * au(10)
            - 0.14 * au(23)
            - 0.1 * au(17)
            - 0.1 * au(26)
            - 0.2 * au(27)
        )
        parted = np.minimum(1.2 * au(25), 1.0)
        # How far the lips leave their closed line, upwards and downwards.
        rise = parted * (0.03 + 0.08 * au(10) + 0.03 * au(12) + 0.09 * au(27) + 0.03 * au(26) + 0.02 * au(20))
        fall = parted * (0.04 + 0.11 * au(12) + 0.07 * au(20) + 0.07 * au(10) + 0.22 * au(26) + 0.5 * au(27))
        corner = -0.18 * au(12) + 0.17 * au(15) + 0.02 * au(20) - 0.03 * au(10) + p.mouth_rest
        corner = corner + parted * 0.05 * (au(26) + 1.5 * au(27))
        middle = (
            p.mouth_y - 0.05 * au(17) - 0.045 * au(10) * (1.0 - parted) - 0.03 * au(9) + 0.035 * au(12) + 0.03 * au(27)
        )
        x = _wide(width) * t
        bend = np.abs(t) ** 1.7
        closed = _wide(middle) + _wide(corner) * bend + _wide(p.mouth_skew) * t
        # Lips that are drawn up bare the teeth in a square, a smile is flat above and round below.
        square = np.clip(au(10) + 0.6 * au(20), 0.0, 1.0)
        bow = (1.0 - t**2) ** _wide(0.9 - 0.4 * square)
        inner_top, inner_bottom = closed - _wide(rise) * bow, closed + _wide(fall) * bow
        thin = np.clip(1.0 - 0.65 * au(23) - 0.2 * au(12) - 0.25 * au(20) - 0.2 * au(17), 0.25, 1.0)
        cupid = 1.0 - 0.25 * np.exp(-((t / 0.16) ** 2))
        top = inner_top - _wide(p.lip_upper * thin) * cupid * (1.0 - np.abs(t) ** 1.8)
        bottom = inner_bottom + _wide(p.lip_lower * thin * (1.0 + 0.15 * au(17))) * (1.0 - t**2) ** 0.7
        gap = rise + fall
        show = np.clip(0.3 + 0.7 * au(12) + 0.6 * au(20) + 0.7 * au(10) - 0.5 * au(27), 0.0, 1.0)
        # Upper teeth follow a smile, but end in a level line where the corners hang.
        bite = np.minimum(0.75 * gap, 0.16) * show
        edge = (
            _wide(middle - rise)
            + _wide(bite) * (1.0 - 0.4 * t**2)
            + _wide(np.minimum(corner, 0.0)) * bend
            + _wide(p.mouth_skew) * t
        )
        low_bite = np.minimum(0.3 * gap, 0.06) * np.clip(au(10) + 0.8 * au(20) - 0.5 * au(12), 0.0, 1.0)
        near = 0.6 * t
        floor = _wide(middle) + _wide(corner) * np.abs(near) ** 1.7 + _wide(fall) * (1.0 - near**2)
        on = self.pose.on_face

        def band(x: Array, above: Array, under: Array) -> Array:
            return on(np.concatenate([x, x[:, ::-1]], 1), np.concatenate([above, under[:, ::-1]], 1), 0.05)

        return Mouth(
            lips=band(x, top, bottom),
            opening=band(x * 0.97, inner_top, inner_bottom),
            teeth=band(x * 0.97, inner_top, np.clip(edge, inner_top, inner_bottom)),
            lower_teeth=band(x * 0.97, inner_bottom - _wide(low_bite) * bow**1.5, inner_bottom),
            tongue=band(0.6 * x, floor - _wide(0.3 * gap) * (1.0 - t**2), floor - 0.01),
            line=on(x * 1.03, closed, 0.05),
            below=on(0.45 * x, bottom[:, 6:7] + 0.05 - 0.03 * t**2, 0.05),
            gap=gap,
            bite=bite,
            low_bite=low_bite,
        )

    def nose(self) -> tuple[Array, Array, Array]:
        """Return left nostril, right nostril and the base line with the wings of the nose."""
        p = self.person
        angle = np.linspace(0.0, 2.0 * np.pi, 10, endpoint=False)[None, :]
        width = p.nose_width * (1.0 + 0.15 * self.unit(9) + 0.1 * self.unit(10) + 0.1 * self.unit(12))
        y = p.nose_y - 0.07 * self.unit(9) - 0.02 * self.unit(10)
        left, right = (
            self.pose.on_face(_wide(side * 0.52 * width) + 0.048 * np.cos(angle), _wide(y) + 0.02 * np.sin(angle), 0.22)
            for side in SIDES
        )
        t = np.linspace(-1.0, 1.0, 9)[None, :]
        base_y = _wide(y + 0.01) - 0.12 * np.abs(t) ** 3 + 0.02 * np.cos(np.pi * t)
        return left, right, self.pose.on_face(_wide(width) * t, base_y, 0.2)

    def fold(self, side: float) -> Array:
        """Return the fold (n, 6, 2) from the wing of the nose past the corner of the mouth."""
        p = self.person
        u = np.linspace(0.0, 1.0, 6)[None, :]
        end_x = p.mouth_width * (1.0 + 0.25 * self.unit(12) + 0.2 * self.unit(20)) + 0.07
        x = side * (_wide(p.nose_width + 0.05) * (1.0 - u) + _wide(end_x) * u + 0.05 * np.sin(np.pi * u))
        top = p.nose_y - 0.06 - 0.07 * self.unit(9)
        end = p.mouth_y - 0.1 - 0.08 * self.unit(12) + 0.1 * self.unit(15)
        return self.pose.on_face(x, _wide(top) * (1.0 - u) + _wide(end) * u, 0.05)

    def wrinkle(self, x: tuple[float, float], y: tuple[float, float], bend: float = 0.0, lift: float = 0.0) -> Array:
        """Return a wrinkle (n, 6, 2) between two points in face units, bent upwards by ``bend``."""
        u = np.linspace(0.0, 1.0, 6)[None, :]
        ones = np.ones((len(self.pose.scale), 1))
        line_y = y[0] + (y[1] - y[0]) * u - bend * np.sin(np.pi * u)
        return self.pose.on_face(ones * (x[0] + (x[1] - x[0]) * u), ones * line_y, lift)

    def flat(self, x: Array, y: Array) -> Array:
        """Return pixels (n, k, 2) of points in the plane of the head, which do not shift when it turns."""
        return self.pose.project(x, y, 0.0)

    def point(self, x: Array | float, y: Array | float, lift: float = 0.0) -> Array:
        """Return pixels (n, 2) of one point on every face."""
        ones = np.ones((len(self.pose.scale), 1))
        return self.pose.on_face(ones * np.reshape(x, (-1, 1)), ones * np.reshape(y, (-1, 1)), lift)[:, 0]
