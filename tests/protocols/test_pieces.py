"""Single pieces against what they say: warps and holes in pictures, schedules as lists, decay and averages by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from study.protocols.augmentation import Augmenter
from study.protocols.piece import AVERAGES, OPTIMIZERS, SAMPLINGS, SCHEDULES, VIEWS, part
from study.protocols.pieces.augmentations import GREY, KerasCutout, Sometimes


def changed(images, *parts, epoch=0, seed=0):
    augmenter = Augmenter(parts)
    augmenter.reseed(seed, epoch)
    labels = np.eye(2, dtype=np.float32)[np.zeros(len(images), int)]
    return np.asarray(augmenter(images, labels)[0])


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (200, 12, 12, 1), dtype=np.uint8)


def dot(x, y, side=21):
    image = np.zeros((300, side, side, 1), np.uint8)
    image[:, y - 1 : y + 2, x - 1 : x + 2] = 255
    return image


def centres(images):
    weights = images[..., 0].astype(float)
    total = weights.sum(axis=(1, 2))
    ys, xs = np.mgrid[: images.shape[1], : images.shape[2]]
    return (weights * xs).sum(axis=(1, 2)) / total, (weights * ys).sum(axis=(1, 2)) / total


def test_half_of_the_images_are_mirrored_to_the_bit(noise):
    out = changed(noise, part("affine", flip=True))
    mirrored = (out == noise[:, :, ::-1]).all(axis=(1, 2, 3))
    same = (out == noise).all(axis=(1, 2, 3))
    assert (mirrored | same).all() and 70 < mirrored.sum() < 130


def test_shifts_reach_a_tenth_of_the_side_both_ways_and_no_further():
    x, y = centres(changed(dot(10, 10), part("affine", translation=0.1)))
    for moved in (x - 10, y - 10):
        assert -2.2 < moved.min() < -1.8 and 1.8 < moved.max() < 2.2


def test_rotation_turns_about_the_centre_by_ten_degrees_at_most():
    x, y = centres(changed(dot(17, 10), part("affine", rotation_degrees=10.0)))
    angles = np.degrees(np.arctan2(y - 10, x - 10))
    assert -10.6 < angles.min() < -9 and 9 < angles.max() < 10.6
    assert np.hypot(x - 10, y - 10) == pytest.approx(7, abs=0.3)


def test_zoom_moves_a_point_away_or_nearer_by_a_tenth():
    x, _ = centres(changed(dot(17, 10), part("affine", zoom=0.1)))
    assert 0.88 < ((x - 10) / 7).min() < 0.93 and 1.07 < ((x - 10) / 7).max() < 1.12


def test_each_part_of_the_warp_happens_with_its_probability():
    out = changed(dot(17, 10), part("affine", rotation_degrees=10.0, translation=0.1, zoom=0.1, probability=0.5))
    untouched = (out == dot(17, 10)).all(axis=(1, 2, 3)).mean()
    assert 0.06 < untouched < 0.2, "one in eight: none of the three"


def test_jitter_shifts_by_whole_pixels_and_repeats_the_edge():
    image = np.random.default_rng(0).integers(1, 255, (1, 48, 48, 1), dtype=np.uint8).repeat(300, axis=0)
    out = changed(image, part("jitter", pixels=4))
    padded = np.pad(image[0, ..., 0], 4, mode="edge")
    found = set()
    for one in out[..., 0]:
        places = [
            (down, right)
            for down in range(9)
            for right in range(9)
            if np.array_equal(one, padded[down : down + 48, right : right + 48])
        ]
        assert len(places) == 1
        found.update(places)
    assert len(found) > 70, "nearly all of the 81 shifts"


@pytest.mark.parametrize("kind", ["the backend's", "plain Keras"])
def test_cutout_hides_a_quarter_side_in_half_of_the_images(kind):
    black = np.zeros((400, 48, 48, 1), np.uint8)
    augmenter = Augmenter([part("cutout", side=0.25, probability=0.5)])
    if kind == "plain Keras":
        augmenter.changes = [Sometimes(KerasCutout(0.25), 0.5)]
    augmenter.reseed(0, 0)
    out = np.asarray(augmenter(black, np.ones((400, 1), np.float32))[0])
    holes = (np.abs(out.astype(float) - GREY) <= 1).sum(axis=(1, 2, 3))
    assert 160 < (holes > 0).sum() < 240
    assert holes.max() == 144 and np.median(holes[holes > 0]) > 70


def test_erasing_hides_a_rectangle_of_6_to_20_pixels_inside_half_of_the_images():
    out = changed(np.zeros((600, 48, 48, 1), np.uint8), part("erasing", least=0.125, most=0.42, probability=0.5))
    holes = out[..., 0] > 0
    hit = holes.any(axis=(1, 2))
    heights, widths = holes.any(axis=2).sum(axis=1)[hit], holes.any(axis=1).sum(axis=1)[hit]
    assert 240 < hit.sum() < 360
    assert (holes.sum(axis=(1, 2))[hit] == heights * widths).all(), "a whole rectangle"
    for sides in (heights, widths):
        assert sides.min() == 6 and sides.max() == 20
    assert holes.any(axis=0).mean() > 0.95, "anywhere in the image"


def test_mixup_adds_images_and_labels_in_the_same_shares():
    images = np.zeros((64, 8, 8, 1), np.uint8)
    images[::2] = 200
    labels = np.eye(2, dtype=np.float32)[np.arange(64) % 2]
    augmenter = Augmenter([part("mixup", alpha=0.4)])
    augmenter.reseed(0, 0)
    mixed, shares = (np.asarray(one) for one in augmenter(images, labels))
    assert np.allclose(mixed[:, 0, 0, 0], 200 * shares[:, 0], atol=1) and (shares[:, 0] > 0).sum() > 32


def test_reseeding_repeats_an_epoch_and_changes_the_next(noise):
    parts = (part("affine", flip=True, rotation_degrees=10.0), part("cutout", probability=0.5))
    assert np.array_equal(changed(noise, *parts), changed(noise, *parts))
    assert not np.array_equal(changed(noise, *parts), changed(noise, *parts, epoch=1))


def test_oversampling_repeats_small_classes_only():
    pool = SAMPLINGS.make(part("oversample")).pool(np.arange(100, 110), np.array([0] * 8 + [1] * 2), seed=0)
    values, counts = np.unique(pool, return_counts=True)
    assert len(pool) == 16 and (counts[values < 108] == 1).all() and counts[values >= 108].sum() == 8


def test_class_weights_give_every_class_the_same_total():
    weights = SAMPLINGS.make(part("class-weights")).weights(np.array([0, 0, 0, 1]), 2)
    assert np.allclose([weights[0] * 3, weights[1]], 2)


def rates(schedule, base=0.1, updates=100, updates_per_epoch=1):
    made = SCHEDULES.make(schedule)
    return [made.rate(base, update, updates, updates_per_epoch) for update in range(updates)]


def test_rates_are_constant_cosine_or_stepped():
    assert set(rates(part("constant"))) == {0.1}
    cosine = rates(part("cosine"))
    assert [cosine[0], cosine[50]] == pytest.approx([0.1, 0.05])
    assert math.isclose(cosine[25], 0.1 * (1 + math.cos(math.pi / 4)) / 2)
    assert rates(part("steps", factors=(3.0, 2.0, 1.0)), 1.0, 9) == [3] * 3 + [2] * 3 + [1] * 3


def test_cosine_and_steps_change_between_epochs_only():
    for schedule in (part("cosine"), part("steps", factors=(1.0, 0.5))):
        found = np.reshape(rates(schedule, updates=40, updates_per_epoch=10), (4, 10))
        assert (found == found[:, :1]).all() and found[0, 0] > found[-1, 0]


def test_warmup_rises_to_the_rate_and_the_cosine_ends_near_zero():
    found = rates(part("warmup-cosine", warmup_epochs=2.0), 1.0, updates=16, updates_per_epoch=2)
    by_hand = [0.125, 0.375, 0.625, 0.875]
    by_hand += [0.5 * (1 + math.cos(math.pi * (update + 0.5) / 12)) for update in range(12)]
    assert found == pytest.approx(by_hand)


def test_weight_decay_is_added_to_the_gradients_of_kernels_alone():
    import keras

    layers = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    optimizer = OPTIMIZERS.make(part("sgd", momentum=0.9, nesterov=True, kernel_decay=0.01)).build(0.1)
    optimizer.build(layers.trainable_variables)
    before = {one.path: np.asarray(one).copy() + 0.5 for one in layers.trainable_variables}
    for one in layers.trainable_variables:
        one.assign(before[one.path])
    optimizer.apply_gradients([(keras.ops.zeros(one.shape), one) for one in layers.trainable_variables])
    for one in layers.trainable_variables:
        # Nesterov's first step on a constant gradient g is rate * (1 + momentum) * g.
        step = 0.1 * 1.9 * 0.01 * before[one.path] if one.path.endswith("kernel") else 0.0
        assert np.allclose(before[one.path] - np.asarray(one), step, rtol=1e-4, atol=1e-9), one.path


def test_the_average_follows_at_first_and_smooths_later():
    ema = AVERAGES.make(part("ema", most=0.9))
    assert [ema.decay(update) for update in (0, 1, 8, 10_000)] == pytest.approx([0.1, 2 / 11, 0.5, 0.9])


def test_ten_views_are_the_centre_and_the_corners_each_mirrored():
    shifts = VIEWS.make(part("ten")).shifts(48)
    corners = {(down, right) for down in (-4, 4) for right in (-4, 4)}
    assert set(shifts) == {(*place, mirrored) for place in {(0, 0), *corners} for mirrored in (False, True)}
    assert {shift[:2] for shift in VIEWS.make(part("five")).shifts(96)} == {(0, 0), (-8, -8), (-8, 8), (8, -8), (8, 8)}
