"""Views are the mean over shifted and mirrored images, predicted beside the single view."""

import numpy as np
import pytest

from study.protocols.piece import VIEWS, part
from study.training.scoring import predict_views, shifted

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 12, 12, 1), dtype=np.uint8)


class Corner:
    """Stands for a network that looks at one pixel near the upper left corner."""

    def __call__(self, images, mirrored=False):
        seen = images[:, :, ::-1] if mirrored else images
        return seen[:, 1, 2].astype(np.float32) * [1, 2]


@pytest.mark.parametrize("name", ["flip", "five", "ten"])
def test_views_are_the_mean_of_the_answers_to_the_shifted_images(name):
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge").astype(float)
    corners = [(0, 0)] if name == "flip" else [(0, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)]
    seen = [padded[:, 2 + down : 14 + down, 2 + right : 14 + right] for down, right in corners]
    seen += [] if name == "five" else [image[:, :, ::-1] for image in seen]
    expected = np.mean([image[:, 1, 2] * [1, 2] for image in seen], axis=0)
    assert np.allclose(predict_views(Corner(), IMAGES, VIEWS.make(part(name))), expected)


def test_a_shift_repeats_the_edges():
    assert np.array_equal(shifted(IMAGES, 0, 0), IMAGES)
    moved = shifted(IMAGES, 3, -2)
    assert np.array_equal(moved[:, :9, 2:], IMAGES[:, 3:, :10])
    assert np.array_equal(moved[:, 11], np.pad(IMAGES, ((0, 0), (0, 0), (2, 0), (0, 0)), mode="edge")[:, 11, :12])
