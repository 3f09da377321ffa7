"""The built-in dataset: its settings, its split, its bound and its repeatability."""

from __future__ import annotations

import numpy as np
import pytest

from study.core.errors import DataError
from study.datasets.synthetic import FER2013_COUNTS, make, set_name


@pytest.fixture(scope="module")
def small():
    return make(images=600)


def test_the_same_settings_give_the_same_bytes(small):
    again = make(images=600)
    assert again.fingerprint == small.fingerprint
    assert np.array_equal(again.images, small.images)


@pytest.mark.parametrize(
    ("settings", "fingerprint"),
    [
        ({"images": 200}, "2fb37441b348348349948a4b4e9a443b061faf75d1a40d10e353d8732f6a9a08"),
        ({"images": 200, "difficulty": 0.0}, "1eae9a98961007e1e4fdb9c8b890ba212a9f378ce665efa3daa5443ac12e659f"),
    ],
)
def test_the_faces_are_those_that_stored_records_were_made_on(settings, fingerprint):
    assert make(**settings).fingerprint == fingerprint


def test_a_face_does_not_depend_on_how_many_are_drawn_with_it():
    from study.datasets.synthetic.drawing import draw_faces

    classes = np.arange(7)
    together = draw_faces(classes, np.arange(7), 0.5, 3)
    for face in range(7):
        alone = draw_faces(classes[face : face + 1], np.array([face]), 0.5, 3)
        assert np.array_equal(alone[0], together[face])


@pytest.mark.parametrize("setting", [{"seed": 1}, {"difficulty": 0.4}, {"label_noise": 0.2}, {"images": 610}])
def test_other_settings_give_another_set_under_another_name(small, setting):
    other = make(**{"images": 600, **setting})
    assert other.fingerprint != small.fingerprint
    assert other.name != small.name
    assert other.settings == {**small.settings, **setting}


def test_the_default_settings_are_called_synthetic():
    assert set_name(images=10_000, difficulty=0.5, label_noise=0.1, seed=0) == "synthetic"
    assert set_name(images=2000, difficulty=0.5, label_noise=0.1, seed=0) == "synthetic-2000"
    everything = set_name(images=2000, difficulty=0.3, label_noise=0.0, seed=7)
    assert everything == "synthetic-2000-d0.3-noise0-seed7"


def test_classes_are_as_unequal_as_in_fer2013():
    clean = make(images=600, label_noise=0.0)
    expected = np.array(FER2013_COUNTS) / sum(FER2013_COUNTS) * 600
    assert np.abs(np.bincount(clean.labels, minlength=7) - expected).max() <= 1.0


def test_every_class_is_in_every_split_in_proportion(small):
    counts = small.counts()
    for train, validation, test in zip(counts["train"], counts["validation"], counts["test"], strict=True):
        assert validation == test == max(1, round(0.1 * (train + validation + test)))


def test_the_bound_is_the_share_of_clean_labels(small):
    clean = make(images=600, label_noise=0.0)
    assert clean.bound is None
    assert np.array_equal(clean.images, small.images)
    test = small.indices("test")
    assert small.bound == pytest.approx(np.mean(small.labels[test] == clean.labels[test]))
    assert np.mean(small.labels != clean.labels) == pytest.approx(0.1)


def test_pictures_are_grey_varied_and_unique(small):
    assert small.images.dtype == np.uint8
    assert small.image_shape == (48, 48, 1)
    assert len(np.unique(small.hashes)) == len(small)
    assert small.drawn
    assert small.images.std(axis=(1, 2)).min() > 3.0


@pytest.mark.parametrize(
    "setting", [{"images": 20}, {"difficulty": 1.5}, {"difficulty": -0.1}, {"label_noise": 0.7}, {"seed": -1}]
)
def test_a_setting_out_of_range_is_named_with_its_rule(setting):
    (name,) = setting
    with pytest.raises(DataError, match=f"{name} must be"):
        make(**setting)
