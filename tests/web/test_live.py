"""The camera's frames are answered one by one; what is no frame is refused."""

import base64

import numpy as np
import pytest

from study.faces.detection import Box, Detection
from study.web.asking import LARGEST_PX, Live, frame_image
from tests.trained.fakes import fake_runtime


class TwoFaces:
    def find(self, picture):
        return [Detection(Box(20, 30, 40, 40), 0.9), Detection(Box(120, 30, 50, 50), 0.8)]


def sent(width=200, height=100, number=1, colour=(10, 20, 30), **other):
    pixels = np.full((height, width, 3), colour, np.uint8).tobytes()
    return {"number": number, "width": width, "height": height, "pixels": base64.b64encode(pixels).decode()} | other


def test_faces_keep_their_numbers_from_frame_to_frame():
    live = Live(fake_runtime(), TwoFaces())
    for number in (1, 2, 3):
        said = live.ask(sent(number=number))
        assert said["number"] == number and said["width"] == 200
        assert [face["words"].split()[0] for face in said["faces"]] == ["1", "2"]
        assert said["faces"][0]["box"] == [20, 30, 40, 40]


def test_pixels_are_taken_as_they_are():
    image = frame_image(sent(20, 30))
    assert image.shape == (30, 20, 3) and (image == (30, 20, 10)).all()


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"number": 1},
        {**sent(), "width": None},
        {**sent(), "width": "many"},
        {**sent(), "width": 201},
        {**sent(), "height": -100, "width": -200},
        {**sent(), "pixels": "A" * 80_001},
        {**sent(), "pixels": "=" * 80_000},
        {**sent(), "pixels": "é" * 80_000},
        {**sent(), "width": float("inf")},
        sent(LARGEST_PX + 1, 100),
        sent(8, 8),
    ],
)
def test_what_is_no_frame_is_refused_and_the_next_is_answered(frame):
    live = Live(fake_runtime(), TwoFaces())
    with pytest.raises(ValueError, match="not a frame"):
        live.ask(frame)
    assert len(live.ask(sent())["faces"]) == 2
