"""Drawing of faces: classes in, grey pictures out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from study.datasets.synthetic.expressions import express
from study.datasets.synthetic.geometry import SIDES, Face
from study.datasets.synthetic.light import photograph
from study.datasets.synthetic.person import sample_person, sample_pose
from study.datasets.synthetic.surroundings import (
    draw_behind_face,
    draw_hair,
    draw_in_the_way,
    draw_surroundings,
    sample_hair,
)
from study.datasets.synthetic.tools import SIDE_PX, Array, Dice, Sketch


def draw_faces(drawn: NDArray[np.int64], faces: NDArray[np.int64], difficulty: float, seed: int) -> NDArray[np.uint8]:
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
    hair = sample_hair(skin, difficulty, dice)
    draw_surroundings(sketch, background, dice)
    draw_behind_face(sketch, face, skin, hair, dice)
    sketch.fill(face.head(), skin)
    _features(sketch, face, skin, hair.grey, difficulty, dice)
    draw_hair(sketch, face, hair, dice)
    draw_in_the_way(sketch, face, skin, difficulty, dice)
    return photograph(sketch.paint(background), face, difficulty, dice)


def _features(sketch: Sketch, face: Face, skin: Array, hair: Array, difficulty: float, dice: Dice) -> None:
    """Add what moves in a face: folds, nose, eyes, brows, beard and mouth."""
    age = np.clip(dice.normal(0.22) + 0.15, 0.0, 0.6)
    beard = dice.chance(0.05 + 0.18 * difficulty)
    thick = dice.uniform(0.25, 0.8)
    whiskers = (1.0 - thick) * skin + thick * hair
    _beard(sketch, face, skin, whiskers, beard)
    _wrinkles(sketch, face, skin, age)
    _nose(sketch, face, skin)
    _eyes(sketch, face, skin, hair, age, dice)
    _mouth(sketch, face, skin, dice)
    _moustache(sketch, face, whiskers, beard | dice.chance(0.12 * difficulty))


def _crease(skin: Array, strength: Array | float) -> Array:
    """Return the grey level (n,) of a fold in the skin; strength 0..1."""
    return skin * (1.0 - 0.34 * np.clip(strength, 0.0, 1.0))


def _beard(sketch: Sketch, face: Face, skin: Array, grey: Array, shown: NDArray[np.bool_]) -> None:
    p = face.person
    jaw = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 15)[None, :]
    chin = np.maximum(np.cos(jaw), 0.0)
    outer_x = 0.935 * np.sign(jaw) * np.abs(np.sin(jaw)) ** p.squareness[:, None] * (1.0 - p.jaw[:, None] * chin**1.5)
    outer_y = chin * p.head_height[:, None] + 0.85 * face.jaw_drop[:, None] * chin**2
    # Layers, each narrower and darker, so that the beard has no hard edge.
    for layer in (1.0, 2.0, 3.0):
        inner_x = (0.6 + 0.11 * layer) * np.sin(jaw) + 0.0 * outer_x
        inner_y = 0.28 + 0.06 * layer + 0.24 * chin - 0.15 * (1.0 - chin) + 0.0 * outer_x
        whiskers = face.flat(
            np.concatenate([outer_x, inner_x[:, ::-1]], 1), np.concatenate([outer_y, inner_y[:, ::-1]], 1)
        )
        share = layer / 3.0
        sketch.fill(whiskers, (1.0 - share) * skin + share * grey, shown)


def _wrinkles(sketch: Sketch, face: Face, skin: Array, age: Array) -> None:
    unit, px = face.unit, face.pose.scale
    for side in SIDES:
        depth = 0.25 * age + 0.55 * unit(12) + 0.7 * unit(9) + 0.6 * unit(10) + 0.15 * unit(20)
        sketch.line(face.fold(side), _crease(skin, 0.75 * depth), 0.03 * px, depth > 0.15)
        feet = 0.8 * unit(6) * (0.6 + age)
        for tilt in (-0.08, 0.06):
            line = face.wrinkle((side * 0.72, side * 0.86), (-0.13 + 0.4 * tilt, -0.13 + 1.6 * tilt))
            sketch.line(line, _crease(skin, 0.6 * feet), 0.02 * px, feet > 0.3)
        frown = unit(4)
        line = face.wrinkle((side * 0.07, side * 0.09), (-0.5, -0.28))
        sketch.line(line, _crease(skin, 0.75 * frown), 0.025 * px, frown > 0.3)
        scrunch = unit(9)
        line = face.wrinkle((side * 0.16, 0.02 * side), (-0.1, -0.16), lift=0.12)
        sketch.line(line, _crease(skin, 0.75 * scrunch), 0.025 * px, scrunch > 0.25)
        line = face.wrinkle((side * 0.17, 0.02 * side), (-0.01, -0.06), lift=0.14)
        sketch.line(line, _crease(skin, 0.65 * scrunch), 0.025 * px, scrunch > 0.35)
    raised = np.clip(0.5 * (unit(1) + unit(2)) * (0.5 + age), 0.0, 1.0)
    for level in (-0.68, -0.8):
        sketch.line(
            face.wrinkle((-0.42, 0.42), (level, level), 0.05), _crease(skin, 0.5 * raised), 0.022 * px, raised > 0.25
        )


def _nose(sketch: Sketch, face: Face, skin: Array) -> None:
    left, right, base = face.nose()
    sketch.line(base, 0.76 * skin, 0.035 * face.pose.scale)
    sketch.fill(left, 0.35 * skin)
    sketch.fill(right, 0.35 * skin)


def _eyes(sketch: Sketch, face: Face, skin: Array, hair: Array, age: Array, dice: Dice) -> None:
    unit, px = face.unit, face.pose.scale
    iris = dice.uniform(20.0, 95.0)
    lashes = dice.uniform(0.022, 0.05)
    for side in SIDES:
        eye = face.eye(side)
        sketch.line(eye.bag, _crease(skin, 0.2 + 0.5 * age + 0.3 * unit(6) + 0.2 * unit(7)), 0.025 * px)
        sketch.line(eye.crease, _crease(skin, 0.4), 0.025 * px)
        sketch.fill(eye.white, np.minimum(225.0, 1.18 * skin + 18.0))
        sketch.fill(eye.iris, iris)
        sketch.fill(eye.pupil, 0.3 * iris)
        sketch.fill(eye.glint, 190.0)
        sketch.line(eye.lower, 0.7 * skin, 0.02 * px)
        sketch.line(eye.upper, np.minimum(0.35 * skin, 55.0), lashes * px)
        sketch.fill(face.brow(side), np.minimum(0.75 * hair + 0.15 * skin, 0.72 * skin))


def _mouth(sketch: Sketch, face: Face, skin: Array, dice: Dice) -> None:
    px = face.pose.scale
    mouth = face.mouth()
    lip = skin * dice.uniform(0.58, 0.86)
    open_mouth = mouth.gap > 0.035
    sketch.fill(mouth.lips, lip)
    sketch.fill(mouth.opening, dice.uniform(14.0, 42.0), open_mouth)
    sketch.fill(mouth.tongue, 0.45 * skin, mouth.gap > 0.3)
    sketch.fill(mouth.teeth, dice.uniform(175.0, 240.0), open_mouth & (mouth.bite > 0.02))
    sketch.fill(mouth.lower_teeth, dice.uniform(150.0, 215.0), open_mouth & (mouth.low_bite > 0.02))
    sketch.line(mouth.line, 0.38 * skin, 0.035 * px, ~open_mouth)
    sketch.line(mouth.below, _crease(skin, 0.25 + 0.4 * face.unit(17)), 0.04 * px)


def _moustache(sketch: Sketch, face: Face, grey: Array, shown: NDArray[np.bool_]) -> None:
    p, unit = face.person, face.unit
    t = np.linspace(-1.0, 1.0, 9)[None, :]
    lip_top = p.mouth_y - 0.05 - 0.06 * unit(10) - 0.03 * unit(9)
    wide = (p.mouth_width + 0.02 + 0.08 * unit(12))[:, None]
    upper_y = (lip_top - 0.13)[:, None] + 0.1 * t**2
    lower_y = (lip_top - 0.035)[:, None] + 0.12 * t**2 - 0.1 * unit(12)[:, None] * t**2
    hairs = face.pose.on_face(
        np.concatenate([wide * t, wide * t[:, ::-1]], 1), np.concatenate([upper_y, lower_y[:, ::-1]], 1), 0.08
    )
    sketch.fill(hairs, grey, shown)
