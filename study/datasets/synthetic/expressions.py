"""Expressions as facial action units: which muscles move, how strongly, in each drawn face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from study.datasets.synthetic.tools import Dice, plainness

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

# Action units of the Facial Action Coding System that the drawing knows, with what each does.
ACTION_UNITS = {
    1: "inner brow raised",
    2: "outer brow raised",
    4: "brows lowered and drawn together",
    5: "upper lid raised",
    6: "cheek raised",
    7: "lids tightened",
    9: "nose wrinkled",
    10: "upper lip raised",
    12: "lip corners pulled up",
    15: "lip corners pulled down",
    17: "chin raised",
    20: "lips stretched sideways",
    23: "lips tightened",
    25: "lips parted",
    26: "jaw dropped",
    27: "mouth stretched open",
    43: "eyes closing",
}
COLUMN = {unit: column for column, unit in enumerate(ACTION_UNITS)}

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


def _pick_variants(drawn: NDArray[np.int64], chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the full-strength action units (n, units) of one variant of each face's expression."""
    result = np.zeros((len(drawn), len(COLUMN)))
    for label, name in enumerate(CLASSES):
        threshold = 0.0
        for weight, units in VARIANTS[name]:
            chosen = (drawn == label) & (chance >= threshold) & (chance < threshold + weight + 1e-9)
            threshold += weight
            result[chosen] = [units.get(unit, 0.0) for unit in ACTION_UNITS]
    return result


def express(drawn: NDArray[np.int64], difficulty: float, dice: Dice) -> NDArray[np.float64]:
    """Return the strength (n, units), 0..1.2 (1.8 in the easiest sets), of every action unit in every face.

    Difficulty weakens expressions, mixes a second one in, and moves muscles that do not belong to the expression.

    Args:
        drawn: Class index (n,) of the expression to draw.
        difficulty: 0..1.
        dice: Random numbers of the same n faces.
    """
    weakest = max(0.0, 1.0 - 1.5 * difficulty)
    intensity = weakest + (1.08 - weakest) * dice.uniform(0.0, 1.0) ** (0.5 + 0.5 * difficulty)
    units = _pick_variants(drawn, dice.uniform(0.0, 1.0)) * intensity[:, None]
    units *= np.clip(1.0 + 0.45 * difficulty * dice.normals(units.shape[1]), 0.0, 1.4)
    second = dice.integers(len(CLASSES))
    share = np.where(dice.uniform(0.0, 1.0) < difficulty, dice.uniform(0.0, min(1.0, 1.15 * difficulty)), 0.0)
    mixed = _pick_variants(second, dice.uniform(0.0, 1.0)) * share[:, None]
    stray = 0.34 * difficulty * np.maximum(dice.normals(units.shape[1]) - 0.3, 0.0)
    units = np.clip(units * (1.0 - 0.6 * share[:, None]) + mixed + stray, 0.0, 1.2)
    return units * (1.0 + 0.5 * plainness(difficulty))
