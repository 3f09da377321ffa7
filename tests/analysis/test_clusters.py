"""Duplicate groups: sums by group, and what is refused."""

import numpy as np
import pytest

from study.analysis.contrasts import Clusters
from study.core.errors import UsageError


def test_sums_are_taken_over_each_group_wherever_its_images_lie() -> None:
    clusters = Clusters.of(["b", "a", "b", "c", "a"], 5)
    assert clusters.count == 3
    assert clusters.sums(np.array([[1.0, 2.0, 4.0, 8.0, 16.0]])).tolist() == [[18.0, 5.0, 8.0]]


def test_without_ids_every_image_is_a_group_of_its_own() -> None:
    assert Clusters.of(None, 3).sums(np.array([1.0, 2.0, 3.0])).tolist() == [1.0, 2.0, 3.0]


def test_ids_of_distinct_images_give_the_same_sums_as_no_ids_up_to_order() -> None:
    values = np.array([5.0, 6.0, 7.0])
    assert sorted(Clusters.of([30, 10, 20], 3).sums(values)) == sorted(values)


@pytest.mark.parametrize(("groups", "images"), [([0, 1, 2], 4), ([0, 0, 0], 3), ([], 0)])
def test_ids_that_do_not_fit_or_a_single_group_are_refused(groups: list[int], images: int) -> None:
    with pytest.raises(UsageError, match="group id for each image and at least two groups"):
        Clusters.of(groups, images)
