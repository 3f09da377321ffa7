"""The warp: exact for mirrors, bounded in angle, shift and size, and decided by its seed."""

import numpy as np
import pytest

from study.protocols.augmentation import CUTOUT_GREY, Augmentation


def changed(settings, images, epoch=0, seed=0):
    augmentation = Augmentation(settings, "none", "kerascv")
    augmentation.reseed(seed, epoch)
    labels = np.eye(2, dtype=np.float32)[np.zeros(len(images), int)]
    return np.asarray(augmentation(images, labels)[0])


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (200, 12, 12, 1), dtype=np.uint8)


def test_half_of_the_images_are_mirrored_to_the_bit(noise):
    out = changed({"flip": True}, noise)
    mirrored = (out == noise[:, :, ::-1]).all(axis=(1, 2, 3))
    same = (out == noise).all(axis=(1, 2, 3))
    assert (mirrored | same).all() and 70 < mirrored.sum() < 130


def dot(x, y, side=21):
    image = np.zeros((300, side, side, 1), np.uint8)
    image[:, y - 1 : y + 2, x - 1 : x + 2] = 255
    return image


def centres(images):
    weights = images[..., 0].astype(float)
    total = weights.sum(axis=(1, 2))
    ys, xs = np.mgrid[: images.shape[1], : images.shape[2]]
    return (weights * xs).sum(axis=(1, 2)) / total, (weights * ys).sum(axis=(1, 2)) / total


def test_shifts_reach_a_tenth_of_the_side_both_ways_and_no_further():
    x, y = centres(changed({"translation": 0.1}, dot(10, 10)))
    for moved in (x - 10, y - 10):
        assert -2.2 < moved.min() < -1.8 and 1.8 < moved.max() < 2.2


def test_rotation_turns_about_the_centre_by_ten_degrees_at_most():
    x, y = centres(changed({"rotation_degrees": 10}, dot(17, 10)))
    angles = np.degrees(np.arctan2(y - 10, x - 10))
    assert -10.6 < angles.min() < -9 and 9 < angles.max() < 10.6
    assert np.hypot(x - 10, y - 10) == pytest.approx(7, abs=0.3)


def test_zoom_moves_a_point_away_or_nearer_by_a_tenth():
    x, _ = centres(changed({"zoom": 0.1}, dot(17, 10)))
    assert 0.88 < ((x - 10) / 7).min() < 0.93 and 1.07 < ((x - 10) / 7).max() < 1.12


@pytest.mark.parametrize("kind", ["kerascv", "keras"])
def test_cutout_hides_a_quarter_side_in_half_of_the_images(kind):
    black = np.zeros((400, 48, 48, 1), np.uint8)
    augmentation = Augmentation({"cutout_side": 0.25, "cutout_probability": 0.5}, "none", kind)
    augmentation.reseed(0, 0)
    out = np.asarray(augmentation(black, np.ones((400, 1), np.float32))[0])
    holes = (np.abs(out.astype(float) - CUTOUT_GREY) <= 1).sum(axis=(1, 2, 3))
    assert 160 < (holes > 0).sum() < 240
    assert holes.max() == 144 and np.median(holes[holes > 0]) > 70


def test_reseeding_repeats_an_epoch_and_changes_the_next(noise):
    settings = {"flip": True, "rotation_degrees": 10, "cutout_side": 0.25, "cutout_probability": 0.5}
    assert np.array_equal(changed(settings, noise), changed(settings, noise))
    assert not np.array_equal(changed(settings, noise), changed(settings, noise, epoch=1))
