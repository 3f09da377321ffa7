"""Convolutions as matrix products equal TensorFlow's in outputs and gradients, where they are used and on disk."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from study.models.entry import MODELS
from study.models.fast import convolutions as small_convolutions
from study.models.fast.convolutions import convolve, ordinary_convolutions, pays, quicken_convolutions
from study.training.build import build_network


def gradients(operation, images, kernel):
    with tf.GradientTape() as tape:
        tape.watch([images, kernel])
        outputs = operation(images, kernel)
        loss = tf.reduce_sum(outputs**3)
    return outputs, *tape.gradient(loss, [images, kernel])


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (2, 5), (6, 4)])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (5, 3)])
def test_outputs_and_gradients_are_those_of_the_ordinary_convolution(size, kernel):
    random = np.random.default_rng(0)
    images = tf.constant(random.normal(size=(4, *size, 5)), tf.float32)
    weights = tf.constant(random.normal(size=(*kernel, 5, 7)) / 5, tf.float32)
    expected = gradients(lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"), images, weights)
    for one, other in zip(gradients(convolve, images, weights), expected, strict=True):
        assert one.shape == other.shape and np.allclose(one, other, rtol=1e-4, atol=1e-4)


def test_they_pay_where_kernels_hold_more_numbers_than_images_bring():
    assert pays(6, 6, (3, 3, 512, 512)) and pays(2, 2, (1, 1, 512, 2048))
    assert not pays(12, 12, (3, 3, 512, 512)), "large images"
    assert not pays(3, 3, (3, 3, 128, 128)), "few channels"
    assert not pays(None, 6, (3, 3, 512, 512)), "unknown before an image is there"


@pytest.fixture
def counted(monkeypatch):
    """Return the shapes of the kernels that were used in matrix products."""
    found = []

    def count(images, kernel):
        found.append(tuple(kernel.shape))
        return convolve(images, kernel)

    monkeypatch.setattr(small_convolutions, "convolve", count)
    return found


@pytest.mark.parametrize(
    ("options", "used"),
    [
        ({"kernel_size": 3, "padding": "same"}, True),
        ({"kernel_size": 1, "strides": 2}, True),
        ({"kernel_size": 3, "padding": "same", "use_bias": False, "activation": "relu"}, True),
        ({"kernel_size": 3, "padding": "valid"}, False),
        ({"kernel_size": 3, "padding": "same", "strides": 2}, False),
        ({"kernel_size": 3, "padding": "same", "dilation_rate": 2}, False),
        ({"kernel_size": 2, "padding": "same"}, False),
        ({"kernel_size": 3, "padding": "same", "groups": 2}, False),
    ],
)
def test_layers_keep_their_results_whatever_their_options(options, used, counted):
    model = keras.Sequential([keras.Input((3, 3, 512)), keras.layers.Conv2D(512, **options)])
    images = np.random.default_rng(0).normal(size=(2, 3, 3, 512)).astype("float32")
    expected = model(images).numpy()
    quicken_convolutions(model)
    assert np.allclose(model(images), expected, rtol=1e-4, atol=1e-4)
    assert bool(counted) == used


def test_mixed_precision_takes_the_ordinary_path(counted):
    layer = keras.layers.Conv2D(512, 3, padding="same", dtype="mixed_bfloat16")
    model = keras.Sequential([keras.Input((3, 3, 512)), layer])
    quicken_convolutions(model)
    assert model(np.zeros((1, 3, 3, 512), "float32")).dtype == tf.bfloat16
    assert not counted


def test_networks_use_them_inside_bodies_and_save_ordinary_layers(counted, tmp_path):
    network = build_network(MODELS.get("vgg16"), image_shape=(48, 48, 1), classes=7, side_px=48)
    images = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 1), dtype=np.uint8)
    expected = network.model(images).numpy()
    assert sorted(counted) == [(3, 3, 256, 512)] + [(3, 3, 512, 512)] * 5, "blocks 4 and 5"
    counted.clear()
    network.model.save(tmp_path / "vgg16.keras")
    ordinary = keras.models.load_model(tmp_path / "vgg16.keras")
    assert np.allclose(ordinary(images), expected, rtol=1e-4, atol=1e-5)
    ordinary_convolutions(network.model)
    assert np.allclose(network.model(images), expected, rtol=1e-4, atol=1e-5)
    assert not counted
