"""Landmarks: the 468 points of Google's face mesh on a face that was found."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from study.faces.detection import Box, open_model

POINTS = 468
#: Points of the mesh that make the outlines to draw: lips, eyes, eyebrows, the face's oval.
OUTLINES = (
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185, 61),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191, 78),
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246, 33),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466, 263),
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
    (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377)
    + (152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109, 10),
)
_EYES = (33, 133), (263, 362)
_INPUT_PX = 192
#: Side of what the network sees, in sides of a face's square and of the points' own box.
_ROOM, _ROOM_AROUND_POINTS = 1.35, 1.5


class FaceMesh:
    """Finds the points of a face: first in its upright square, then twice more where and how it turned out to lie."""

    def __init__(self) -> None:
        self._session = open_model("face_mesh.onnx")

    def points(self, picture: NDArray[np.uint8], box: Box) -> NDArray[np.float32] | None:
        """Return points float32 (468, 2) in pixels of a picture uint8 (h, w, 3) BGR; None where there is no face."""
        found, logit = self._look(picture, box.centre, _ROOM * max(box.width, box.height), 0.0)
        for _ in range(2):
            left, right = (found[list(corners)].mean(axis=0) for corners in _EYES)
            low, high = found.min(axis=0), found.max(axis=0)
            centre, side = tuple((low + high) / 2), _ROOM_AROUND_POINTS * float((high - low).max())
            found, logit = self._look(picture, centre, side, math.atan2(right[1] - left[1], right[0] - left[0]))
        return found if logit > 0 else None

    def _look(
        self, picture: NDArray[np.uint8], centre: tuple[float, float], side: float, tilt: float
    ) -> tuple[NDArray[np.float32], float]:
        """Return the points in a tilted square of the picture, and the logit of there being a face."""
        import cv2

        scale = _INPUT_PX / max(side, 1.0)
        turned = np.array([[math.cos(tilt), math.sin(tilt)], [-math.sin(tilt), math.cos(tilt)]]) * scale
        place = np.column_stack([turned, _INPUT_PX / 2 - turned @ np.array(centre)])
        cut = cv2.warpAffine(picture, place, (_INPUT_PX, _INPUT_PX), flags=cv2.INTER_LINEAR)
        given = cv2.cvtColor(cut, cv2.COLOR_BGR2RGB).astype(np.float32)[np.newaxis] / 255
        mesh, logit = self._session.run(None, {self._session.get_inputs()[0].name: given})
        back = cv2.invertAffineTransform(place)
        points = mesh.reshape(POINTS, 3)[:, :2] @ back[:, :2].T + back[:, 2]
        return points.astype(np.float32), float(logit.ravel()[0])
