"""A body is trained on one task, written with what it was made from, and started from in a study of another task."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from study.core.errors import UsageError, WeightsError
from study.core.record import Record
from study.core.spec import Start
from study.datasets import synthetic
from study.datasets.image_set import make_image_set
from study.execution.pretraining import Settings, checkpoint_folder, found, pretrain, pretraining_spec
from study.execution.run_one import execute
from study.models import pretraining_info as room
from study.models.entry import MODELS, model
from study.models.pretraining_info import read_pretraining
from study.models.weights import resolve_weights
from study.planning.grid import Choices, Grid, resolve_specs, select_pairs
from study.protocols.budgets import Budget
from tests.changed import replace

SETTINGS = Settings(epochs=2, batch=8, side_px=16)
TRANSFER = ("transfer/random-start", "transfer/frozen", "transfer/staged", "transfer/layerwise")


def build(shape, weights):
    """A body of two blocks."""
    import keras

    images = keras.Input(shape)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="block1_conv")(images)
    x = keras.layers.BatchNormalization(name="block1_bn")(x)
    x = keras.layers.Conv2D(6, 3, activation="relu", name="block2_conv")(x)
    return keras.Model(images, keras.layers.BatchNormalization(name="block2_bn")(x), name="body")


@pytest.fixture(scope="module")
def entry(registered_models):
    more = {"preprocessing": "tf", "minimum_side_px": 12, "stages": ("block2", "block1")}
    model("small-body", family="transfer", **more)(build)
    model("other-body", family="transfer", **more)(build)
    return MODELS.get("small-body")


@pytest.fixture(scope="module")
def things():
    """Colour images of three kinds of things, told apart by their colour."""
    random = np.random.default_rng(0)
    labels = np.arange(90) % 3
    images = random.integers(0, 200, (90, 12, 12, 3), dtype=np.uint8)
    images[np.arange(90), :, :, labels] += 55
    ids = np.array([f"thing {place}" for place in range(90)])
    splits = (np.arange(90) // 3 % 5).clip(2) - 2
    return make_image_set(
        "things", images, labels, ("red", "green", "blue"), ids, splits.astype(np.uint8), "drawn by hand"
    )


@pytest.fixture(scope="module")
def faces():
    return synthetic.make(images=300)


@pytest.fixture(scope="module")
def made(entry, things, tmp_path_factory):
    """Return a pretrained file and the epochs that were shown."""
    out = tmp_path_factory.mktemp("made") / "things.weights.h5"
    events = []
    pretrain(entry, pretraining_spec(entry, things, SETTINGS), things, out, progress=events.append)
    return out, [event for event in events if event["kind"] == "epoch"]


def planned(faces, entry, weights, protocols=TRANSFER, share=1.0):
    pairs = select_pairs(Grid("mine", (entry.name,), protocols))
    choices = Choices(Budget("mine"), weights=str(weights), sides_px=(16,), train_shares=(share,), epochs=4)
    return resolve_specs(pairs, choices, faces)


def test_the_file_says_what_it_was_made_from(entry, things, made):
    out, epochs = made
    pretraining = read_pretraining(out)
    assert len(epochs) == 2 and pretraining.epochs == 2
    assert (pretraining.model, pretraining.dataset, pretraining.fingerprint) == (
        "small-body",
        "things",
        things.fingerprint,
    )
    assert (pretraining.images, pretraining.classes, pretraining.side_px, pretraining.seed) == (
        54,
        3,
        16,
        0,
    )
    assert 0 <= pretraining.test_accuracy <= 1
    assert pretraining.words().startswith("pretrained on things (54 images of 3 classes, 2 epochs at 16 px, test acc")
    assert not checkpoint_folder(out).exists(), "what a finished pretraining resumed from is gone"


def test_the_file_is_a_plain_file_of_weights_of_the_entry(entry, made):
    body = build((20, 20, 3), None)  # another side: what is learned is filters
    before = body.get_weights()
    body.load_weights(made[0])
    assert not np.array_equal(before[0], body.get_weights()[0])


def test_the_same_command_again_finds_the_file_and_another_leaves_it_alone(entry, things, made):
    assert found(made[0], pretraining_spec(entry, things, SETTINGS)) == read_pretraining(made[0])
    with pytest.raises(UsageError, match="holds other weights"):
        found(made[0], pretraining_spec(entry, things, replace(SETTINGS, seed=1)))


def test_an_interrupted_pretraining_goes_on_and_ends_the_same(entry, things, made, tmp_path):
    out, epochs = tmp_path / "things.weights.h5", []

    def interrupt(event):
        if event["kind"] == "epoch":
            epochs.append(event["epoch"])
            if len(epochs) == 2:
                raise KeyboardInterrupt

    spec = pretraining_spec(entry, things, SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        pretrain(entry, spec, things, out, progress=interrupt)
    assert not out.exists() and checkpoint_folder(out).exists()
    pretrain(entry, spec, things, out, progress=interrupt)
    assert epochs == [0, 1, 1], "the epoch that was not saved yet is made again, the first one is not"
    with h5py.File(out) as one, h5py.File(made[0]) as other:
        assert np.array_equal(one["layers/conv2d/vars/0"], other["layers/conv2d/vars/0"])


def test_the_plan_says_what_the_file_was_made_from(faces, entry, made):
    specs = planned(faces, entry, made[0])
    random, *others = [(one.spec.weights.source, one.weights.note) for one in specs]
    assert random == ("none", "random weights")
    assert all(source == "file" and "pretrained on things (54 images" in note for source, note in others)


@pytest.fixture(scope="module")
def records(faces, entry, made) -> dict[str, Record]:
    specs = planned(faces, entry, made[0], share=0.5)
    done = [execute(one.spec, faces, weights_path=one.weights.path) for one in specs]
    assert [record.reason for record in done] == [""] * len(done)
    return {record.spec.protocol.name: record for record in done}


def test_records_carry_the_origin_of_what_they_started_from(records, made):
    pretraining = read_pretraining(made[0])
    assert {name: bool(record.pretraining) for name, record in records.items()} == {
        name: name != "transfer/random-start" for name in TRANSFER
    }
    again = Record.from_json(records["transfer/staged"].to_json())
    assert again.pretraining == pretraining == records["transfer/frozen"].pretraining


def test_every_way_to_transfer_makes_the_same_updates_on_the_same_images(records, faces):
    counts = {record.history[-1].updates for record in records.values()}
    assert len(counts) == 1
    hashes = {record.splits.hashes["train"] for record in records.values()}
    assert len(hashes) == 1 and faces.split_hash("train") not in hashes
    for record in records.values():
        trained = record.splits.counts["train"]
        assert list(trained) == [max(1, round(0.5 * count)) for count in faces.counts()["train"]]
        assert "50 % of the training split" in record.splits.source
        assert record.splits.own_test and not record.leaky


def test_the_phases_are_in_the_learning_curve(records):
    assert [row.phase for row in records["transfer/staged"].history] == ["head", "top-block", "all", "all"]
    assert {row.phase for row in records["transfer/frozen"].history} == {"head"}


def test_random_start_stays_random_whatever_file_is_given(records):
    assert records["transfer/random-start"].spec.weights == Start(source="none")


def test_another_model_s_file_is_refused_in_one_line(made, entry):
    with pytest.raises(WeightsError, match="was pretrained for small-body .* study pretrain --model other-body"):
        resolve_weights(MODELS.get("other-body"), str(made[0]))


def test_a_truncated_file_is_refused_in_one_line(made, entry, tmp_path):
    cut = tmp_path / "cut.weights.h5"
    cut.write_bytes(made[0].read_bytes()[:-5000])
    with pytest.raises(WeightsError, match="cannot be read") as error:
        resolve_weights(entry, str(cut))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change", [{"epochs": "3"}, {"format": 9}, {"more": 1}, {"test_accuracy": None}, {"images": -1}, {"epochs": 0}]
)
def test_an_origin_of_another_form_is_refused(made, entry, tmp_path, change):
    path = tmp_path / "changed.weights.h5"
    path.write_bytes(made[0].read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs[room.ATTRIBUTE] = json.dumps({**json.loads(file.attrs[room.ATTRIBUTE]), **change})
    with pytest.raises(WeightsError, match="says of its pretraining what neither"):
        resolve_weights(entry, str(path))


def test_a_custom_network_has_no_body_to_pretrain(things):
    with pytest.raises(UsageError, match="cnn3 has no body"):
        pretraining_spec(MODELS.get("cnn3"), things, SETTINGS)


def test_weights_by_model(faces, entry, made):
    (random, pretrained) = (
        planned(faces, entry, f"{name}={made[0]}", ("transfer/full",))[0].spec.weights.source if name else "none"
        for name in ("", entry.name)
    )
    assert (random, pretrained) == ("none", "file")
    with pytest.raises(UsageError, match="unknown model of --weights 'vgg16'"):
        planned(faces, entry, f"vgg16={made[0]}")
