"""Leaky protocols stay apart, have a clean twin each, and leave the specs of all others as they were."""

import json
from dataclasses import replace

import pytest

from study.core.errors import UsageError
from study.core.spec import Spec
from study.planning.grid import select_protocols, vary
from study.protocols import PROTOCOLS, Protocol, resolve
from study.protocols.resolve import TRANSFER_VERSION, paired_protocol
from tests.committed import copy_committed

LEAKY = [protocol for protocol in PROTOCOLS if "leaky" in protocol.groups]


def resolved(protocol):
    return resolve(protocol, family="custom", weights_source="none", train_images=1000)


def test_leaky_protocols_and_twins_must_be_named():
    everything = select_protocols(["all"])
    assert everything and not any({"leaky", "clean-twins"} & set(protocol.groups) for protocol in everything)
    assert select_protocols(["leaky"]) == LEAKY
    assert all(protocol.leak == "none" for protocol in select_protocols(["shared", "clean-twins"]))


@pytest.mark.parametrize("protocol", LEAKY, ids=lambda protocol: protocol.name)
def test_a_leaky_protocol_differs_from_its_twin_in_the_leak_alone(protocol):
    twin = PROTOCOLS.get(protocol.twin)
    assert protocol.leak != "none" and twin.leak == "none" and "clean-twins" in twin.groups
    one, other = resolved(protocol), resolved(twin)
    assert one["phases"] == other["phases"], "the same number of updates"
    words = {"name", "source", "leak", "twin", "same_training_as", "sampling"}
    assert {key: one.get(key) for key in one if key not in words} == {
        key: other.get(key) for key in one if key not in words
    }
    assert one["sampling"].removesuffix("-before-split") == other["sampling"]


@pytest.mark.parametrize("protocol", [one for one in PROTOCOLS if one.same_training_as], ids=lambda one: one.name)
def test_the_companion_of_a_protocol_is_the_registered_one(protocol):
    assert paired_protocol(resolved(protocol)) == resolved(PROTOCOLS.get(protocol.same_training_as))


def test_most_protocols_have_no_companion():
    assert paired_protocol(resolved(PROTOCOLS.get("baseline"))) is None


def test_a_twin_is_varied_with_its_leaky_protocol():
    one = vary(PROTOCOLS.get("leaky/oversample-before-split"), rate=3e-4)
    assert one.twin == vary(PROTOCOLS.get("clean-twin/oversample-after-split"), rate=3e-4).name


OTHERS = [one.name for one in PROTOCOLS if not {"leaky", "clean-twins", "transfer"} & set(one.groups)]


@pytest.mark.parametrize("name", OTHERS)
def test_other_protocols_resolve_to_the_fields_that_they_always_had(name):
    assert set(resolved(PROTOCOLS.get(name))) == {
        "name", "sampling", "augmentation", "mix", "loss", "label_smoothing", "batch", "leak", "source", "phases",
    }  # fmt: skip


def test_committed_runs_keep_their_specs(tmp_path):
    """What a spec of today says of a committed run is what its record says, so that its hash stays."""
    seen = 0
    for path in copy_committed(tmp_path, "results", "tests/golden/results").rglob("seed_*.json"):
        data = json.loads(path.read_text())
        spec = Spec.from_json(data["spec"])
        assert spec.key == data["key"]
        if "golden" in path.parts:
            continue  # made by hand, not by a protocol
        if spec.model["family"] == "transfer" and spec.protocol.get("transfer_version") != TRANSFER_VERSION:
            continue  # trained as an earlier version did
        protocol, share = PROTOCOLS.get(spec.protocol["name"]), spec.protocol.get("train_share", 1.0)
        epochs = [phase["updates"] // phase["updates_per_epoch"] for phase in spec.protocol["phases"]]
        now = resolve(
            protocol,
            family=spec.model["family"],
            weights_source=spec.weights["source"],
            train_images=round(share * sum(data["dataset"]["counts"]["train"])),
            epochs=sum(epochs) if protocol.epochs_in_all else epochs[0],
            train_share=share,
        )
        assert replace(spec, protocol=now).hash == spec.hash
        seen += 1
    assert seen


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"leak": "oversample-before-split", "new_split": {"test": 0.1, "validation": 0.1, "seed": 0}}, "go together"),
        ({"sampling": "oversample-before-split"}, "go together"),
        ({"leak": "augment-before-split", "copies": {"number": 1}}, "give it a new_split"),
        ({"leak": "augment-before-split", "new_split": {"test": 0.1, "validation": 0.1, "seed": 0}}, "needs copies"),
        ({"new_split": {"test": 0.6, "validation": 0.4, "seed": 0}}, "shares"),
        ({"new_split": {"test": 0.1}}, "shares"),
        ({"leak": "peeking"}, "must be one of"),
        ({"copies": {"number": 1, "blur": 2}}, "unknown augmentation blur"),
    ],
)
def test_contradictions_are_refused(changes, words):
    with pytest.raises(UsageError, match=words):
        Protocol("wrong", **changes)
