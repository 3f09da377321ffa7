"""Dropout by bytes drops what Keras' dropout drops: the same share, scaled alike, from the layer's own generator."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from study.models.entry import MODELS
from study.models.fast import dropout as byte_dropout
from study.models.fast.dropout import drop, fits, quicken_dropouts
from study.training.backend import reseed_layers
from study.training.build import build_network


@pytest.mark.parametrize("rate", [0.25, 0.5, 1 / 256, 255 / 256])
def test_the_share_is_exact_and_the_expectation_stays(rate):
    values = tf.ones((1000, 1000))
    dropped = drop(values, rate, [1, 2]).numpy()
    # A million draws: four standard deviations of a share are at most 0.002.
    assert abs((dropped == 0).mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / 1e6)
    assert np.allclose(dropped[dropped > 0], 1 / (1 - rate))


def test_neighbours_are_dropped_independently():
    """Four values share a random word: none of its bytes may follow from another."""
    kept = drop(tf.ones((250_000, 4)), 0.5, [3, 4]).numpy() > 0
    assert np.abs(np.corrcoef(kept.T) - np.eye(4)).max() < 4 / np.sqrt(250_000)


@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 3, 3, 7), (0, 4)])
def test_any_shape_is_taken(shape):
    assert drop(tf.ones(shape), 0.5, [1, 2]).shape == shape


def test_gradients_pass_where_values_were_kept():
    values = tf.constant(np.random.default_rng(0).normal(size=(8, 6, 6, 3)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(values)
        dropped = drop(values, 0.25, [5, 6])
    assert np.allclose(tape.gradient(dropped, values), np.where(dropped == 0, 0, 1 / 0.75))


def test_what_is_infinite_is_dropped_too():
    dropped = drop(tf.fill((100,), np.inf), 0.5, [1, 2]).numpy()
    assert set(dropped) == {0.0, np.inf}


@pytest.fixture
def counted(monkeypatch):
    """Return the rates of the layers that decided by bytes."""
    found = []

    def count(values, rate, seed):
        found.append(rate)
        return drop(values, rate, seed)

    monkeypatch.setattr(byte_dropout, "drop", count)
    return found


@pytest.mark.parametrize(
    ("options", "used"),
    [
        ({"rate": 0.25}, True),
        ({"rate": 0.5, "dtype": "mixed_bfloat16"}, True),
        ({"rate": 0.3}, False),
        ({"rate": 0.0}, False),
        ({"rate": 0.5, "noise_shape": (None, 1)}, False),
    ],
)
def test_layers_use_it_where_their_rate_is_met_exactly(options, used, counted):
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dropout(**options)])
    quicken_dropouts(model)
    ones = np.ones((100, 64), "float32")
    assert np.array_equal(model(ones), ones) and not counted, "predicting drops nothing"
    dropped = keras.ops.convert_to_numpy(keras.ops.cast(model(ones, training=True), "float32"))
    assert bool(counted) == used and ((dropped == 0).any() == (options["rate"] > 0))
    assert fits(options["rate"]) or not used


def test_every_update_drops_others_and_an_epoch_begun_again_the_same(counted):
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dropout(0.5), keras.layers.Dropout(0.25)])
    quicken_dropouts(model)
    ones = np.ones((10, 64), "float32")

    def epoch(number):
        reseed_layers(model, 7, number)
        return [model(ones, training=True).numpy() for _ in range(2)]

    first, again, other = epoch(0), epoch(0), epoch(1)
    assert np.array_equal(first, again) and len(counted) == 12
    assert not np.array_equal(first[0], first[1]) and not np.array_equal(first, other)


def test_networks_train_by_bytes_and_save_ordinary_layers(counted, tmp_path):
    network = build_network(MODELS.get("cnn3"), image_shape=(48, 48, 1), classes=7, side_px=48)
    images = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 1), dtype=np.uint8)
    network.model(images, training=True)
    assert counted == [0.25, 0.25, 0.25, 0.5]
    network.model.save(tmp_path / "cnn3.keras")
    ordinary = keras.models.load_model(tmp_path / "cnn3.keras")
    counted.clear()
    assert np.allclose(ordinary(images), network.model(images), rtol=1e-5)
    ordinary(images, training=True)
    assert not counted


def test_where_there_is_a_gpu_layers_stay_as_they_are(counted, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    network = build_network(MODELS.get("cnn3"), image_shape=(48, 48, 1), classes=7, side_px=48)
    network.model(np.zeros((1, 48, 48, 1), np.uint8), training=True)
    assert not counted
