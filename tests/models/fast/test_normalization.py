"""The fused layer equals Keras' own in outputs, gradients and moving statistics, and shares its weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from study.models.fast.normalization import fuse_batch_normalizations, fused_class


@pytest.fixture
def pair():
    random = np.random.default_rng(0)
    layers = [kind(momentum=0.9) for kind in (keras.layers.BatchNormalization, fused_class())]
    weights = [random.normal(1, 0.3, 5), random.normal(0, 1, 5), random.normal(0, 1, 5), random.uniform(0.5, 2, 5)]
    for layer in layers:
        layer.build((None, 6, 7, 5))
        layer.set_weights([weight.astype("float32") for weight in weights])
    return layers


@pytest.fixture
def images():
    return tf.constant(np.random.default_rng(1).normal(2, 3, (4, 6, 7, 5)).astype("float32"))


def step(layer, images, training):
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = layer(images, training=training)
        loss = tf.reduce_sum(outputs**3)
    return outputs, tape.gradient(loss, [images, *[weight.value for weight in layer.trainable_weights]])


@pytest.mark.parametrize("training", [True, False])
def test_outputs_gradients_and_moving_statistics_are_equal(pair, images, training):
    (plain, plain_gradients), (fused, fused_gradients) = (step(layer, images, training) for layer in pair)
    assert np.allclose(plain, fused, atol=1e-4)
    for one, other in zip(plain_gradients, fused_gradients, strict=True):
        assert np.allclose(one, other, rtol=1e-3, atol=1e-2)
    for one, other in zip(pair[0].get_weights(), pair[1].get_weights(), strict=True):
        assert np.allclose(one, other, atol=1e-5)


def test_a_frozen_layer_neither_moves_its_statistics_nor_uses_the_batch(pair, images):
    for layer in pair:
        layer.trainable = False
    before = [weight.copy() for weight in pair[1].get_weights()]
    plain, fused = (layer(images, training=True) for layer in pair)
    assert np.allclose(plain, fused, atol=1e-4)
    assert all(np.array_equal(one, other) for one, other in zip(before, pair[1].get_weights(), strict=True))


def test_dense_outputs_take_the_plain_path():
    layer, plain = fused_class()(), keras.layers.BatchNormalization()
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    assert np.allclose(layer(x, training=True), plain(x, training=True), atol=1e-5)


def test_a_body_keeps_its_outputs_and_its_weights_when_fused():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="block_conv")(inputs)
    body = keras.Model(inputs, keras.layers.BatchNormalization(name="block_bn")(x), name="body")
    body.set_weights([np.random.default_rng(0).uniform(0.5, 1, weight.shape) for weight in body.get_weights()])
    fused = fuse_batch_normalizations(body)
    images = np.random.default_rng(1).normal(size=(2, 8, 8, 3)).astype("float32")
    assert isinstance(fused.get_layer("block_bn"), fused_class())
    assert np.allclose(body(images), fused(images), atol=1e-5)
    assert [weight.shape for weight in fused.weights] == [weight.shape for weight in body.weights]
