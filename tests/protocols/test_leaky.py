"""Leaky protocols stay apart, have a clean twin each, and leave the specs of all others as they were."""

import json

import pytest

from study.core.errors import UsageError
from study.core.spec import Copies, NewSplit, Spec
from study.planning.grid import select_protocols, vary
from study.protocols import PROTOCOLS, Protocol, resolve
from study.protocols.piece import part
from study.protocols.resolve import TRANSFER_VERSION, paired_protocol
from tests.changed import replace
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
    assert one.phases == other.phases, "the same number of updates"
    words = ("name", "leak", "twin", "same_training_as", "sampling")
    assert replace(one, **{name: getattr(other, name) for name in words}) == other
    assert one.sampling.removesuffix("-before-split") == other.sampling


@pytest.mark.parametrize("protocol", [one for one in PROTOCOLS if one.same_training_as], ids=lambda one: one.name)
def test_the_companion_of_a_protocol_is_the_registered_one(protocol):
    assert paired_protocol(resolved(protocol)) == resolved(PROTOCOLS.get(protocol.same_training_as))


def test_most_protocols_have_no_companion():
    assert paired_protocol(resolved(PROTOCOLS.get("baseline"))) is None


def test_a_twin_is_varied_with_its_leaky_protocol():
    one = vary(PROTOCOLS.get("leaky/oversample-before-split"), rate=3e-4)
    assert one.twin == vary(PROTOCOLS.get("clean-twin/oversample-after-split"), rate=3e-4).name


def test_committed_runs_keep_their_specs(tmp_path):
    """What a spec of today says of a committed run is what its record says, so that its hash stays."""
    seen = 0
    for path in copy_committed(tmp_path, "results", "tests/golden/results").rglob("seed_*.json"):
        data = json.loads(path.read_text())
        spec = Spec.from_json(data["spec"])
        assert spec.key == data["key"]
        if "golden" in path.parts:
            continue  # made by hand, not by a protocol
        if spec.protocol.name == "imported":
            continue  # made elsewhere
        if spec.model.family == "transfer" and spec.protocol.transfer_version != TRANSFER_VERSION:
            continue  # trained as an earlier version did
        (protocol,), share = select_protocols([spec.protocol.name]), spec.protocol.train_share
        phases = spec.protocol.phases
        epochs = [phase.updates // phase.updates_per_epoch for phase in phases]
        capped = not protocol.epochs_in_all and len(set(epochs)) > 1  # by a budget, kind by kind
        now = resolve(
            protocol,
            family=spec.model.family,
            weights_source=spec.weights.source,
            train_images=round(share * sum(data["dataset"]["counts"]["train"])),
            updates={phase.kind: phase.updates for phase in phases} if capped else None,
            epochs=None if capped else sum(epochs) if protocol.epochs_in_all else epochs[0],
            train_share=share,
        )
        assert replace(spec, protocol=now).hash == spec.hash
        seen += 1
    assert seen


SPLIT = NewSplit(test=0.1, validation=0.1, seed=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"leak": "oversample-before-split", "new_split": SPLIT}, "go together"),
        ({"sampling": "oversample-before-split"}, "go together"),
        ({"leak": "augment-before-split", "copies": Copies(number=1, augmentation=())}, "give it a new_split"),
        ({"leak": "augment-before-split", "new_split": SPLIT}, "needs copies"),
        ({"new_split": NewSplit(test=0.6, validation=0.4, seed=0)}, "shares"),
        ({"leak": "peeking"}, "must be one of"),
    ],
)
def test_contradictions_are_refused(changes, words):
    with pytest.raises(UsageError, match=words):
        Protocol("wrong", **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampling": "some"}, "unknown sampling 'some'"),
        ({"augmentation": (part("blur"),)}, "unknown augmentation 'blur'"),
        (
            {"copies": Copies(number=1, augmentation=(part("affine", blur=2),))},
            "unknown setting of augmentation 'affine'",
        ),
        ({"views": part("eleven")}, "unknown views 'eleven'"),
    ],
)
def test_pieces_that_do_not_exist_are_refused_when_the_protocol_is_resolved(changes, words):
    with pytest.raises(UsageError, match=words):
        resolved(Protocol("wrong", **changes))
