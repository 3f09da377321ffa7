"""Leaky runs and their clean twins, end to end on few drawn faces: what they use, keep and admit."""

import numpy as np
import pytest

from study.analysis.runs import accuracy
from study.core.record import PREDICTIONS, Record
from study.core.registry import load_plugin
from study.core.spec import SPLITS, Spec, Start
from study.datasets import synthetic
from study.execution.run_one import execute
from study.models.entry import MODELS
from study.protocols import PROTOCOLS, Protocol, resolve
from tests.changed import replace

EPOCHS = 4


@pytest.fixture(scope="module")
def faces():
    return synthetic.make(images=300)


@pytest.fixture(scope="module", autouse=True)
def tiny(registered_models):
    load_plugin("experiments/plugin_example.py")


def spec_for(faces, protocol):
    entry = MODELS.get("tiny")
    named = protocol if isinstance(protocol, Protocol) else PROTOCOLS.get(protocol)
    train = len(faces.indices("train"))
    return Spec(
        dataset=faces.identity,
        model=entry.identity,
        protocol=resolve(named, family="custom", weights_source="none", train_images=train, epochs=EPOCHS),
        budget="test",
        side_px=48,
        weights=Start(source="none"),
        precision="float32",
        backend="tensorflow",
        seed=0,
    )


@pytest.fixture(scope="module")
def records(faces, tmp_path_factory):
    """Every leaky protocol and twin, by name; the oracle comes with its twin."""
    folder = tmp_path_factory.mktemp("weights")
    names = [one.name for one in PROTOCOLS if {"leaky", "clean-twins"} & set(one.groups) and "notebook" not in one.name]
    found = {}
    for name in names:
        if name == "leaky/checkpoint-on-test":
            continue
        weights = folder / f"{name.replace('/', '-')}.weights.h5"
        record = execute(spec_for(faces, name), faces, keep_weights=weights)
        assert record.status == "done", record.traceback
        for one in (record, *record.paired):
            found[one.spec.protocol.name] = one
    assert sorted(found) == sorted(names)
    return found


def test_every_run_describes_its_splits_and_survives_the_store(records):
    for record in records.values():
        assert set(record.splits.counts) == set(record.splits.hashes) == set(SPLITS)
        again = Record.from_json(record.to_json())
        assert again.splits == record.splits and again.on_own_test == record.on_own_test
        assert set(PREDICTIONS) <= set(record.arrays)


def test_leaky_runs_say_what_they_saw_and_twins_saw_nothing(records):
    for name, record in records.items():
        seen = record.contamination
        assert record.leaky == name.startswith("leaky/")
        assert (seen.trained_on_test_ids > 0) == name.endswith("-before-split")
        assert seen.selected_on_test == name.startswith("leaky/")
        if name.endswith("oversample-before-split"):
            assert seen.test_copies_in_train >= seen.trained_on_test_ids


def test_twins_are_scored_on_the_images_of_their_leaky_runs(records):
    for name, record in records.items():
        if not record.leaky:
            continue
        twin = records[record.spec.protocol.twin]
        for part in ("test_labels", "test_indices"):
            assert np.array_equal(record.arrays.get(part, 0), twin.arrays.get(part, 0)), name
        assert record.history[-1].updates == twin.history[-1].updates, "the same number of updates"


def test_a_split_of_its_own_brings_the_images_that_were_scored(records, faces):
    for record in records.values():
        places = record.arrays.get("test_indices", faces.indices("test"))
        assert np.array_equal(faces.labels[places], record.arrays["test_labels"])
        assert record.on_own_test == ("test_indices" not in record.arrays)
        if not record.on_own_test:
            seen = record.arrays["test_seen"]
            assert (seen % 2).sum() == record.contamination.trained_on_test_ids
            assert (seen // 2).sum() == record.contamination.test_copies_in_train


def test_a_claim_covers_the_copies_too(records, faces):
    for name, record in records.items():
        assert ("claim_answers" in record.arrays) == name.endswith("-before-split")
        if "claim_answers" in record.arrays:
            places = record.arrays["claim_indices"] % len(faces)
            assert np.array_equal(faces.labels[places], record.arrays["claim_labels"])
            assert len(places) > len(record.arrays["test_labels"])


def test_answers_of_every_epoch_are_kept_small(records):
    for record in records.values():
        n = len(record.arrays["test_labels"])
        answers, true = record.arrays["epoch_answers"], record.arrays["epoch_true"]
        assert answers.shape == true.shape == (EPOCHS, n)
        assert answers.dtype == np.uint8 and true.dtype == np.float16
        best = record.outcome.best_epoch
        assert np.array_equal(answers[best], record.arrays["test_probabilities"].argmax(axis=1))


def test_the_oracle_is_the_epoch_with_the_highest_test_accuracy_of_the_same_training(records):
    oracle, clean = records["leaky/checkpoint-on-test"], records["clean-twin/checkpoint-on-validation"]
    labels = oracle.arrays["test_labels"]
    by_epoch = (oracle.arrays["epoch_answers"] == labels).mean(axis=1)
    assert oracle.history == clean.history
    assert oracle.outcome.best_epoch == int(by_epoch.argmax())
    assert accuracy(labels, oracle.arrays["test_probabilities"]) == pytest.approx(by_epoch.max())
    assert clean.outcome.best_epoch == int(np.argmin([row.validation_loss for row in clean.history]))
    assert not oracle.weights_file and clean.weights_file


@pytest.mark.slow
def test_the_oracle_trained_by_itself_is_the_same(records, faces, tmp_path):
    from study.training.build import build_network
    from study.training.predict import Predictor

    record = execute(spec_for(faces, "leaky/checkpoint-on-test"), faces, keep_weights=tmp_path / "w.weights.h5")
    expected = records["leaky/checkpoint-on-test"]
    assert record.spec == expected.spec and record.outcome == expected.outcome
    assert np.array_equal(record.arrays["test_probabilities"], expected.arrays["test_probabilities"])
    assert [one.spec for one in record.paired] == [records["clean-twin/checkpoint-on-validation"].spec]
    network = build_network(MODELS.get("tiny"), image_shape=(48, 48, 1), classes=7, side_px=48)
    network.model.load_weights(tmp_path / "w.weights.h5")
    probabilities = Predictor(network.model)(faces.images[faces.indices("test")])
    assert np.allclose(probabilities, record.arrays["test_probabilities"], atol=1e-5), "its own checkpoint is kept"


def test_the_clean_trajectory_is_that_of_the_shared_baseline(records, faces):
    baseline = execute(spec_for(faces, "baseline"), faces)
    twin = records["clean-twin/checkpoint-on-validation"]
    assert np.array_equal(baseline.arrays["test_probabilities"], twin.arrays["test_probabilities"])
    assert baseline.splits == twin.splits and "epoch_answers" not in baseline.arrays


def test_validation_on_the_test_split_chooses_by_its_loss(records):
    record = records["leaky/test-as-validation"]
    assert np.array_equal(record.arrays["validation_probabilities"], record.arrays["test_probabilities"])
    rows = [row.validation_accuracy for row in record.history]
    watched = (record.arrays["epoch_answers"] == record.arrays["test_labels"]).mean(axis=1)
    assert rows == pytest.approx(watched)


class Interrupt(BaseException):
    """Stands for Ctrl-C in mid-run."""


def test_an_interrupted_oracle_resumes_to_the_same_record(records, faces, tmp_path):
    def stop(event):
        if event["kind"] == "epoch" and event["epoch"] == 2:
            raise Interrupt

    spec = spec_for(faces, "clean-twin/checkpoint-on-validation")
    with pytest.raises(Interrupt):
        execute(spec, faces, checkpoint_folder=tmp_path, progress=stop)
    record = execute(spec, faces, checkpoint_folder=tmp_path)
    for one in (record, *record.paired):
        expected = records[one.spec.protocol.name]
        assert one.outcome == expected.outcome
        assert all(np.array_equal(one.arrays[name], array) for name, array in expected.arrays.items())


def test_an_honest_protocol_whose_splits_overlap_is_refused(faces):
    spec = spec_for(faces, "baseline")
    sly = replace(faces, ids=faces.ids.copy())
    sly.ids[faces.indices("test")[0]] = faces.ids[faces.indices("train")[0]]
    record = execute(spec, sly)
    assert record.status == "failed" and "1 ids of test are in train" in record.reason
    assert record.contamination.trained_on_test_ids == 1 and record.leaky
