"""Steady answers about a face in a video: probabilities averaged over time, labels that change for a reason only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: With answers as noisy as those of a network that is right in six of ten, ten times a second, these follow a real
#: change within half a second and add hardly any of their own.
TIME_CONSTANT_S = 0.5
MARGIN = 0.08


@dataclass
class Smoothed:
    """What is said about one face.

    Attributes:
        probabilities: float32 (classes,), averaged; they sum to one.
        label: Index of the class that is named.
        time_s: When the network answered last.
        answers: How often it has answered.
    """

    probabilities: NDArray[np.float32]
    label: int
    time_s: float
    answers: int = 1


class Smoother:
    """Averages what a network says about faces.

    Older answers lose weight exponentially; the first ones count alike, so that no single frame decides the beginning.
    Another class is named when its average is larger by a margin than that of the class named so far.

    Args:
        time_constant_s: After this time, an answer weighs 1/e of a new one; 0 for the latest answer alone.
        margin: 0..1.
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
