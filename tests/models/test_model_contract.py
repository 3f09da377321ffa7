"""Every registered model keeps the contract, and the contract catches entries that do not."""

import dataclasses

import pytest

from study.core.errors import TrainingError
from study.core.registry import load_plugin
from study.models.entry import MODELS
from study.protocols import PROTOCOLS
from study.training.build import Network
from study.training.contract import (
    CHECKS,
    Bench,
    ContractError,
    check_phases,
    overfits_one_batch,
    trains_what_each_phase_says,
)

BENCHES: dict[str, Bench] = {}


@pytest.fixture(scope="module", autouse=True)
def tiny(registered_models):
    load_plugin("experiments/plugin_example.py")
    load_plugin("experiments/plugin_body.py")


#: Entries of an optional extra.
NEEDS = {"resnet18_hub": "keras_hub"}
#: Bodies that no grid runs unless asked: minutes in all.
HEAVY = [entry.name for entry in MODELS if entry.groups == ("transfer",)]
#: Networks that take ten seconds and more to train.
LONG = {"resnet50", "published-cnn3", "published-cnn5", "published-folder"}
TRAINING = (overfits_one_batch, trains_what_each_phase_says)


def cases():
    for name in [*MODELS.names(), "tiny", "my_body"]:
        for check in CHECKS:
            slow = name in HEAVY or (name in LONG and check in TRAINING)
            yield pytest.param(name, check, marks=[pytest.mark.slow] * slow, id=f"{name}-{check.__name__}")


@pytest.mark.parametrize(("name", "check"), list(cases()))
def test_every_entry_keeps_the_contract(name, check):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    check(BENCHES.setdefault(name, Bench(MODELS.get(name))))


def entry_with(builder, **changes):
    return dataclasses.replace(MODELS.get("tiny"), builder=builder, **changes)


def by_name(name):
    return next(check for check in CHECKS if check.__name__ == name)


def test_logits_instead_of_probabilities_are_caught():
    def build(images, classes):
        from keras import layers

        return layers.Dense(classes)(layers.Flatten()(images))

    with pytest.raises(ContractError, match="sum to one"):
        by_name("builds_on_raw_images")(Bench(entry_with(build)))


def test_a_network_that_cannot_learn_is_caught():
    def build(images, classes):
        from keras import layers

        x = layers.Dense(classes, activation="softmax", trainable=False)(layers.Flatten()(images))
        return layers.Dense(classes, activation="softmax", trainable=False, kernel_initializer="identity")(x)

    with pytest.raises((ContractError, ValueError)):
        by_name("overfits_one_batch")(Bench(entry_with(build)))


def test_a_fixed_number_of_classes_is_caught():
    def build(images, classes):
        from keras import layers

        return layers.Dense(7, activation="softmax")(layers.Flatten()(images))

    with pytest.raises(Exception, match="probabilities of shape"):
        by_name("follows_classes_and_colour")(Bench(entry_with(build)))


def test_stages_that_name_no_layer_are_caught():
    entry = dataclasses.replace(MODELS.get("vgg16"), stages=("block9",))
    with pytest.raises(ContractError, match="block9"):
        by_name("names_its_blocks")(Bench(entry))


TRANSFER = [one.name for one in PROTOCOLS if {"transfer", "shared"} & set(one.groups)]


@pytest.mark.parametrize("name", TRANSFER)
def test_every_phase_of_a_protocol_trains_what_it_says(name):
    check_phases(Bench(MODELS.get("my_body")), PROTOCOLS.get(name))


def set_the_body_as_a_whole(network, what):
    """Set trainability as version 1 did: on TensorFlow, assigning True to what is True already does nothing."""
    if what in ("all", "head"):
        network.body.trainable = what == "all"
        return
    network.body.trainable = True
    for layer in network.body.layers:
        layer.trainable = network.entry.block_of(layer.name) < int(what.removeprefix("blocks:"))


def test_a_phase_that_does_not_reach_the_whole_body_is_caught(monkeypatch):
    monkeypatch.setattr(Network, "set_trainable", set_the_body_as_a_whole)
    with pytest.raises(TrainingError, match="trains all of my_body must train 8 variables, found 5"):
        trains_what_each_phase_says(Bench(MODELS.get("my_body")))
    monkeypatch.setattr(Network, "check_trainable", lambda *_: None)
    with pytest.raises(ContractError, match="must change all that it trains, these did not: ..*block1"):
        trains_what_each_phase_says(Bench(MODELS.get("my_body")))


def test_statistics_that_move_while_frozen_are_caught(monkeypatch):
    """The variables are right, but the layer still runs in training mode."""

    def without_inference_mode(network, what):
        for block, layer, variables in network._layers:
            layer.trainable = True
            for variable in variables:
                variable.trainable = block < network._unfrozen_blocks(what)

    monkeypatch.setattr(Network, "set_trainable", without_inference_mode)
    with pytest.raises(TrainingError, match="layers in the wrong state"):
        trains_what_each_phase_says(Bench(MODELS.get("my_body")))
    monkeypatch.setattr(Network, "check_trainable", lambda *_: None)
    with pytest.raises(ContractError, match="must leave frozen layers alone, these changed: ..*moving"):
        trains_what_each_phase_says(Bench(MODELS.get("my_body")))
