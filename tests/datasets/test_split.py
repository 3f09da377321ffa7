"""Settling the split."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from study.core.errors import DataError
from study.datasets.readers.entry import NO_SPLIT
from study.datasets.split import TEST, TRAIN, VALIDATION, settle

CLASSES = ("cat", "dog", "emu")


def hashes_of(numbers: NDArray[np.int64]) -> NDArray[np.bytes_]:
    return np.array([f"{number:032x}" for number in numbers], "S32")


def draw(
    labels: NDArray[np.int64], numbers: NDArray[np.int64], given: int | NDArray[np.uint8] = NO_SPLIT, seed: int = 0
):
    codes = np.full(len(labels), given, np.uint8) if isinstance(given, int) else given
    return settle(codes, labels, hashes_of(numbers), CLASSES, "the split folders", seed)


def example(n: int = 600) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return labels of unequal classes and contents of which a quarter are copies."""
    rng = np.random.default_rng(1)
    labels = np.sort(rng.choice(3, n, p=[0.6, 0.3, 0.1]))
    numbers = np.arange(n)
    copies = rng.random(n) < 0.25
    numbers[copies] = (numbers[copies] // 8) * 8
    return labels, numbers


def test_without_a_split_each_class_is_divided_80_10_10() -> None:
    labels, numbers = example()
    splits, source, drawn = draw(labels, numbers)
    assert drawn
    assert "80/10/10" in source and "seed 0" in source
    for label in range(3):
        mine = splits[labels == label]
        for code in (VALIDATION, TEST):
            assert abs((mine == code).mean() - 0.1) < 0.03


@pytest.mark.parametrize("seed", range(20))
def test_identical_images_stay_together(seed: int) -> None:
    labels, numbers = example()
    splits, _, _ = draw(labels, numbers, seed=seed)
    for number in np.unique(numbers):
        assert len(set(splits[numbers == number])) == 1


def test_identical_images_stay_together_even_with_other_labels() -> None:
    labels = np.repeat([0, 1, 2], 40)
    numbers = np.arange(120)
    numbers[60] = numbers[5]
    for seed in range(30):
        splits, _, _ = draw(labels, numbers, seed=seed)
        assert splits[60] == splits[5]


def test_the_split_depends_on_contents_and_seed_not_on_order() -> None:
    labels, numbers = example()
    order = np.random.default_rng(3).permutation(len(labels))
    splits, _, _ = draw(labels, numbers)
    shuffled, _, _ = draw(labels[order], numbers[order])
    other, _, _ = draw(labels, numbers, seed=1)
    assert np.array_equal(shuffled, splits[order])
    assert not np.array_equal(other, splits)


def test_a_complete_split_is_kept() -> None:
    labels, numbers = example(30)
    given = np.tile([TRAIN, VALIDATION, TEST], 10).astype(np.uint8)
    splits, source, drawn = draw(labels, numbers, given)
    assert np.array_equal(splits, given)
    assert source == "The split is given by the split folders."
    assert not drawn


@pytest.mark.parametrize(("there", "made", "name"), [(TEST, VALIDATION, "validation"), (VALIDATION, TEST, "test")])
def test_what_is_missing_is_carved_out_of_train(there: int, made: int, name: str) -> None:
    labels, numbers = example()
    numbers = np.arange(len(labels))
    given = np.where(np.arange(len(labels)) % 5 == 0, there, TRAIN).astype(np.uint8)
    splits, source, drawn = draw(labels, numbers, given)
    assert drawn
    assert f"{name} is 10% of train" in source
    assert np.array_equal(splits == there, given == there)
    assert (splits == made).sum() == pytest.approx(0.1 * (given == TRAIN).sum(), abs=2)


def test_train_alone_is_divided_like_no_split() -> None:
    labels, numbers = example()
    assert np.array_equal(draw(labels, numbers, TRAIN)[0], draw(labels, numbers)[0])


@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 1, 100), (50, 50, 50), (100, 1, 1, 1)])
def test_every_split_gets_an_image_of_every_class_however_groups_are_sized(sizes: tuple[int, ...]) -> None:
    labels = np.repeat([0, 1, 2], sum(sizes))
    numbers = np.concatenate([np.repeat(np.arange(len(sizes)), sizes) + 1000 * label for label in range(3)])
    for seed in range(10):
        splits, _, _ = draw(labels, numbers, seed=seed)
        for label in range(3):
            assert set(splits[labels == label]) == {TRAIN, VALIDATION, TEST}


def test_a_class_with_too_few_different_images_is_refused() -> None:
    with pytest.raises(DataError, match="class emu: expected at least 3 different images, .* found 2"):
        draw(np.repeat([0, 1, 2], 10), np.array([*range(20), *[20] * 5, *[21] * 5]))


def test_a_split_without_train_is_refused() -> None:
    with pytest.raises(DataError, match="expected training images, found only test"):
        draw(np.repeat([0, 1, 2], 10), np.arange(30), TEST)


def test_a_class_without_training_images_is_refused() -> None:
    given = np.where(np.arange(30) < 20, TRAIN, TEST).astype(np.uint8)
    with pytest.raises(DataError, match="expected training images of every class, found none of emu"):
        draw(np.repeat([0, 1, 2], 10), np.arange(30), given)
