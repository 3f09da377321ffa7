"""Orders are endless shuffled passes that follow from seed and position alone."""

import numpy as np

from study.protocols.sampling import class_weights, epoch_order, training_pool


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


def test_oversampling_repeats_small_classes_only():
    labels = np.array([0] * 8 + [1] * 2)
    pool = training_pool(np.arange(100, 110), labels, "oversample", seed=0)
    values, counts = np.unique(pool, return_counts=True)
    assert len(pool) == 16 and (counts[values < 108] == 1).all() and counts[values >= 108].sum() == 8


def test_without_oversampling_the_pool_is_the_training_split():
    train = np.arange(5)
    assert training_pool(train, np.zeros(5, int), "none", 0) is train


def test_class_weights_give_every_class_the_same_total():
    labels = np.array([0, 0, 0, 1])
    weights = class_weights(labels, 2)
    assert np.allclose([weights[0] * 3, weights[1]], 2)
