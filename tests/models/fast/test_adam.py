"""The fused Adam makes the updates of Keras' own, with the same variables."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from study.models.fast.adam import adam, fused_class
from study.protocols.piece import OPTIMIZERS, part


def trained(optimizer, updates=12):
    """Return weights and optimizer variables after updates on gradients that are always the same."""
    random = np.random.default_rng(0)
    variables = [keras.Variable(random.normal(size=shape).astype("float32")) for shape in ((3, 4), (4,), ())]
    optimizer.build(variables)

    @tf.function
    def update(*gradients):
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    for number in range(updates):
        if number == updates // 2:
            optimizer.learning_rate.assign(0.01)
        update(*(tf.constant(random.normal(size=v.shape), "float32") for v in variables))
    return [np.asarray(v) for v in [*variables, *optimizer.variables]]


@pytest.mark.parametrize("settings", [{}, {"beta_1": 0.8, "epsilon": 1e-3}, {"weight_decay": 0.1}, {"amsgrad": True}])
def test_updates_equal_those_of_kerass_adam(settings):
    ours, theirs = adam(learning_rate=0.1, **settings), keras.optimizers.Adam(learning_rate=0.1, **settings)
    for one, other in zip(trained(ours), trained(theirs), strict=True):
        assert np.allclose(one, other, rtol=1e-5, atol=1e-6)


def test_variables_are_named_and_ordered_as_kerass_so_that_checkpoints_fit():
    ours, theirs = adam(), keras.optimizers.Adam(name="adam")
    for optimizer in (ours, theirs):
        optimizer.build([keras.Variable(np.zeros(3, "float32"), name="w")])
    assert [v.path for v in ours.variables] == [v.path for v in theirs.variables]
    assert ours.name == "adam", "however many there were before"


def test_protocols_get_it():
    assert isinstance(OPTIMIZERS.make(part("adam")).build(1e-3), fused_class())
