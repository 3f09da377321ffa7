"""Execute: a spec becomes a record, the same spec gives the same record, and no failure escapes."""

import math
import shutil

import numpy as np
import pytest

from study.core.files import file_sha256
from study.core.record import PREDICTIONS, Outcome
from study.core.registry import load_plugin
from study.core.spec import DatasetName, ModelName, Spec, Start
from study.datasets import synthetic
from study.execution.run_one import execute
from study.models.entry import MODELS, ModelEntry
from study.protocols import PROTOCOLS, Protocol, resolve
from study.protocols.piece import part
from study.training.checkpoint import Checkpoint, checkpoints
from study.training.monitor import log_loss
from tests.changed import replace


@pytest.fixture(scope="module", autouse=True)
def tiny(registered_models):
    load_plugin("experiments/plugin_example.py")


@pytest.fixture(scope="module")
def faces():
    return synthetic.make(images=300)


def spec_for(faces, protocol="oversample+augment", name="tiny", seed=0, epochs=3, **changes):
    entry = MODELS.get(name)
    named = protocol if isinstance(protocol, Protocol) else PROTOCOLS.get(protocol)
    train = len(faces.indices("train"))
    spec = Spec(
        dataset=faces.identity,
        model=entry.identity,
        protocol=resolve(named, family=entry.family, weights_source="none", train_images=train, epochs=epochs),
        budget="test",
        side_px=48,
        weights=Start(source="none"),
        precision="float32",
        backend="tensorflow",
        seed=seed,
    )
    return replace(spec, **changes)


def without_times(record):
    data = record.to_json()
    for name in ("timing", "cost", "provenance", "weights_file", "weights_sha256"):
        data.pop(name, None)
    for row in data["history"]:
        row.pop("train_s"), row.pop("validation_s")
    return data


@pytest.fixture(scope="module")
def done(faces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    events = []
    spec = spec_for(faces)
    record = execute(
        spec, faces, keep_weights=folder / "w.weights.h5", checkpoint_folder=folder / "c", progress=events.append
    )
    return record, events, folder


def test_a_run_leaves_a_whole_record(done, faces):
    record, events, folder = done
    assert record.status == "done", record.traceback
    assert set(record.arrays) == set(PREDICTIONS)
    for split in ("validation", "test"):
        n = len(faces.indices(split))
        assert record.arrays[f"{split}_probabilities"].shape == (n, 7)
        assert np.allclose(record.arrays[f"{split}_flipped"].sum(axis=1), 1, atol=1e-4)
        assert np.array_equal(record.arrays[f"{split}_labels"], faces.labels[faces.indices(split)])
    assert [row.epoch for row in record.history] == [0, 1, 2]
    assert [row.updates for row in record.history] == [4, 8, 12]
    assert record.cost.parameters == 160 + 4_640 + 32_263
    assert record.cost.macs > 0 and record.cost.latency_single_ms > 0 and record.cost.peak_memory_mb > 0
    assert record.timing.wall_s >= record.timing.train_s > 0
    assert record.contamination.leaky is False and record.provenance.code
    assert file_sha256(folder / "w.weights.h5") == record.weights_sha256
    assert len(checkpoints(folder / "c")) == 2, "until the record is stored"
    assert [event["kind"] for event in events] == ["phase", "epoch", "epoch", "epoch", "predict"]


def test_predictions_come_from_the_epoch_with_the_best_validation_loss(done):
    record, _, _ = done
    losses = [row.validation_loss for row in record.history]
    assert record.outcome.best_epoch == int(np.argmin(losses))
    found = log_loss(record.arrays["validation_probabilities"], record.arrays["validation_labels"])
    assert math.isclose(found, min(losses), rel_tol=1e-4)


def test_stored_weights_give_the_stored_predictions(done, faces):
    from study.training.build import build_network
    from study.training.predict import Predictor

    record, _, folder = done
    network = build_network(MODELS.get("tiny"), image_shape=(48, 48, 1), classes=7, side_px=48)
    network.model.load_weights(folder / "w.weights.h5")
    images = faces.images[faces.indices("test")]
    predictor = Predictor(network.model)
    assert np.allclose(predictor(images), record.arrays["test_probabilities"], atol=1e-5)
    assert np.allclose(predictor(images[:, :, ::-1]), record.arrays["test_flipped"], atol=1e-5)


def test_the_same_spec_gives_the_same_record(done, faces):
    again = execute(spec_for(faces), faces)
    assert without_times(again) == without_times(done[0])
    assert all(np.array_equal(again.arrays[name], done[0].arrays[name]) for name in PREDICTIONS)


def test_another_seed_gives_another_network(done, faces):
    other = execute(spec_for(faces, seed=1), faces)
    assert not np.array_equal(other.arrays["test_probabilities"], done[0].arrays["test_probabilities"])


class Interrupt(BaseException):
    """Stands for Ctrl-C in mid-run."""


@pytest.mark.parametrize("after", [0, 1])
def test_an_interrupted_run_resumes_to_the_same_record(done, faces, tmp_path, after):
    def stop(event):
        if event["kind"] == "epoch" and event["epoch"] == after + 1:
            raise Interrupt

    spec = spec_for(faces)
    with pytest.raises(Interrupt):
        execute(spec, faces, checkpoint_folder=tmp_path, progress=stop)
    seen = []
    record = execute(spec, faces, checkpoint_folder=tmp_path, progress=seen.append)
    assert [event["epoch"] for event in seen if event["kind"] == "epoch"] == list(range(after + 1, 3))
    assert without_times(record)["history"] == without_times(done[0])["history"]
    assert all(np.array_equal(record.arrays[name], done[0].arrays[name]) for name in PREDICTIONS)


def test_a_run_killed_after_its_training_only_predicts_again(done, faces, tmp_path):
    """The record is stored after the run has ended: what lies between must not cost the training."""
    shutil.copytree(done[2] / "c", tmp_path / "c")
    seen = []
    record = execute(spec_for(faces), faces, checkpoint_folder=tmp_path / "c", progress=seen.append)
    assert [event["kind"] for event in seen] == ["phase", "predict"]
    assert without_times(record) == without_times(done[0])
    assert all(np.array_equal(record.arrays[name], done[0].arrays[name]) for name in PREDICTIONS)


@pytest.mark.parametrize("count", [1, 2])
def test_damaged_checkpoints_cost_epochs_and_not_the_result(done, faces, tmp_path, count):
    shutil.copytree(done[2] / "c", tmp_path / "c")
    for path in checkpoints(tmp_path / "c")[-count:]:
        path.write_bytes(path.read_bytes()[:-1])
    seen = []
    record = execute(spec_for(faces), faces, checkpoint_folder=tmp_path / "c", progress=seen.append)
    assert sum(event["kind"] == "note" for event in seen) == count
    assert [event["epoch"] for event in seen if event["kind"] == "epoch"] == ([2] if count == 1 else [0, 1, 2])
    assert all(np.array_equal(record.arrays[name], done[0].arrays[name]) for name in PREDICTIONS)


def test_a_checkpoint_of_another_network_is_not_used(done, faces, tmp_path):
    """A plugin that was changed without a new version has the same run key."""
    state, arrays = Checkpoint(done[2] / "c", spec_for(faces).key).load()
    arrays["weights"] = [np.zeros((2, 2), np.float32)]
    Checkpoint(tmp_path, spec_for(faces).key).save(0, state, arrays)
    seen = []
    record = execute(spec_for(faces), faces, checkpoint_folder=tmp_path, progress=seen.append)
    assert record.status == "done" and "does not fit" in seen[0]["text"]
    assert np.array_equal(record.arrays["test_probabilities"], done[0].arrays["test_probabilities"])


def test_a_transfer_network_runs_its_phases_from_random_weights(faces):
    """Two phases over the whole body, the second from the best weights of the first with a fresh optimizer."""

    def body(shape, weights):
        import keras

        inputs = keras.Input(shape)
        x = keras.layers.Conv2D(4, 3, strides=4, name="block1_conv")(inputs)
        return keras.Model(inputs, keras.layers.BatchNormalization(name="block2_bn")(x), name="small")

    entry = ModelEntry("small-body", "1", "transfer", body, "", "", "", "caffe", 48, 8, ("block2", "block1"))
    MODELS.add(entry.name, entry, __file__)
    record = execute(spec_for(faces, "baseline", "small-body", epochs=1), faces)
    assert record.status == "done", record.traceback
    assert [(row.phase, row.rate) for row in record.history] == [("stage-1", 1e-4), ("stage-2", 1e-5)]
    assert record.outcome.stopped == ("budget", "budget")


def test_patience_ends_a_run_early(faces):
    phase = replace(PROTOCOLS.get("baseline").custom[0], patience=1, optimizer=part("sgd"), rate=0.0)
    record = execute(spec_for(faces, Protocol("still", custom=(phase,)), epochs=9), faces)
    assert len(record.history) == 2 and record.outcome == Outcome(best_epoch=0, stopped=("patience",))


def failing(builder):
    entry = ModelEntry("failing", "1", "custom", builder, "", "", "")
    MODELS._entries["failing"] = entry
    MODELS._files["failing"] = __file__


def raise_error(images, classes):
    raise RuntimeError("no such layer\nsecond line")


def leave(images, classes):
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("builder", "reason"), [(raise_error, "RuntimeError: no such layer"), (leave, "SystemExit: 3")]
)
def test_a_failing_builder_is_a_record_with_its_reason(faces, builder, reason):
    failing(builder)
    record = execute(spec_for(faces, "baseline", "failing"), faces)
    assert record.status == "failed" and record.reason == reason
    assert builder.__name__ in record.traceback and "/root" not in record.traceback


def test_a_loss_that_is_no_number_is_a_failed_record(faces):
    phase = replace(PROTOCOLS.get("baseline").custom[0], optimizer=part("sgd"), rate=1e30)
    record = execute(spec_for(faces, Protocol("explode", custom=(phase,))), faces)
    assert record.status == "failed" and "NaN or infinite" in record.reason and "learning rate" in record.reason


def test_images_of_another_dataset_are_refused(faces):
    record = execute(spec_for(faces, dataset=DatasetName(name="x", fingerprint="f" * 64)), faces)
    assert record.status == "failed" and "the spec is for dataset x" in record.reason


def test_an_entry_of_another_version_is_refused(faces):
    record = execute(spec_for(faces, model=ModelName(name="tiny", version="0", family="custom")), faces)
    assert record.status == "failed" and "version" in record.reason


def test_ctrl_c_is_not_a_failure(faces):
    def interrupt(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(spec_for(faces), faces, progress=interrupt)
