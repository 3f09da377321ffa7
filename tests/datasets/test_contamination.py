"""What splits share, and the guard."""

from __future__ import annotations

import numpy as np
import pytest

from study.core.errors import DataError
from study.datasets.contamination import guard, measure
from study.datasets.image_set import ImageSet, make_image_set
from study.datasets.readers import fer2013
from tests.changed import replace


def make(numbers: list[int], labels: list[int], splits: list[int]) -> ImageSet:
    """Return a set of one-pixel images; equal numbers are identical images."""
    images = np.array(numbers, np.uint8).reshape(-1, 1, 1, 1)
    ids = np.array([f"i{row}" for row in range(len(numbers))])
    return make_image_set(
        "tiny", images, np.array(labels), ("cat", "dog"), ids, np.array(splits, np.uint8), "The test says so."
    )


def test_copies_are_counted_within_and_across_splits() -> None:
    found = measure(
        make([1, 1, 2, 3, 1, 2, 4, 1, 1, 3], [0, 0, 0, 1, 1, 0, 1, 0, 0, 1], [0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
    )
    assert found.images == {"validation in train": 2, "test in train": 3, "test in validation": 2}
    assert found.ids == {"validation in train": 0, "test in train": 0, "test in validation": 0}
    assert found.repeated == {"train": 1, "validation": 0, "test": 1}
    assert (found.distinct, found.groups, found.conflicting) == (4, 3, 1)


def test_clean_splits_share_nothing() -> None:
    found = guard(make([1, 2, 3, 4], [0, 1, 0, 1], [0, 0, 1, 2]))
    assert not any(found.images.values())
    assert found.to_json()["distinct"] == 4


def test_a_shared_id_is_refused() -> None:
    data = make([1, 2, 3, 4], [0, 1, 0, 1], [0, 0, 1, 2])
    with pytest.raises(DataError, match="found 1 ids of test are in train"):
        guard(replace(data, ids=np.array(["a", "b", "c", "a"])))


def official(swap: bool = False) -> ImageSet:
    """Return a set of one-pixel images with FER-2013's name and counts."""
    order = ("train", "test", "validation") if swap else ("train", "validation", "test")
    counts = [fer2013.OFFICIAL_COUNTS[split] for split in order]
    labels = np.concatenate([np.repeat(np.arange(7), row) for row in counts])
    splits = np.repeat(np.arange(3), [sum(row) for row in counts]).astype(np.uint8)
    images = np.zeros((fer2013.TOTAL, 1, 1, 1), np.uint8)
    ids = np.arange(fer2013.TOTAL).astype(str)
    hashes = np.char.zfill(ids, 32).astype("S32")
    return make_image_set(fer2013.NAME, images, labels, fer2013.CLASSES, ids, splits, "The test says so.", hashes)


def test_the_official_counts_pass_and_swapped_ones_do_not() -> None:
    guard(official())
    with pytest.raises(DataError, match="expected FER-2013's validation counts .* swapped, merged or changed split"):
        guard(official(swap=True))
