"""Orders are endless shuffled passes that follow from seed and position alone."""

import numpy as np

from study.training.feed import epoch_order


def test_a_pass_holds_every_index_once():
    order = epoch_order(np.arange(10), 0, 30, seed=1)
    for number in range(3):
        assert sorted(order[number * 10 : number * 10 + 10]) == list(range(10))


def test_a_stream_can_be_entered_anywhere():
    whole = epoch_order(np.arange(10), 0, 40, seed=1)
    assert np.array_equal(epoch_order(np.arange(10), 13, 20, seed=1), whole[13:33])


def test_another_seed_gives_another_order():
    assert not np.array_equal(epoch_order(np.arange(50), 0, 50, 1), epoch_order(np.arange(50), 0, 50, 2))


def test_an_empty_stretch_is_empty():
    assert len(epoch_order(np.arange(5), 3, 0, 0)) == 0
