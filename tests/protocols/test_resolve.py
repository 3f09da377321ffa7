"""Budgets cut phases in updates; random bodies have no frozen phase."""

import pytest
from msgspec.structs import replace

from study.core.errors import UsageError
from study.core.spec import RANDOM_FEATURES
from study.protocols import PROTOCOLS, Protocol, resolve
from study.protocols.piece import part
from study.protocols.resolve import FEATURE_COPIES


def phases(family="custom", weights="none", n=28709, **changes):
    return resolve(PROTOCOLS.get("baseline"), family=family, weights_source=weights, train_images=n, **changes).phases


def test_an_epoch_is_the_images_over_the_batch_rounded_up():
    [phase] = phases()
    assert phase.updates_per_epoch == 449 and phase.updates == 60 * 449


def test_oversampling_buys_no_updates():
    data = [
        resolve(PROTOCOLS.get(name), family="custom", weights_source="none", train_images=100)
        for name in ("baseline", "oversample")
    ]
    assert data[0].phases == data[1].phases


def test_the_transfer_phases_are_those_of_the_design():
    assert [(p.name, p.trainable, p.rate, p.epochs, p.patience) for p in phases("transfer", "imagenet")] == [
        ("head", "head", 1e-3, 8, 3),
        ("stage-1", "blocks:1", 1e-4, 20, 5),
        ("stage-2", "all", 1e-5, 20, 5),
    ]


def test_a_random_body_has_no_frozen_phase():
    assert [(p.name, p.trainable) for p in phases("transfer", "none")] == [("stage-1", "all"), ("stage-2", "all")]


def test_a_cap_on_updates_shortens_phase_and_epoch():
    [phase] = phases(updates={"custom": 100})
    assert phase.updates == 100 == phase.updates_per_epoch
    [phase] = phases(n=1600, updates={"custom": 60})
    assert phase.updates == 60 and phase.updates_per_epoch == 25


def test_epochs_replace_the_protocols_own():
    [phase] = phases(epochs=2)
    assert phase.updates == 2 * 449


def test_the_shared_four_differ_in_sampling_and_augmentation_only():
    four = [
        resolve(p, family="custom", weights_source="none", train_images=100) for p in PROTOCOLS if "shared" in p.groups
    ]
    assert len(four) == 4
    stripped = [replace(p, name="", sampling="none", augmentation=()) for p in four]
    assert all(p == stripped[0] for p in stripped)
    assert len({(p.sampling, bool(p.augmentation)) for p in four}) == 4


def test_on_random_features_the_head_alone_is_trained_for_the_epochs_of_all_phases():
    (phase,) = phases("transfer", RANDOM_FEATURES)
    assert (phase.trainable, phase.epochs, phase.patience, phase.plateau) == ("head", 8 + 20 + 20, None, None)
    assert phase.feature_copies == 0, "without an augmentation the images themselves are what it learns from"
    assert phases("custom", RANDOM_FEATURES) == phases()


def test_an_augmented_head_on_random_features_has_copies_unless_labels_change_too():
    def copies(augmentation):
        protocol = Protocol("own", augmentation=augmentation)
        found = resolve(protocol, family="transfer", weights_source=RANDOM_FEATURES, train_images=100)
        return [phase.feature_copies for phase in found.phases]

    assert copies((part("affine", flip=True),)) == [FEATURE_COPIES]
    assert copies((part("affine", flip=True), part("mixup"))) == [0]


def test_a_protocol_without_a_head_phase_has_nothing_to_train_on_random_features():
    with pytest.raises(UsageError, match="no phase that trains the head alone"):
        resolve(PROTOCOLS.get("transfer/full"), family="transfer", weights_source=RANDOM_FEATURES, train_images=100)
