"""Layer-wise rates: a block learns at its share of the rate, under the traced loop as under any other."""

import keras
import numpy as np

from study.models.entry import ModelEntry
from study.training.build import build_network
from study.training.layerwise import block_factors, with_factors
from study.training.steps import Steps


def build_body(shape, weights):
    images = keras.Input(shape)
    x = keras.layers.Conv2D(4, 3, name="stem")(images)
    x = keras.layers.Conv2D(4, 3, name="block1_conv")(x)
    return keras.Model(images, keras.layers.Conv2D(4, 3, name="block2_conv")(x), name="body")


def make_network():
    keras.utils.set_random_seed(1)
    entry = ModelEntry("tiny", "1", "transfer", build_body, "", "", "", stages=("block2", "block1"))
    return build_network(entry, image_shape=(12, 12, 1), classes=3, side_px=12)


def test_each_block_has_a_share_of_the_rate_above_it():
    network = make_network()
    found = {
        variable.path.split("/")[-2]: factor
        for variable, factor in zip(network.model.trainable_variables, block_factors(network, 0.5), strict=True)
    }
    assert found == {"probabilities": 1.0, "block2_conv": 0.5, "block1_conv": 0.25, "stem": 0.25}


def test_adam_moves_each_variable_by_its_share():
    """Adam's first step is the rate itself, whatever the gradient's size: so a block's step tells its rate."""
    network = make_network()
    factors = block_factors(network, 0.5)
    optimizer = with_factors(keras.optimizers.Adam(0.01, epsilon=1e-12), factors)
    network.model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    optimizer.build(network.model.trainable_variables)
    before = [np.asarray(variable) for variable in network.model.trainable_variables]
    images = np.random.default_rng(0).integers(0, 256, (6, 12, 12, 1), dtype=np.uint8)
    batch = (images, np.eye(3, dtype=np.float32)[[0, 1, 2] * 2], np.ones(6, np.float32))
    import tensorflow as tf

    Steps(network.model).run(tf.data.Dataset.from_tensors(batch), [0.01])
    for variable, old, factor in zip(network.model.trainable_variables, before, factors, strict=True):
        step = np.abs(np.asarray(variable) - old).max()
        assert np.isclose(step, 0.01 * factor, rtol=1e-3), variable.path
