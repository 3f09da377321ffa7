"""What is around drawn faces and before them: a background, glasses, hands and bars."""

from __future__ import annotations

import numpy as np

from study.datasets.synthetic.dice import Dice
from study.datasets.synthetic.geometry import SIDES, Face
from study.datasets.synthetic.person import Array
from study.datasets.synthetic.sketch import Sketch


def draw_surroundings(sketch: Sketch, background: Array, dice: Dice) -> None:
    """Add things behind the person."""
    for _ in range(2):
        centre = np.stack([dice.uniform(0.0, 48.0), dice.uniform(-5.0, 40.0)], -1)[:, None, :]
        width, height = dice.uniform(4.0, 26.0)[:, None], dice.uniform(6.0, 40.0)[:, None]
        corners = np.stack([width * [[-1, 1, 1, -1]], height * [[-1, -1, 1, 1]]], -1) * 0.5
        sketch.fill(centre + corners, background + dice.normal(35.0), dice.chance(0.5))


def draw_in_the_way(sketch: Sketch, face: Face, skin: Array, difficulty: float, dice: Dice) -> None:
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
    hand_side = np.where(dice.chance(0.5), 1.0, -1.0)
    palm_x, palm_y = hand_side * dice.uniform(0.65, 1.15), dice.uniform(0.75, 1.5)
    reach = dice.uniform(0.45, 0.95)
    lean = hand_side * -dice.uniform(-0.1, 0.7)
    u = np.linspace(0.0, 1.0, 4)[None, :]
    for pass_grey, grow in ((0.62, 0.05), (0.93, 0.0)):
        for finger in range(4):
            base_x = palm_x + (finger - 1.5) * 0.17
            tip = reach * (1.0 - 0.1 * abs(finger - 1.3))
            x = base_x[:, None] + (lean * tip)[:, None] * u + 0.03 * (finger - 1.5) * u
            y = palm_y[:, None] - tip[:, None] * u
            sketch.line(face.flat(x, y), pass_grey * skin, (0.155 + grow) * scale, hand)
    ring = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)[None, :]
    palm = face.flat(palm_x[:, None] + 0.42 * np.cos(ring), palm_y[:, None] + 0.25 + 0.4 * np.sin(ring))
    sketch.fill(palm, 0.9 * skin, hand)

    bar = dice.chance(0.1 * difficulty)
    slope, level = dice.normal(0.25)[:, None], dice.uniform(2.0, 46.0)[:, None]
    across = np.array([[-4.0, 52.0]])
    upright = dice.chance(0.4)[:, None]
    along, over = across + 0.0 * level, level + slope * (across - 24.0)
    ends = np.where(upright[..., None], np.stack([over, along], -1), np.stack([along, over], -1))
    sketch.line(ends, dice.uniform(10.0, 240.0), dice.uniform(2.0, 6.0), bar)
