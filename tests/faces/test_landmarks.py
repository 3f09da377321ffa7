"""Landmarks lie where the face is, however it is turned and whatever cut it out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from study.faces.detection import Box, square
from study.faces.landmarks import OUTLINES, POINTS, FaceMesh
from tests.faces.people import background, put_face
from tests.faces.photographs import photograph

#: Middles of Admiral Hopper's eyes and mouth, read off the photograph.
LEFT_EYE, RIGHT_EYE, MOUTH = (220, 194), (307, 189), (268, 275)
FACE = Box(145, 98, 240, 240)


def features(points: np.ndarray) -> np.ndarray:
    """Return the middles of the eyes and the mouth."""
    corners = points[[33, 133, 263, 362, 61, 291]].reshape(3, 2, 2)
    return corners.mean(axis=1)


@pytest.mark.parametrize("turn", [0, 25, -40])
@pytest.mark.parametrize("grow", [0.9, 1.0, 1.15])
def test_eyes_and_mouth_are_found_on_a_photograph(turn: float, grow: float) -> None:
    picture = photograph("matplotlib", "mpl-data", "sample_data", "grace_hopper.jpg")
    centre = FACE.centre
    about = cv2.getRotationMatrix2D(centre, turn, 1.0)
    turned = cv2.warpAffine(picture, about, picture.shape[1::-1])
    truth = np.array([LEFT_EYE, RIGHT_EYE, MOUTH]) @ about[:, :2].T + about[:, 2]
    points = FaceMesh().points(turned, square(*centre, FACE.width * grow))
    assert points.shape == (POINTS, 2) and points.dtype == np.float32
    np.testing.assert_allclose(features(points), truth, atol=8)


def test_drawn_faces_have_landmarks_too() -> None:
    picture = background(640, 480).copy()
    put_face(picture, 3, (300, 220), 200)
    left, right, mouth = features(FaceMesh().points(picture, square(300, 220, 200)))
    assert left[0] < 290 < 310 < right[0] and left[1] == pytest.approx(right[1], abs=15)
    assert mouth[0] == pytest.approx(300, abs=20) and mouth[1] > left[1] + 50


def test_where_there_is_no_face_there_are_no_landmarks() -> None:
    mesh, clouds = FaceMesh(), background(640, 480)
    assert mesh.points(clouds, Box(200, 100, 200, 200)) is None
    assert mesh.points(clouds, Box(-900, -900, 50, 50)) is None
    assert mesh.points(np.zeros((1, 1, 3), np.uint8), Box(0, 0, 1, 1)) is None


def test_outlines_are_lines_through_points_that_there_are() -> None:
    assert all(0 <= point < POINTS for line in OUTLINES for point in line)
    assert all(line[0] == line[-1] for line in OUTLINES if len(line) > 12)
