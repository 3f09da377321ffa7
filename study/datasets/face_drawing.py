"""Drawing of faces: outlines in pixels in, grey pictures out (painted at four times the size, then lit and photographed)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.datasets.face_dice import Dice
from study.datasets.face_expressions import express
from study.datasets.face_geometry import SIDES, Array, Face, sample_person, sample_pose
from study.datasets.face_light import photograph

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


def draw_faces(
    drawn: NDArray[np.int64], faces: NDArray[np.int64], difficulty: float, seed: int
) -> NDArray[np.uint8]:
    """Return faces, uint8 (n, 48, 48, 1).

    Args:
        drawn: Class index (n,) of the expression on each face.
        faces: Index (n,) of each face in its set; with the seed it fixes everything random about the face.
        difficulty: 0 (clear, frontal, evenly lit) to 1.
        seed: Seed of the set.
    """
    dice = Dice(seed, faces, SIDE_PX * SIDE_PX)
    pose = sample_pose(difficulty, SIDE_PX, dice)
    face = Face(sample_person(difficulty, dice), express(drawn, difficulty, dice), pose)
    sketch = Sketch(len(drawn))
    # Easy sets have people of similar tone before a middling wall, hard ones have all there are.
    vary = 0.25 + 1.5 * difficulty
    skin = np.clip(168.0 + dice.uniform(-58.0, 48.0) * vary, 70.0, 225.0)
    background = np.clip(128.0 + dice.uniform(-105.0, 105.0) * vary, 5.0, 250.0)
    hair = _sample_hair(skin, dice)
    _surroundings(sketch, background, dice)
    _behind_face(sketch, face, skin, hair, dice)
    sketch.fill(face.head(), skin)
    _features(sketch, face, skin, hair.grey, difficulty, dice)
    _hair_in_front(sketch, face, hair, dice)
    _in_the_way(sketch, face, skin, difficulty, dice)
    return photograph(sketch.paint(background), face, difficulty, dice)


@dataclass(frozen=True)
class Hair:
    """Grey level, styles, place of the parting and volume in face units, each (n,)."""

    grey: Array
    bald: NDArray[np.bool_]
    long: NDArray[np.bool_]
    fringe: NDArray[np.bool_]
    parting: Array
    volume: Array


def _flat(face: Face, x: Array, y: Array) -> Array:
    """Return pixels of points in the plane of the head, which do not shift when it turns."""
    return face.pose.project(x, y, 0.0)


def _surroundings(sketch: Sketch, background: Array, dice: Dice) -> None:
    """Add things behind the person."""
    for _ in range(2):
        centre = np.stack([dice.uniform(0.0, 48.0), dice.uniform(-5.0, 40.0)], -1)[:, None, :]
        width, height = dice.uniform(4.0, 26.0)[:, None], dice.uniform(6.0, 40.0)[:, None]
        corners = np.stack([width * [[-1, 1, 1, -1]], height * [[-1, -1, 1, 1]]], -1) * 0.5
        sketch.fill(centre + corners, background + dice.normal(35.0), dice.chance(0.5))


def _sample_hair(skin: Array, dice: Dice) -> Hair:
    light = dice.chance(0.35) & (skin > 140.0)
    grey = np.where(light, dice.uniform(80.0, 165.0), dice.uniform(14.0, 70.0))
    bald = dice.chance(0.08)
    return Hair(
        grey=grey,
        bald=bald,
        long=dice.chance(0.42) & ~bald,
        fringe=dice.chance(0.25) & ~bald,
        parting=dice.uniform(-0.6, 0.6),
        volume=dice.uniform(0.04, 0.2),
    )


def _behind_face(sketch: Sketch, face: Face, skin: Array, hair: Hair, dice: Dice) -> None:
    """Add long hair, neck, shoulders and ears."""
    height = face.person.head_height[:, None]
    angle = np.linspace(-0.8 * np.pi, 0.8 * np.pi, 22)[None, :]
    grown = 0.04 + hair.volume[:, None]
    # Round over the head, straight down from the ears.
    fallen = np.maximum(np.abs(angle) - 0.5 * np.pi, 0.0)
    x = np.where(fallen > 0.0, np.sign(angle), np.sin(angle)) * (1.0 + grown + 0.08 * fallen)
    y = np.where(fallen > 0.0, 1.7 * fallen, -np.cos(angle) * (height + grown))
    sketch.fill(_flat(face, x, y), hair.grey * 0.8, hair.long)
    u = np.linspace(0.0, 1.0, 4)[None, :]
    for side in SIDES:
        for place in (0.25, 0.55, 0.85):
            lock = _flat(face, side * (0.98 + (place + 0.3 * u) * grown), -0.5 + 1.7 * u + 0.0 * height)
            sketch.line(lock, hair.grey * dice.uniform(0.7, 1.2), 0.05 * face.pose.scale, hair.long)
    ones = np.ones_like(height)
    drop = 0.4 * face.jaw_drop[:, None]
    neck = _flat(face, ones * [[-0.55, 0.55, 0.62, -0.62]], np.array([[0.7, 0.7, 2.2, 2.2]]) + drop)
    sketch.fill(neck, 0.68 * skin)
    shirt_x = ones * [[-2.6, -1.6, -0.62, 0.0, 0.62, 1.6, 2.6]]
    shirt_y = np.array([[2.6, 1.66, 1.42, 1.8, 1.42, 1.66, 2.6]]) + drop
    sketch.fill(_flat(face, shirt_x, shirt_y), dice.uniform(15.0, 235.0))
    circle = np.linspace(0.0, 2.0 * np.pi, 12)[None, :]
    for side in SIDES:
        ear = _flat(face, side * 0.97 + 0.1 * np.cos(circle) * ones, 0.08 + 0.25 * np.sin(circle) * ones)
        sketch.fill(ear, 0.8 * skin, ~hair.long)


def _features(
    sketch: Sketch, face: Face, skin: Array, hair: Array, difficulty: float, dice: Dice
) -> None:
    """Add what moves in a face: folds, nose, eyes, brows, beard and mouth."""
    unit, px = face.unit, face.pose.scale
    age = np.clip(dice.normal(0.22) + 0.15, 0.0, 0.6)

    def crease(strength: Array) -> Array:
        return skin * (1.0 - 0.34 * np.clip(strength, 0.0, 1.0))

    p = face.person
    beard = dice.chance(0.05 + 0.18 * difficulty)
    thick = dice.uniform(0.25, 0.8)
    jaw = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 15)[None, :]
    chin = np.maximum(np.cos(jaw), 0.0)
    outer_x = 0.935 * np.sign(jaw) * np.abs(np.sin(jaw)) ** p.squareness[:, None] * (1.0 - p.jaw[:, None] * chin**1.5)
    outer_y = chin * p.head_height[:, None] + 0.85 * face.jaw_drop[:, None] * chin**2
    # Layers, each narrower and darker, so that the beard has no hard edge.
    for layer in (1.0, 2.0, 3.0):
        inner_x = (0.6 + 0.11 * layer) * np.sin(jaw) + 0.0 * outer_x
        inner_y = 0.28 + 0.06 * layer + 0.24 * chin - 0.15 * (1.0 - chin) + 0.0 * outer_x
        whiskers = _flat(
            face, np.concatenate([outer_x, inner_x[:, ::-1]], 1), np.concatenate([outer_y, inner_y[:, ::-1]], 1)
        )
        share = thick * layer / 3.0
        sketch.fill(whiskers, (1.0 - share) * skin + share * hair, beard)

    for side in SIDES:
        depth = 0.25 * age + 0.55 * unit(12) + 0.7 * unit(9) + 0.6 * unit(10) + 0.15 * unit(20)
        sketch.line(face.fold(side), crease(0.75 * depth), 0.03 * px, depth > 0.15)
        feet = 0.8 * unit(6) * (0.6 + age)
        for tilt in (-0.08, 0.06):
            line = face.wrinkle((side * 0.72, side * 0.86), (-0.13 + 0.4 * tilt, -0.13 + 1.6 * tilt))
            sketch.line(line, crease(0.6 * feet), 0.02 * px, feet > 0.3)
        frown = unit(4)
        line = face.wrinkle((side * 0.07, side * 0.09), (-0.5, -0.28))
        sketch.line(line, crease(0.75 * frown), 0.025 * px, frown > 0.3)
        scrunch = unit(9)
        line = face.wrinkle((side * 0.16, 0.02 * side), (-0.1, -0.16), lift=0.12)
        sketch.line(line, crease(0.75 * scrunch), 0.025 * px, scrunch > 0.25)
        line = face.wrinkle((side * 0.17, 0.02 * side), (-0.01, -0.06), lift=0.14)
        sketch.line(line, crease(0.65 * scrunch), 0.025 * px, scrunch > 0.35)
    raised = np.clip(0.5 * (unit(1) + unit(2)) * (0.5 + age), 0.0, 1.0)
    for level in (-0.68, -0.8):
        sketch.line(face.wrinkle((-0.42, 0.42), (level, level), 0.05), crease(0.5 * raised), 0.022 * px, raised > 0.25)

    left, right, base = face.nose()
    sketch.line(base, 0.76 * skin, 0.035 * px)
    sketch.fill(left, 0.35 * skin)
    sketch.fill(right, 0.35 * skin)

    iris = dice.uniform(20.0, 95.0)
    lashes = dice.uniform(0.022, 0.05)
    for side in SIDES:
        eye = face.eye(side)
        sketch.line(eye.bag, crease(0.2 + 0.5 * age + 0.3 * unit(6) + 0.2 * unit(7)), 0.025 * px)
        sketch.line(eye.crease, crease(0.4), 0.025 * px)
        sketch.fill(eye.white, np.minimum(225.0, 1.18 * skin + 18.0))
        sketch.fill(eye.iris, iris)
        sketch.fill(eye.pupil, 0.3 * iris)
        sketch.fill(eye.glint, 190.0)
        sketch.line(eye.lower, 0.7 * skin, 0.02 * px)
        sketch.line(eye.upper, np.minimum(0.35 * skin, 55.0), lashes * px)
        sketch.fill(face.brow(side), np.minimum(0.75 * hair + 0.15 * skin, 0.72 * skin))

    mouth = face.mouth()
    lip = skin * dice.uniform(0.58, 0.86)
    open_mouth = mouth.gap > 0.035
    sketch.fill(mouth.lips, lip)
    sketch.fill(mouth.opening, dice.uniform(14.0, 42.0), open_mouth)
    sketch.fill(mouth.tongue, 0.45 * skin, mouth.gap > 0.3)
    sketch.fill(mouth.teeth, dice.uniform(175.0, 240.0), open_mouth & (mouth.bite > 0.02))
    sketch.fill(mouth.lower_teeth, dice.uniform(150.0, 215.0), open_mouth & (mouth.low_bite > 0.02))
    sketch.line(mouth.line, 0.38 * skin, 0.035 * px, ~open_mouth)
    sketch.line(mouth.below, crease(0.25 + 0.4 * unit(17)), 0.04 * px)
    moustache = beard | dice.chance(0.12 * difficulty)
    t = np.linspace(-1.0, 1.0, 9)[None, :]
    lip_top = p.mouth_y - 0.05 - 0.06 * unit(10) - 0.03 * unit(9)
    wide = (p.mouth_width + 0.02 + 0.08 * unit(12))[:, None]
    upper_y = (lip_top - 0.13)[:, None] + 0.1 * t**2
    lower_y = (lip_top - 0.035)[:, None] + 0.12 * t**2 - 0.1 * unit(12)[:, None] * t**2
    hairs = face.pose.on_face(
        np.concatenate([wide * t, wide * t[:, ::-1]], 1), np.concatenate([upper_y, lower_y[:, ::-1]], 1), 0.08
    )
    sketch.fill(hairs, (1.0 - thick) * skin + thick * hair, moustache)


def _hair_in_front(sketch: Sketch, face: Face, hair: Hair, dice: Dice) -> None:
    """Add the hair on top of the head, its strands, a fringe and locks over the temples."""
    height = face.person.head_height[:, None]
    volume = hair.volume[:, None]
    parting = hair.parting[:, None]
    angle = np.linspace(-0.54 * np.pi, 0.54 * np.pi, 20)[None, :]
    outer_x = np.sin(angle) * (0.98 + 0.7 * volume)
    outer_y = -np.cos(angle) * (height + volume)
    t = np.linspace(-1.0, 1.0, 14)[None, :]
    line = -0.88 + dice.normal(0.07)[:, None] + np.where(hair.fringe, 0.3, 0.0)[:, None]
    temple = dice.uniform(-0.3, 0.1)[:, None]
    bend = np.abs(t) ** 3.5
    lifted = 0.14 * np.exp(-(((t - parting) / 0.4) ** 2))
    ragged = 0.035 * dice.normals(14)
    inner_y = line * (1.0 - bend) + temple * bend - lifted + ragged * (1.0 - bend)
    inner_x = 0.97 * t + 0.0 * inner_y
    cap = _flat(face, np.concatenate([outer_x, inner_x[:, ::-1]], 1), np.concatenate([outer_y, inner_y[:, ::-1]], 1))
    sketch.fill(cap, hair.grey, ~hair.bald)
    # Strands run from the parting over the top of the head down to the hairline.
    u = np.linspace(0.0, 1.0, 4)[None, :]
    for end in (-0.85, -0.62, -0.38, -0.15, 0.1, 0.35, 0.6, 0.85):
        end_y = line * (1.0 - abs(end) ** 3.5) + temple * abs(end) ** 3.5 - 0.12
        strand_x = 0.7 * parting * (1.0 - u) + end * u + 0.15 * np.sign(end) * np.sin(np.pi * u)
        strand_y = (0.04 - height - 0.6 * volume) * (1.0 - u) ** 1.5 + end_y * u**1.3
        grey = hair.grey * dice.uniform(0.8, 1.25) + dice.uniform(-4.0, 8.0)
        sketch.line(_flat(face, strand_x, strand_y), grey, 0.05 * face.pose.scale, ~hair.bald)
    locks = hair.long & dice.chance(0.6)
    for side in SIDES:
        lock_x = side * (0.97 - 0.1 * np.sin(np.pi * u) + 0.08 * u + 0.0 * height)
        lock = _flat(face, lock_x, -0.6 + 1.9 * u + 0.0 * height)
        sketch.line(lock, hair.grey, (0.1 + 0.5 * hair.volume) * face.pose.scale, locks)


def _in_the_way(sketch: Sketch, face: Face, skin: Array, difficulty: float, dice: Dice) -> None:
    """Add glasses, hands and things held before the face."""
    scale = face.pose.scale
    glasses = dice.chance(0.04 + 0.2 * difficulty)
    frame = np.where(dice.chance(0.75), dice.uniform(10.0, 50.0), dice.uniform(120.0, 200.0))
    thick = dice.uniform(0.025, 0.065) * scale
    roundness = dice.uniform(0.55, 1.0)[:, None]
    angle = np.linspace(0.0, 2.0 * np.pi, 15)[None, :]
    p = face.person
    for side in SIDES:
        cosine, sine = np.cos(angle), np.sin(angle)
        x = (side * p.eye_x)[:, None] + 0.31 * np.sign(cosine) * np.abs(cosine) ** roundness
        y = (p.eye_y + 0.03)[:, None] + 0.23 * np.sign(sine) * np.abs(sine) ** roundness
        sketch.line(face.pose.on_face(x, y, 0.1), frame, thick, glasses)
        sketch.line(face.wrinkle((side * 0.72, side * 1.0), (-0.15, -0.1)), frame, thick, glasses)
    sketch.line(face.wrinkle((-0.12, 0.12), (-0.15, -0.15), 0.04, 0.18), frame, thick, glasses)

    hand = dice.chance(0.22 * difficulty)
    side = np.where(dice.chance(0.5), 1.0, -1.0)
    palm_x, palm_y = side * dice.uniform(0.65, 1.15), dice.uniform(0.75, 1.5)
    reach = dice.uniform(0.45, 0.95)
    lean = side * -dice.uniform(-0.1, 0.7)
    u = np.linspace(0.0, 1.0, 4)[None, :]
    for pass_grey, grow in ((0.62, 0.05), (0.93, 0.0)):
        for finger in range(4):
            base_x = palm_x + (finger - 1.5) * 0.17
            tip = reach * (1.0 - 0.1 * abs(finger - 1.3))
            x = base_x[:, None] + (lean * tip)[:, None] * u + 0.03 * (finger - 1.5) * u
            y = palm_y[:, None] - tip[:, None] * u
            sketch.line(_flat(face, x, y), pass_grey * skin, (0.155 + grow) * scale, hand)
    ring = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)[None, :]
    palm = _flat(face, palm_x[:, None] + 0.42 * np.cos(ring), palm_y[:, None] + 0.25 + 0.4 * np.sin(ring))
    sketch.fill(palm, 0.9 * skin, hand)

    bar = dice.chance(0.1 * difficulty)
    slope, level = dice.normal(0.25)[:, None], dice.uniform(2.0, 46.0)[:, None]
    across = np.array([[-4.0, 52.0]])
    upright = dice.chance(0.4)[:, None]
    along, over = across + 0.0 * level, level + slope * (across - 24.0)
    ends = np.where(upright[..., None], np.stack([over, along], -1), np.stack([along, over], -1))
    sketch.line(ends, dice.uniform(10.0, 240.0), dice.uniform(2.0, 6.0), bar)
