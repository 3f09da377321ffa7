"""Every registered model keeps the contract, and the contract catches entries that do not."""

import dataclasses

import pytest

from study.models.entry import MODELS
from study.registry import load_plugin
from study.training.contract import CHECKS, Bench, ContractError, overfits_one_batch

BENCHES: dict[str, Bench] = {}


@pytest.fixture(scope="module", autouse=True)
def tiny(registered_models):
    load_plugin("experiments/plugin_example.py")
    load_plugin("experiments/plugin_body.py")


#: Entries of an optional extra.
NEEDS = {"resnet18": "keras_hub"}
#: Bodies that no grid runs unless asked: minutes in all.
HEAVY = [entry.name for entry in MODELS if entry.groups == ("transfer",)]
#: Networks that take ten seconds and more to learn a batch by heart.
LONG = {"resnet50", "published-cnn3", "published-cnn5", "published-folder"}


def cases():
    for name in [*MODELS.names(), "tiny", "my_body"]:
        for check in CHECKS:
            slow = name in HEAVY or (name in LONG and check is overfits_one_batch)
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
        by_name("freezes_what_it_says")(Bench(entry))
