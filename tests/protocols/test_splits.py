"""Divisions: what a run uses follows from the set and the protocol alone, and twins share their images."""

import math

import numpy as np
import pytest

from study.core.errors import UsageError
from study.core.spec import SPLITS
from study.datasets import synthetic
from study.protocols import PROTOCOLS, resolve
from study.protocols.contamination import SEEN_CONTENT, SEEN_ID, measure_run, seen_in_training
from study.protocols.splits import make_splits, share_of
from tests.changed import replace


@pytest.fixture(scope="module")
def faces():
    return synthetic.make(images=300)


def splits(faces, name):
    protocol = PROTOCOLS.get(name)
    return make_splits(faces, resolve(protocol, family="custom", weights_source="none", train_images=240))


def test_most_protocols_use_the_set_s_own_split(faces):
    own = splits(faces, "baseline")
    for split in SPLITS:
        assert np.array_equal(getattr(own, split), faces.indices(split))
    about = own.describe(faces)
    assert about.own_test and about.hashes == {split: faces.split_hash(split) for split in SPLITS}
    assert {
        name: list(row) for name, row in about.counts.items()
    } == faces.counts() and about.source == faces.split_source


def test_a_share_has_the_same_part_of_every_class_and_larger_shares_hold_smaller_ones(faces):
    labels = faces.labels[faces.indices("train")]
    shares = {share: share_of(labels, faces.indices("train"), share) for share in (0.1, 0.25, 1.0)}
    assert np.array_equal(shares[1.0], faces.indices("train"))
    assert set(shares[0.1]) < set(shares[0.25]) < set(shares[1.0]) and np.all(np.diff(shares[0.25]) > 0)
    counts = np.bincount(faces.labels[shares[0.25]])
    assert counts.tolist() == [max(1, round(0.25 * count)) for count in faces.counts()["train"]]


def test_a_share_says_so_and_leaves_the_other_splits_whole(faces):
    whole = resolve(PROTOCOLS.get("baseline"), family="custom", weights_source="none", train_images=60)
    part = make_splits(faces, replace(whole, train_share=0.25))
    assert np.array_equal(part.validation, faces.indices("validation")) and np.array_equal(
        part.scored, faces.indices("test")
    )
    about = part.describe(faces)
    assert about.own_test and "25 % of the training split, stratified by class" in about.source
    assert about.hashes["train"] != faces.split_hash("train")


def test_a_protocol_that_splits_anew_takes_no_share(faces):
    name = next(one.name for one in PROTOCOLS if one.new_split)
    anew = resolve(PROTOCOLS.get(name), family="custom", weights_source="none", train_images=60)
    with pytest.raises(UsageError, match="makes its own training split"):
        make_splits(faces, replace(anew, train_share=0.25))


@pytest.mark.parametrize("name", [one.name for one in PROTOCOLS if one.new_split])
def test_a_new_split_divides_all_images_and_is_the_same_every_time(faces, name):
    one, again = splits(faces, name), splits(faces, name)
    assert all(np.array_equal(getattr(one, split), getattr(again, split)) for split in SPLITS)
    parts = [one.origins(getattr(one, split)) for split in SPLITS]
    assert set(np.concatenate(parts)) == set(range(len(faces)))
    assert len(one.scored) == math.ceil(0.1 * len(faces)) and np.all(np.diff(one.scored) > 0)
    assert not one.describe(faces).own_test


@pytest.mark.parametrize("name", [one.name for one in PROTOCOLS if one.new_split and one.leak != "none"])
def test_images_fall_as_in_the_clean_twin_and_their_copies_anywhere(faces, name):
    n = len(faces)
    leaky, clean = splits(faces, name), splits(faces, PROTOCOLS.get(name).twin)
    assert np.array_equal(leaky.scored, clean.scored) and np.array_equal(clean.test, clean.scored)
    for split in SPLITS:
        mine, twin = getattr(leaky, split), getattr(clean, split)
        first = twin[twin < n]
        assert np.array_equal(mine[: len(first)], first), "the images themselves come first, as in the twin"
        assert len(mine) > len(first), "and copies of any image follow"
    copies = np.concatenate(
        [getattr(leaky, split)[len(getattr(clean, split)[getattr(clean, split) < n]) :] for split in SPLITS]
    )
    held_out = np.isin(leaky.origins(copies), clean.test)
    assert 0.03 < held_out.mean() < 0.3


def test_oversampling_before_the_split_makes_the_classes_of_the_pool_equal(faces):
    leaky = splits(faces, "leaky/oversample-before-split")
    pool = np.concatenate([getattr(leaky, split) for split in SPLITS])
    counts = np.bincount(faces.labels[pool])
    assert len(set(counts)) == 1 and np.all(pool < len(faces))


def test_copies_of_the_clean_twin_are_of_training_images_alone(faces):
    clean = splits(faces, "clean-twin/augment-after-split")
    n = len(faces)
    assert np.array_equal(clean.origins(clean.train[clean.train >= n]), clean.train[clean.train < n])
    assert np.all(clean.validation < n) and np.all(clean.test < n)


def test_a_changed_copy_is_the_same_image_but_not_the_same_content(faces):
    leaky = splits(faces, "leaky/augment-before-split")
    seen = seen_in_training(faces, leaky)
    changed = leaky.origins(leaky.train[leaky.train >= len(faces)])
    assert np.array_equal(seen & SEEN_ID > 0, np.isin(leaky.scored, changed))
    assert not np.any(seen & SEEN_CONTENT), "drawn faces have no identical copies"


def test_an_oversampled_copy_has_the_same_content(faces):
    leaky = splits(faces, "leaky/oversample-before-split")
    seen = seen_in_training(faces, leaky)
    assert set(seen) == {0, SEEN_ID + SEEN_CONTENT}
    found = measure_run(faces, leaky, declared=True)
    assert found.trained_on_test_ids == found.test_copies_in_train == np.count_nonzero(seen)


def test_the_oracle_looks_at_the_test_split_for_one_choice_only(faces):
    oracle = splits(faces, "leaky/checkpoint-on-test")
    assert np.array_equal(oracle.validation, faces.indices("validation"))
    assert set(oracle.chosen_on) == set(faces.indices("validation")) | set(faces.indices("test"))
    validation = splits(faces, "leaky/test-as-validation")
    assert np.array_equal(validation.validation, faces.indices("test"))
