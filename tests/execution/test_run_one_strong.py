"""A run under `strong`: the average of the last epoch is kept, ten views predicted, a cosine resumed in its middle."""

import math

import numpy as np
import pytest

from study.core.files import file_sha256
from study.core.registry import load_plugin
from study.datasets import synthetic
from study.execution.run_one import execute
from study.models.entry import model
from study.protocols.piece import SCHEDULES
from tests.execution.test_run_one import Interrupt, spec_for, without_times

VIEWS = ("validation_views", "test_views")


@pytest.fixture(scope="module", autouse=True)
def normalised(registered_models):
    """Register a network with statistics, which are averaged too."""
    load_plugin("experiments/plugin_example.py")

    @model("normalised", source="test", body="test", head="test")
    def build(images, classes):
        import keras

        x = keras.layers.Conv2D(4, 3, strides=4)(images)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.Dropout(0.3)(keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x)))
        return keras.layers.Dense(classes, activation="softmax")(x)


@pytest.fixture(scope="module")
def faces():
    return synthetic.make(images=300)


@pytest.fixture(scope="module")
def done(faces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("strong")
    record = execute(spec_for(faces, "strong", "normalised", epochs=4), faces, keep_weights=folder / "w.weights.h5")
    assert record.status == "done", record.traceback
    return record, folder / "w.weights.h5"


def test_nothing_is_chosen_and_views_are_stored_apart(done):
    record, _ = done
    assert record.outcome.best_epoch == len(record.history) - 1 == 3
    for name in VIEWS:
        plain = record.arrays[name.replace("views", "probabilities")]
        assert record.arrays[name].shape == plain.shape and not np.allclose(record.arrays[name], plain, atol=1e-3)
        assert np.allclose(record.arrays[name].sum(axis=1), 1, atol=1e-4)


def test_the_rate_rises_then_follows_the_cosine_to_its_end(done):
    record, _ = done
    phase, first, count = record.spec.protocol.phases[0], record.history[0].updates, record.history[-1].updates
    cosine = [0.05 * (1 + math.cos(math.pi * (place + 0.5) / (count - first))) for place in range(count - first)]
    warmup = [0.1 * (update + 0.5) / first for update in range(first)]
    schedule = SCHEDULES.make(phase.schedule)
    rates = [schedule.rate(phase.rate, update, count, phase.updates_per_epoch) for update in range(count)]
    assert rates == pytest.approx(warmup + cosine)
    assert [row.rate for row in record.history] == pytest.approx([rates[epoch * first] for epoch in range(4)])


@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_interrupted_run_resumes_to_the_same_bytes(done, faces, tmp_path, after):
    def stop(event):
        if event["kind"] == "epoch" and event["epoch"] == after + 1:
            raise Interrupt

    spec = done[0].spec
    with pytest.raises(Interrupt):
        execute(spec, faces, checkpoint_folder=tmp_path, progress=stop)
    seen = []
    again = execute(
        spec, faces, checkpoint_folder=tmp_path, progress=seen.append, keep_weights=tmp_path / "w.weights.h5"
    )
    assert [event["epoch"] for event in seen if event["kind"] == "epoch"] == list(range(after + 1, 4))
    assert without_times(again) == without_times(done[0])
    assert all(np.array_equal(again.arrays[name], values) for name, values in done[0].arrays.items())
    assert again.weights_sha256 == done[0].weights_sha256 == file_sha256(tmp_path / "w.weights.h5")
