"""The paired interval of two networks on the same images."""

import numpy as np
import pytest

from study.analysis.paired import paired_difference


def test_an_interval_computed_by_hand():
    first = np.array([True] * 60 + [False] * 40)
    second = np.array([True] * 50 + [False] * 50)
    found = paired_difference(first, second)
    half = 1.959964 * np.sqrt((0.1 - 0.01) * 100 / 99) / 10
    assert (found.difference, found.low, found.high) == pytest.approx((0.1, 0.1 - half, 0.1 + half))
    assert found.told_apart


def test_equal_networks_are_not_told_apart():
    same = np.array([True, False, True])
    assert not paired_difference(same, same).told_apart


def test_other_images_are_refused():
    with pytest.raises(ValueError, match="same two or more images"):
        paired_difference(np.ones(3, bool), np.ones(4, bool))
