"""Every transfer entry names the preprocessing that its own module of keras.applications applies."""

import importlib

import keras
import numpy as np
import pytest

from study.models.entry import MODELS
from study.models.layers import preprocess

#: Where the entry is not called as its module is.
MODULES = {"mobilenet_v3_small": "mobilenet_v3", "efficientnet_v2_b0": "efficientnet_v2", "densenet121": "densenet"}
MODULES |= {"convnext_tiny": "convnext", "resnet50": "resnet50"}
ENTRIES = [entry.name for entry in MODELS if "keras.applications" in entry.source]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ENTRIES)
def test_images_reach_the_body_as_its_own_module_makes_them(name, channels):
    entry = MODELS.get(name)
    module = importlib.import_module(f"keras.applications.{MODULES.get(name, name)}")
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, channels), dtype=np.uint8)
    pixels = np.broadcast_to(images, (4, 32, 32, 3)).astype(np.float32)
    inputs = keras.Input(images.shape[1:], dtype="uint8")
    found = np.asarray(keras.Model(inputs, preprocess(inputs, entry.preprocessing, 32, 3))(images))
    assert np.allclose(found, module.preprocess_input(pixels.copy()), rtol=1e-5, atol=1e-4)


def test_every_transfer_entry_says_everything():
    for entry in MODELS:
        if entry.family != "transfer":
            continue
        assert entry.stages and entry.minimum_side_px >= 32 and "arXiv:" in entry.source, entry.name
        for one in entry.published.values():
            assert len(one.digest) in (0, 32, 64) and one.megabytes and one.licence and one.folder.endswith("/")
