"""ImageNet's path, tried on files of the published names and format that are made here: nothing is downloaded."""

from __future__ import annotations

import dataclasses
import hashlib
import random

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from study.core.errors import WeightsError
from study.models import weights as room
from study.models.entry import MODELS
from study.models.weights import resolve_weights
from study.training.build import build_network

NAME, OTHER = "mobilenet_v3_small", "mobilenet_v2"


def write_published(entry, folder, channels=3):
    """Write a body's weights as Keras publishes them: layers in order, in HDF5, without top."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / entry.published["imagenet"].file
    keras.utils.set_random_seed(7)
    body = entry.builder((32, 32, channels), None)
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, body)
    return path, body.get_weights()


@pytest.fixture(scope="module")
def made(registered_models, tmp_path_factory):
    """Return Keras' folder with the file in it, the file's weights, and the entry with the file's hash."""
    home = tmp_path_factory.mktemp("keras")
    path, weights = write_published(MODELS.get(NAME), home / "models")
    return home, path, weights, with_digest(MODELS.get(NAME), path)


def with_digest(entry, path):
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    published = dataclasses.replace(entry.published["imagenet"], digest=digest)
    return dataclasses.replace(entry, published={"imagenet": published})


@pytest.fixture(autouse=True)
def offline(monkeypatch, made):
    monkeypatch.setenv("KERAS_HOME", str(made[0]))
    monkeypatch.setattr(room, "can_download", lambda: False)
    room.hash_file.cache_clear()


def build(entry, source, path=None):
    return build_network(
        entry, image_shape=(48, 48, 1), classes=7, side_px=32, weights_source=source, weights_path=path
    )


@pytest.mark.parametrize("choice", ["auto", "imagenet"])
def test_the_cached_file_is_found_by_its_hash_and_starts_the_body(made, choice):
    _, path, weights, entry = made
    found = resolve_weights(entry, choice)
    assert (found.source, found.path) == ("imagenet", path)
    assert found.sha256 == f"md5:{entry.published['imagenet'].digest}"
    body = build(entry, found.source).body
    assert all(np.array_equal(one, other) for one, other in zip(body.get_weights(), weights, strict=True))


def test_the_same_file_anywhere_else_is_taken_by_its_path(made, tmp_path):
    _, path, weights, entry = made
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    found = resolve_weights(entry, str(copy))
    assert (found.source, found.sha256) == ("file", hashlib.sha256(copy.read_bytes()).hexdigest())
    body = build(entry, "file", copy).body
    assert np.array_equal(body.get_weights()[0], weights[0])


@pytest.mark.parametrize("where", ["cache", "elsewhere"])
@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_file_with_a_published_name_and_another_hash_is_refused(made, tmp_path, monkeypatch, where, damage):
    _, path, _, entry = made
    data = bytearray(path.read_bytes())
    if damage == "truncated":
        data = data[: len(data) // 2]
    else:
        data[random.Random(0).randrange(len(data) // 2, len(data))] ^= 1
    bad = tmp_path / "models" / path.name
    bad.parent.mkdir()
    bad.write_bytes(data)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"must have md5|cannot be read") as error:
        resolve_weights(entry, "imagenet" if where == "cache" else str(bad))
    assert "\n" not in str(error.value) and path.name in str(error.value)


def test_without_the_file_one_line_says_what_to_get_and_where_to_put_it(made, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    entry = made[3]
    for attempt in (lambda: resolve_weights(entry, "imagenet"), lambda: build(entry, "imagenet")):
        with pytest.raises(WeightsError, match=f"get https://.*{entry.published['imagenet'].digest}") as error:
            attempt()
        assert str(tmp_path / "models") in str(error.value) and "\n" not in str(error.value)


def test_another_network_s_file_is_one_line(made, tmp_path):
    _, path, _, _ = made
    copy = tmp_path / "renamed.h5"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(WeightsError, match=f"renamed.h5 does not fit {OTHER}, which takes .* the file holds") as error:
        build(MODELS.get(OTHER), "file", copy)
    assert "\n" not in str(error.value)


def test_a_file_for_another_number_of_channels_is_one_line(made, tmp_path):
    path, _ = write_published(MODELS.get(NAME), tmp_path, channels=1)
    grey = path.rename(tmp_path / "grey.h5")
    with pytest.raises(WeightsError, match="for three channels") as error:
        build(made[3], "file", grey)
    assert "\n" not in str(error.value)
