"""What is cut from a picture looks as the training images do."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from study.faces.crops import cut_faces, find_faces, is_face_crop
from study.faces.faces import Box, HaarDetector
from tests.faces.people import background, drawn_faces, put_face


def colour(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


@pytest.mark.parametrize("shape", [(48, 48), (100, 100), (96, 112), (128, 128), (24, 24)])
def test_a_small_square_picture_is_a_face_cut_out_already(shape: tuple[int, int]) -> None:
    assert is_face_crop(np.zeros((*shape, 3), np.uint8))


@pytest.mark.parametrize("shape", [(129, 129), (48, 80), (720, 1280), (480, 480)])
def test_other_pictures_are_searched(shape: tuple[int, int]) -> None:
    assert not is_face_crop(np.zeros((*shape, 3), np.uint8))


def test_a_training_image_reaches_the_network_unchanged() -> None:
    picture = colour(drawn_faces()[4])
    boxes, whole = find_faces(picture, HaarDetector())
    assert (boxes, whole) == ([Box(0, 0, 48, 48)], True)
    np.testing.assert_array_equal(cut_faces(picture, boxes, (48, 48, 1))[0, ..., 0], drawn_faces()[4])


def test_every_picture_is_a_face_when_that_is_said() -> None:
    picture = background(300, 200)
    assert find_faces(picture, HaarDetector()) == ([], False)
    assert find_faces(picture, HaarDetector(), crops=True) == ([Box(0, 0, 300, 200)], True)


def test_a_face_that_is_found_in_a_picture_comes_out_as_it_was_put_in() -> None:
    """The margin is right: what is cut agrees better with the face's own image than what is cut larger or smaller."""
    alike: dict[float, list[float]] = {0.7: [], 1.0: [], 1.3: []}
    for face in range(7):
        picture = background(500, 400).copy()
        put_face(picture, face, (250, 200), 170)
        (box,) = find_faces(picture, HaarDetector())[0]
        x, y = box.centre
        for scale, agreements in alike.items():
            side = round(box.width * scale)
            cut = cut_faces(picture, [Box(round(x - side / 2), round(y - side / 2), side, side)], (48, 48, 1))
            pair = [cv2.GaussianBlur(image, (0, 0), 1.5)[8:40, 8:40] for image in (cut[0, ..., 0], drawn_faces()[face])]
            agreements.append(np.corrcoef(pair[0].ravel(), pair[1].ravel())[0, 1])
    typical = {scale: np.median(agreements) for scale, agreements in alike.items()}
    assert typical[1.0] > 0.75
    assert typical[1.0] > max(typical[0.7], typical[1.3]) + 0.1


def test_reducing_averages_over_areas() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (480, 240))
    cut = cut_faces(colour(stripes), [Box(0, 0, 480, 480)], (48, 48, 1))
    assert cut.shape == (1, 48, 48, 1) and abs(cut.astype(int) - 127).max() <= 1


def test_three_channels_are_red_green_blue() -> None:
    picture = np.zeros((60, 60, 3), np.uint8)
    picture[..., 2] = 200  # red in OpenCV's order
    assert cut_faces(picture, [Box(5, 5, 50, 50)], (32, 32, 3))[0, 16, 16].tolist() == [200, 0, 0]


def test_a_box_beyond_the_picture_repeats_its_edge() -> None:
    picture = background(100, 80).copy()
    picture[:, 0] = 7
    cut = cut_faces(picture, [Box(-30, 10, 60, 60), Box(70, 50, 60, 60)], (60, 60, 3))
    assert (cut[0, :, :30] == 7).all()
    np.testing.assert_array_equal(cut[0, :, 30:], cv2.cvtColor(picture[10:70, :30], cv2.COLOR_BGR2RGB))
    np.testing.assert_array_equal(cut[1, -1, -1], picture[-1, -1, ::-1])


def test_no_boxes_are_no_images() -> None:
    assert cut_faces(background(50, 50), [], (48, 48, 1)).shape == (0, 48, 48, 1)
