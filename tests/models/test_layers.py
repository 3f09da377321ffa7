"""Preprocessing in the graph equals keras.applications' own."""

import numpy as np
import pytest

from study.models.layers import preprocess


def apply(images, family, side_px, channels):
    import keras

    inputs = keras.Input(images.shape[1:], dtype="uint8")
    return np.asarray(keras.Model(inputs, preprocess(inputs, family, side_px, channels))(images))


@pytest.fixture
def colour():
    return np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_each_family_is_preprocessed_as_keras_applications_do(colour, mode):
    from keras.src.applications.imagenet_utils import preprocess_input

    expected = preprocess_input(colour.astype("float32"), mode=mode, data_format="channels_last")
    assert apply(colour, mode, 48, 3) == pytest.approx(np.asarray(expected), abs=1e-4)


def test_unit_and_inside_are_0_to_1_and_raw(colour):
    assert apply(colour, "unit", 48, 3) == pytest.approx(colour / 255, abs=1e-6)
    assert np.array_equal(apply(colour, "inside", 48, 3), colour.astype("float32"))


def test_grey_is_repeated_for_three_channels(colour):
    grey = colour[..., :1]
    assert np.array_equal(apply(grey, "inside", 48, 3), np.repeat(grey, 3, axis=-1).astype("float32"))


def test_colour_becomes_grey_by_luminance(colour):
    expected = (colour * [0.299, 0.587, 0.114]).sum(axis=-1, keepdims=True)
    assert apply(colour, "inside", 48, 1) == pytest.approx(expected, abs=1e-3)


def test_images_are_resized_in_the_graph_within_their_range(colour):
    out = apply(colour, "inside", 96, 3)
    assert out.shape == (3, 96, 96, 3) and out.min() >= colour.min() and out.max() <= colour.max()
    assert apply(colour, "inside", 24, 3).shape == (3, 24, 24, 3)


def test_resizing_leaves_what_comes_after_it_at_inference():
    import keras

    body_input = keras.Input((16, 16, 1))
    body = keras.Model(body_input, keras.layers.Dropout(0.9)(body_input))
    images = keras.Input((8, 8, 1), dtype="uint8")
    network = keras.Model(images, body(preprocess(images, "unit", 16, 1)))
    bright = np.full((4, 8, 8, 1), 200, np.uint8)
    assert np.array_equal(network(bright), network(bright, training=False))
    assert not np.array_equal(network(bright), network(bright, training=True)), "asked for, training is training"
