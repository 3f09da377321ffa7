"""FER-2013's own facts and the check of a claim to be it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from study.core.errors import DataError
from study.datasets.readers import fer2013
from study.datasets.readers.names import order_classes


def official() -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    counts = list(fer2013.OFFICIAL_COUNTS.values())
    labels = np.concatenate([np.repeat(np.arange(7), row) for row in counts])
    return labels, np.repeat(np.arange(3), [sum(row) for row in counts]).astype(np.uint8)


def check(labels: NDArray[np.int64], splits: NDArray[np.uint8]) -> bool:
    return fer2013.check_claim(labels, splits, fer2013.CLASSES, "fer2013.csv")


def test_the_counts_sum_to_the_published_sizes() -> None:
    assert [sum(counts) for counts in fer2013.OFFICIAL_COUNTS.values()] == [28_709, 3_589, 3_589]
    assert fer2013.TOTAL == 35_887


def test_the_complete_set_and_a_part_are_told_apart() -> None:
    labels, splits = official()
    assert check(labels, splits)
    assert not check(labels[::10], splits[::10])


def test_a_part_with_fewer_classes_is_checked_by_class_names() -> None:
    labels, splits = np.repeat([0, 1], 500), np.zeros(1000, np.uint8)
    assert not fer2013.check_claim(labels, splits, ("happy", "sad"), "here")
    with pytest.raises(DataError, match="at most 436 disgust"):
        fer2013.check_claim(labels, splits, ("disgust", "happy"), "here")


@pytest.mark.parametrize("wrong", ["swapped", "merged", "oversampled", "relabelled"])
def test_wrong_splits_that_claim_to_be_fer2013_are_refused(wrong: str) -> None:
    labels, splits = official()
    if wrong == "swapped":
        splits = np.array([0, 2, 1], np.uint8)[splits]
    elif wrong == "merged":
        splits = np.zeros_like(splits)
    elif wrong == "oversampled":
        labels, splits = np.append(labels, 1), np.append(splits, np.uint8(0))
    else:
        labels = labels.copy()
        labels[0] = 6
    with pytest.raises(DataError, match="fer2013.csv claims to be FER-2013: expected at most"):
        check(labels, splits)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Training_3908.jpg", "train"),
        ("PublicTest_1.png", "validation"),
        ("PrivateTest_99.jpeg", "test"),
        ("Training_3908_flipped.jpg", None),
        ("im0.png", None),
    ],
)
def test_file_names_state_the_split(name: str, split: str | None) -> None:
    assert fer2013.split_of_file(name) == split


def test_other_classes_are_sorted_and_keep_their_spelling() -> None:
    assert list(order_classes({"dog", "Cat", "emu"})) == ["Cat", "dog", "emu"]


def test_two_spellings_of_one_class_are_not_taken_for_fer2013() -> None:
    names = {"angry", "anger", "fear", "happy", "sad", "surprise", "neutral"}
    assert list(order_classes(names)) == sorted(names)
