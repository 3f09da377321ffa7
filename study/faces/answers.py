"""What a network says about one face of a picture, and how that is written as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.faces.faces import Box


@dataclass(frozen=True)
class Answer:
    """One face.

    Attributes:
        box: Where it is.
        probabilities: float32 (classes,).
        label: Index of the class that it is said to show: the most probable one, or in a video the one that has been
            so for a while.
        track: In a video the number that the face keeps from frame to frame.
    """

    box: Box
    probabilities: NDArray[np.float32]
    label: int
    track: int | None = None

    def to_json(self, classes: Sequence[str]) -> dict[str, Any]:
        """Return plain JSON data: ``id`` (in a video), ``box`` in pixels, ``label``, ``probabilities`` by class."""
        return {
            **({} if self.track is None else {"id": self.track}),
            "box": self.box._asdict(),
            "label": classes[self.label],
            "probabilities": {
                name: round(float(share), 4) for name, share in zip(classes, self.probabilities, strict=True)
            },
        }


def answer(box: Box, probabilities: NDArray[np.float32]) -> Answer:
    """Return the answer that names the most probable class."""
    return Answer(box, probabilities, int(probabilities.argmax()))
