"""Registering a model checks what it declares."""

import sys

import pytest

from study.core.errors import UsageError
from study.models.entry import MODELS, model


def test_the_core_five_are_there():
    assert [entry.name for entry in MODELS if "core" in entry.groups] == ["cnn2", "cnn3", "cnn5", "resnet50", "vgg16"]


@pytest.mark.parametrize("name", ["Mine", "my model", "", "-x", "../x"])
def test_names_are_plain(name):
    with pytest.raises(UsageError, match="name takes lower-case"):
        model(name)


def test_families_and_preprocessings_are_known():
    with pytest.raises(UsageError, match="family must be one of"):
        model("x", family="other")
    with pytest.raises(UsageError, match="preprocessing must be one of"):
        model("x", preprocessing="whiten")


@pytest.mark.parametrize(
    ("name", "weights"),
    # Parameters counted by hand from the architectures in CONTRIBUTING.md (7 classes, 48x48x1).
    [
        ("cnn2", 320 + 18_496 + 24 * 24 * 64 * 128 + 128 + 128 * 7 + 7),
        ("cnn3", 320 + 18_496 + 73_856 + 6 * 6 * 128 * 256 + 256 + 256 * 7 + 7),
        (
            "cnn5",
            9 * (64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 512)
            + 4 * (64 + 128 + 256 + 512 + 512)
            + 512 * 256
            + 256
            + 256 * 7
            + 7,
        ),
    ],
)
def test_custom_networks_have_exactly_the_designed_weights(name, weights):
    from study.training.build import build_network
    from study.training.cost import parameters

    network = build_network(MODELS.get(name), image_shape=(48, 48, 1), classes=7, side_px=48)
    assert parameters(network.model) == weights


def test_an_entry_of_an_extra_that_is_missing_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    monkeypatch.setitem(sys.modules, "keras_hub.models", None)
    with pytest.raises(UsageError, match=r"resnet18_hub needs KerasHub .*\.\[hub\]"):
        MODELS.get("resnet18_hub").builder((32, 32, 3), None)


def test_a_layer_belongs_to_the_first_block_that_names_it():
    entry = MODELS.get("mobilenet_v3_small")
    names = ("conv_1_bn", "expanded_conv_10_project", "expanded_conv_1_expand", "expanded_conv_project", "conv", "relu")
    assert [entry.block_of(name) for name in names] == [0, 0, 2, 3, 3, 3]
