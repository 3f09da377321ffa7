"""What is around drawn faces: hair, neck and shoulders, a background, glasses, hands and bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.datasets.synthetic.person import SIDES, Face, there_and_back
from study.datasets.synthetic.tools import Array, Dice, Sketch, plainness


@dataclass(frozen=True)
class Hair:
    """Grey level, styles, place of the parting and volume in face units, each (n,)."""

    grey: Array
    bald: NDArray[np.bool_]
    long: NDArray[np.bool_]
    fringe: NDArray[np.bool_]
    parting: Array
    volume: Array


def sample_hair(skin: Array, difficulty: float, dice: Dice) -> Hair:
    """Return hair, fair only on fair people; the easier the set, the more people wear it short and dark."""
    varied = 1.0 - plainness(difficulty)
    light = dice.chance(0.35) & (skin > 140.0)
    grey = np.where(light, dice.uniform(80.0, 165.0), dice.uniform(14.0, 70.0))
    bald = dice.chance(0.08 * varied)
    return Hair(
        grey=50.0 + (grey - 50.0) * varied,
        bald=bald,
        long=dice.chance(0.42 * varied) & ~bald,
        fringe=dice.chance(0.25 * varied) & ~bald,
        parting=dice.uniform(-0.6, 0.6),
        volume=0.12 + (dice.uniform(0.04, 0.2) - 0.12) * varied,
    )


def draw_behind_face(sketch: Sketch, face: Face, skin: Array, hair: Hair, dice: Dice) -> None:
    """Add long hair, neck, shoulders and ears."""
    height = face.person.head_height[:, None]
    angle = np.linspace(-0.8 * np.pi, 0.8 * np.pi, 22)[None, :]
    grown = 0.04 + hair.volume[:, None]
    # Round over the head, straight down from the ears.
    fallen = np.maximum(np.abs(angle) - 0.5 * np.pi, 0.0)
    x = np.where(fallen > 0.0, np.sign(angle), np.sin(angle)) * (1.0 + grown + 0.08 * fallen)
    y = np.where(fallen > 0.0, 1.7 * fallen, -np.cos(angle) * (height + grown))
    sketch.fill(face.flat(x, y), hair.grey * 0.8, hair.long)
    u = np.linspace(0.0, 1.0, 4)[None, :]
    for side in SIDES:
        for place in (0.25, 0.55, 0.85):
            lock = face.flat(side * (0.98 + (place + 0.3 * u) * grown), -0.5 + 1.7 * u + 0.0 * height)
            sketch.line(lock, hair.grey * dice.uniform(0.7, 1.2), 0.05 * face.pose.scale, hair.long)
    ones = np.ones_like(height)
    drop = 0.4 * face.jaw_drop[:, None]
    neck = face.flat(ones * [[-0.55, 0.55, 0.62, -0.62]], np.array([[0.7, 0.7, 2.2, 2.2]]) + drop)
    sketch.fill(neck, 0.68 * skin)
    shirt_x = ones * [[-2.6, -1.6, -0.62, 0.0, 0.62, 1.6, 2.6]]
    shirt_y = np.array([[2.6, 1.66, 1.42, 1.8, 1.42, 1.66, 2.6]]) + drop
    sketch.fill(face.flat(shirt_x, shirt_y), dice.uniform(15.0, 235.0))
    circle = np.linspace(0.0, 2.0 * np.pi, 12)[None, :]
    for side in SIDES:
        ear = face.flat(side * 0.97 + 0.1 * np.cos(circle) * ones, 0.08 + 0.25 * np.sin(circle) * ones)
        sketch.fill(ear, 0.8 * skin, ~hair.long)


def draw_hair(sketch: Sketch, face: Face, hair: Hair, dice: Dice) -> None:
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
    cap = face.flat(there_and_back(outer_x, inner_x), there_and_back(outer_y, inner_y))
    sketch.fill(cap, hair.grey, ~hair.bald)
    # Strands run from the parting over the top of the head down to the hairline.
    u = np.linspace(0.0, 1.0, 4)[None, :]
    for end in (-0.85, -0.62, -0.38, -0.15, 0.1, 0.35, 0.6, 0.85):
        end_y = line * (1.0 - abs(end) ** 3.5) + temple * abs(end) ** 3.5 - 0.12
        strand_x = 0.7 * parting * (1.0 - u) + end * u + 0.15 * np.sign(end) * np.sin(np.pi * u)
        strand_y = (0.04 - height - 0.6 * volume) * (1.0 - u) ** 1.5 + end_y * u**1.3
        grey = hair.grey * dice.uniform(0.8, 1.25) + dice.uniform(-4.0, 8.0)
        sketch.line(face.flat(strand_x, strand_y), grey, 0.05 * face.pose.scale, ~hair.bald)
    locks = hair.long & dice.chance(0.6)
    for side in SIDES:
        lock_x = side * (0.97 - 0.1 * np.sin(np.pi * u) + 0.08 * u + 0.0 * height)
        lock = face.flat(lock_x, -0.6 + 1.9 * u + 0.0 * height)
        sketch.line(lock, hair.grey, (0.1 + 0.5 * hair.volume) * face.pose.scale, locks)


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
        sketch.line(face.on(x, y, 0.1), frame, thick, glasses)
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
