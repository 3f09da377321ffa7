"""Light and camera: shades painted faces like round heads, then blurs, exposes and adds grain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from study.datasets.synthetic.person import SIDES, Face
from study.datasets.synthetic.tools import Array, Dice


def _relief(face: Face, side: int, toward: Array) -> Array:
    """Return the light (n, side, side) of sockets, nose, cheeks and chin, lit from ``toward``, -1..1 from the left."""
    unit, p = face.unit, face.person
    # Soft spots: middle (x, y), width and height in face units, strength (even light is 1), height above the head.
    spots: list[tuple[Array | float, Array | float, float, float, Array | float, float]] = []
    for one in SIDES:
        facing = one * toward
        spots += [
            (one * p.eye_x * 0.92, p.eye_y - 0.1, 0.3, 0.17, -0.2 + 0.06 * unit(5), 0.0),
            (one * 0.16, -0.12, 0.12, 0.18, -0.16 + 0.1 * facing, 0.0),
            (one * 0.17, 0.1, 0.1, 0.2, -0.07 + 0.09 * facing, 0.1),
            (one * 0.52, 0.26 - 0.08 * unit(6), 0.3, 0.22, 0.1 + 0.1 * unit(6) + 0.08 * unit(12), 0.0),
            (one * 0.66, 0.72, 0.24, 0.4, -0.1 + 0.06 * facing, 0.0),
            (one * (p.nose_width + 0.1), p.nose_y - 0.04, 0.11, 0.17, -0.12 + 0.12 * facing, 0.05),
            (one * (p.mouth_width + 0.12), p.mouth_y, 0.1, 0.16, -0.1 - 0.1 * unit(12) - 0.1 * unit(15), 0.0),
        ]
    spots += [
        (0.0, p.nose_y - 0.32, 0.09, 0.3, 0.13, 0.2),
        (0.0, p.nose_y - 0.07, 0.12, 0.1, 0.12, 0.25),
        (0.0, p.nose_y + 0.11, 0.22, 0.09, -0.2, 0.0),
        (0.0, p.brow_y - 0.25, 0.6, 0.25, 0.07, 0.0),
        (0.0, p.brow_y + 0.08, 0.14, 0.14, -0.22 * unit(4), 0.0),
        (0.0, p.mouth_y + 0.24 + face.jaw_drop * 0.7, 0.22, 0.08, -0.16, 0.0),
        (0.0, p.mouth_y + 0.42 + face.jaw_drop, 0.2, 0.13, 0.1, 0.0),
        (0.0, p.mouth_y + 0.36 + face.jaw_drop, 0.2, 0.1, -0.12 * unit(17), 0.0),
    ]
    pixels, scale = np.arange(side) + 0.5, face.pose.scale
    across, down = [], []  # each spot is the product of a bell over columns and a bell over rows
    for x, y, width, height, strength, lift in spots:
        point = face.on(np.atleast_2d(x), np.atleast_2d(y), lift)[:, 0]
        across.append(strength * np.exp(-(((pixels - point[:, :1]) / (width * scale)) ** 2)))
        down.append(np.exp(-(((pixels - point[:, 1:]) / (height * scale)) ** 2)))
    return np.stack(down, axis=2) @ np.stack(across, axis=1)


def photograph(painted: NDArray[np.uint8], face: Face, difficulty: float, dice: Dice) -> NDArray[np.uint8]:
    """Return photographs, uint8 (n, side, side, 1), of painted faces, uint8 (n, side, side).

    Everything is computed in float64, so that rounding to grey levels hides differences between processors.
    """
    import cv2

    count, side, _ = painted.shape
    pose = face.pose
    harsh = 0.08 + 0.7 * difficulty * dice.uniform(0.0, 1.3)
    light_x, light_y = dice.uniform(-1.0, 1.0), dice.uniform(-1.0, 0.45)
    pixels = np.arange(side) + 0.5
    column = ((pixels - pose.centre_x) / pose.scale)[:, None, :]
    row = ((pixels - pose.centre_y) / (1.3 * pose.scale))[:, :, None]
    outside = np.maximum(column**2 + row**2, 0.0)
    height = np.sqrt(np.maximum(1.12 - outside, 0.05))
    on_head = 1.0 / (1.0 + np.exp(10.0 * (outside - 1.15)))
    lean = column * light_x[..., None] + row * light_y[..., None]
    round_light = 0.72 + 0.3 * height + harsh[..., None] * lean
    light = 1.0 + on_head * (round_light - 1.0 + _relief(face, side, light_x))
    light *= 1.0 + (0.4 * difficulty * dice.normal())[..., None] * (1.0 - on_head) * column
    pictures = painted * np.maximum(light, 0.12)

    grain = dice.noise.reshape(count, side, side)
    coarse = np.ascontiguousarray(grain[:, ::4, ::4])
    texture = dice.uniform(1.0, 3.0 + 9.0 * difficulty)
    blur = dice.uniform(0.25, 0.4 + 0.6 * difficulty)
    for index in range(count):
        pictures[index] += texture[index] * cv2.resize(coarse[index], (side, side), interpolation=cv2.INTER_LINEAR)
        pictures[index] = cv2.GaussianBlur(pictures[index], (5, 5), float(blur[index, 0]))
    middle, spread = pictures.mean(axis=(1, 2), keepdims=True), pictures.std(axis=(1, 2), keepdims=True)
    # Cameras expose for the picture: most use the whole range of grey levels.
    varied = 1.0 + dice.normal(0.22 * (0.15 + 1.4 * difficulty), 1.7)[..., None]
    contrast = (0.4 + 0.6 * 74.0 / np.maximum(spread, 15.0)) * varied
    target = 0.5 * 122.0 + 0.5 * middle + dice.normal(20.0 * (0.15 + 1.3 * difficulty))[..., None]
    pictures = (pictures - middle) * contrast + target + dice.uniform(0.5, 2.0 + 8.0 * difficulty)[..., None] * grain
    grey: NDArray[np.uint8] = np.rint(np.clip(pictures, 0.0, 255.0)).astype(np.uint8)
    return grey[..., None]
