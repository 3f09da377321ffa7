"""The traced loop makes the same updates as Keras' fit, traces once, and says the same of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from study.protocols.piece import AVERAGES, part
from study.training.steps import Steps

BATCH, COUNT = 8, 13


def make_model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(4, 3)(inputs)
    x = keras.layers.BatchNormalization()(x)
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(x))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.fixture
def batches():
    random = np.random.default_rng(0)
    images = random.normal(size=(BATCH * COUNT, 6, 6, 1)).astype("float32")
    labels = np.eye(3, dtype="float32")[random.integers(0, 3, BATCH * COUNT)]
    weights = random.uniform(0.5, 2, BATCH * COUNT).astype("float32")
    return tf.data.Dataset.from_tensor_slices((images, labels, weights)).batch(BATCH)


def test_updates_and_metrics_equal_those_of_fit(batches):
    ours, theirs = make_model(), make_model()
    logs = Steps(ours).run(batches, [0.001] * COUNT)
    history = theirs.fit(batches, epochs=1, shuffle=False, verbose=0).history
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert np.allclose(one, other, atol=1e-6)
    assert logs["loss"] == pytest.approx(history["loss"][0], rel=1e-5)
    assert logs["accuracy"] == pytest.approx(history["accuracy"][0])


def test_epochs_are_counted_apart_and_nothing_is_traced_again(batches):
    model = make_model()
    traced = []
    original = model.train_step
    model.train_step = lambda data: traced.append(1) or original(data)
    steps = Steps(model)
    first = steps.run(batches, [0.001] * COUNT)
    for _ in range(5):
        last = steps.run(batches, [0.001] * COUNT)
    assert len(traced) == 1
    assert last["loss"] < first["loss"]
    assert int(model.optimizer.iterations) == 6 * COUNT


def test_fewer_updates_than_batches_are_made_as_asked(batches):
    model = make_model()
    Steps(model).run(batches, [0.001] * 3)
    assert int(model.optimizer.iterations) == 3


def test_the_average_of_weights_and_statistics_is_that_of_the_updates_one_by_one(batches):
    average = AVERAGES.make(part("ema", most=0.4))
    model, by_hand = make_model(), make_model()
    expected = [np.asarray(weight) for weight in by_hand.weights]
    alone = Steps(by_hand)
    for update, batch in enumerate(batches.take(5)):
        alone.run([batch], [0.001])
        decay = min(0.4, (1 + update) / (10 + update))
        expected = [
            decay * old + (1 - decay) * np.asarray(new) for old, new in zip(expected, by_hand.weights, strict=True)
        ]
    steps = Steps(model, average)
    steps.run(batches, [0.001] * 2)
    continued = Steps(model, average)
    continued.set_averages(steps.averages())
    continued.run(batches.skip(2), [0.001] * 3, first_update=2)
    for weight, one, other in zip(model.weights, continued.averages(), expected, strict=True):
        assert np.allclose(one, other, atol=1e-6), weight.path
        assert weight.path.endswith("gamma") or not np.allclose(one, np.asarray(weight), atol=1e-6), weight.path
