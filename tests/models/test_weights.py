"""Where a run's first weights come from, without a network."""

import hashlib

import h5py
import pytest

from study.core.errors import WeightsError
from study.models import weights
from study.models.entry import MODELS, PublishedWeights
from study.models.weights import resolve_weights

VGG = MODELS.get("vgg16")


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(weights, "can_download", lambda: False)
    weights.hash_file.cache_clear()


def cache(tmp_path, content, entry=VGG):
    folder = tmp_path / "models"
    folder.mkdir()
    path = folder / entry.published["imagenet"].file
    path.write_bytes(content)
    return path


def test_auto_falls_back_to_random_weights_and_says_so():
    choice = resolve_weights(VGG, "auto")
    assert choice.source == "none" and "cannot be reached" in choice.note


def test_imagenet_never_falls_back_and_says_what_to_get_and_where_to_put_it(tmp_path):
    with pytest.raises(WeightsError) as error:
        resolve_weights(VGG, "imagenet")
    published, line = VGG.published["imagenet"], str(error.value)
    assert f"/keras-applications/vgg16/{published.file} (59 MB, md5 {published.digest})" in line
    assert str(tmp_path / "models") in line and "\n" not in line


@pytest.mark.parametrize("choice", ["auto", "imagenet"])
def test_imagenet_is_taken_where_it_can_be_downloaded(monkeypatch, choice):
    monkeypatch.setattr(weights, "can_download", lambda: True)
    found = resolve_weights(VGG, choice)
    assert found.source == "imagenet" and found.path is None and "to be downloaded (59 MB)" in found.note


def test_a_published_file_without_a_published_hash_is_known_by_its_own(monkeypatch, tmp_path):
    """A spec names what it starts from before it is there: without a hash that is not possible."""
    monkeypatch.setattr(weights, "can_download", lambda: True)
    entry = MODELS.get("mobilenet_v2")
    with pytest.raises(WeightsError, match="Keras publishes no hash"):
        resolve_weights(entry, "imagenet")
    assert resolve_weights(entry, "auto").source == "none"
    path = cache(tmp_path, b"weights", entry)
    assert resolve_weights(entry, "imagenet").sha256 == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_a_cached_file_is_used_when_its_hash_is_right(tmp_path, monkeypatch):
    path = cache(tmp_path, b"weights")
    published = PublishedWeights(path.name, hashlib.md5(b"weights").hexdigest(), 1, "none", "vgg16/")
    entry = MODELS.get("vgg16").__class__(**{**vars(VGG), "published": {"imagenet": published}})
    choice = resolve_weights(entry, "auto")
    assert choice.source == "imagenet" and choice.path == path and choice.sha256 == f"md5:{published.digest}"


@pytest.mark.parametrize("choice", ["auto", "imagenet"])
def test_a_cached_file_with_another_hash_is_refused(tmp_path, choice):
    cache(tmp_path, b"truncated")
    with pytest.raises(WeightsError, match="must have md5"):
        resolve_weights(VGG, choice)


@pytest.mark.parametrize("choice", ["auto", "imagenet", "none"])
def test_custom_networks_start_at_random(choice):
    assert resolve_weights(MODELS.get("cnn2"), choice).source == "none"


def test_a_file_is_identified_by_its_content(tmp_path):
    path = tmp_path / "mine.weights.h5"
    with h5py.File(path, "w") as file:
        file["x"] = [1.0]
    choice = resolve_weights(VGG, str(path))
    assert choice.source == "file" and choice.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_that_is_none_of_weights_is_refused_when_the_plan_is_made(tmp_path):
    path = tmp_path / "mine.weights.h5"
    path.write_bytes(b"x")
    with pytest.raises(WeightsError, match="must be an HDF5 file of weights"):
        resolve_weights(VGG, str(path))


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(WeightsError, match="existing file"):
        resolve_weights(VGG, str(tmp_path / "none.h5"))


def test_random_features_need_no_file_and_are_of_transfer_networks_alone():
    choice = resolve_weights(VGG, "random-features")
    assert (choice.source, choice.sha256, choice.path) == ("random-features", "", None)
    assert resolve_weights(MODELS.get("cnn2"), "random-features").source == "none"
