"""study weights: what is here, where it belongs, whether it is what it claims; no backend is needed to tell."""

from __future__ import annotations

import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from study.cli.weights import app, verified_file
from study.core.errors import UsageError, WeightsError
from study.core.record import Pretraining
from study.core.registry import load_plugin
from study.models import weights as room
from study.models.entry import MODELS
from study.models.pretraining_info import with_pretraining

ENTRY = MODELS.get("mobilenet_v2")  # Keras publishes no hash of its file: any content will do
FILE = ENTRY.published["imagenet"].file


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(room, "can_download", lambda: False)
    room.hash_file.cache_clear()
    (tmp_path / "models").mkdir()
    return tmp_path


def write(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["layer/kernel"] = [1.0, 2.0]
    return path


def said(*words: str) -> tuple[str, BaseException | None]:
    done = CliRunner().invoke(app, list(words))
    return done.output, done.exception


def test_the_list_tells_what_is_here_and_what_is_missing(home: Path) -> None:
    write(home / "models" / FILE)
    lines = {
        line.split()[0]: line for line in said("list")[0].splitlines() if line and line.split()[0] in MODELS.names()
    }
    assert set(lines) == {entry.name for entry in MODELS if entry.family == "transfer"}
    assert " here " in lines["mobilenet_v2"] and " missing " in lines["vgg16"] and "59 MB" in lines["vgg16"]
    assert "study pretrain" in lines["resnet18_hub"]


def test_the_path_says_where_to_put_what(home: Path) -> None:
    out, _ = said("path", "vgg16")
    published = MODELS.get("vgg16").published["imagenet"]
    assert str(home / "models" / published.file) in out and published.digest in out and "https://" in out
    assert isinstance(said("path", "vgg61")[1], UsageError) and isinstance(said("path", "resnet18_hub")[1], UsageError)


def test_nothing_here_is_said(home: Path) -> None:
    assert "No published weights are here" in said("verify")[0]


def test_cached_files_are_verified(home: Path) -> None:
    path = write(home / "models" / FILE)
    out, error = said("verify")
    assert error is None and hashlib.sha256(path.read_bytes()).hexdigest() in out and "none is published" in out
    write(home / "models" / MODELS.get("vgg16").published["imagenet"].file)
    out, error = said("verify")
    assert "WRONG" in out and "must have md5" in out and isinstance(error, WeightsError) and "1 of 2" in str(error)


def test_a_named_entry_without_a_file_is_wrong(home: Path) -> None:
    out, error = said("verify", "vgg16")
    assert "get https://" in out and isinstance(error, WeightsError)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave three small entries, so that trying them all takes no time."""
    load_plugin("experiments/plugin_body.py")
    load_plugin("experiments/plugin_example.py")
    names = ("my_body", "tiny", "mobilenet_v2")
    monkeypatch.setattr(MODELS, "_entries", {name: MODELS.get(name) for name in names})


@pytest.fixture
def file(home: Path) -> Path:
    """Return weights of my_body that say nothing of where they come from."""
    load_plugin("experiments/plugin_body.py")
    path = home / "mine.weights.h5"
    MODELS.get("my_body").builder((32, 32, 3), None).save_weights(path)
    return path


DECLARED = ("--dataset", "ImageNet", "--images", "1281167", "--licence", "MIT", "--source", "a package")


def test_a_file_is_verified_by_its_form_and_its_published_name(home: Path) -> None:
    with pytest.raises(WeightsError, match="must have md5"):
        verified_file(write(home / MODELS.get("vgg16").published["imagenet"].file))
    (home / "torn.weights.h5").write_bytes(b"torn")
    with pytest.raises(WeightsError, match="cannot be read"):
        verified_file(home / "torn.weights.h5")
    with pytest.raises(WeightsError, match="existing file"):
        verified_file(home / "absent.weights.h5")


def test_a_file_is_verified_by_the_entries_that_it_fits(few: None, file: Path) -> None:
    assert verified_file(file).endswith("origin not declared (study weights declare); fits my_body")


def test_a_file_that_fits_no_entry_is_wrong(few: None, home: Path) -> None:
    out, error = said("verify", str(write(home / "mine.weights.h5")))
    assert "WRONG mine.weights.h5: 1 arrays" in out and "fits no entry" in out and isinstance(error, WeightsError)


def test_where_a_file_comes_from_can_be_declared_and_corrected(few: None, file: Path) -> None:
    before = MODELS.get("my_body").builder((32, 32, 3), None)
    before.load_weights(file)
    said("declare", str(file), *DECLARED)
    out, error = said("declare", str(file), *DECLARED[:-1], "PyPI: some-package 2.0")
    assert error is None and hashlib.sha256(file.read_bytes()).hexdigest() in out
    words = "declared as pretrained on ImageNet (1,281,167 images; licence MIT; source PyPI: some-package 2.0)"
    assert verified_file(file).endswith(f"{words}; fits my_body")
    after = MODELS.get("my_body").builder((32, 32, 3), None)
    after.load_weights(file)
    assert all(map(np.array_equal, before.get_weights(), after.get_weights()))
    choice = room.resolve_weights(MODELS.get("my_body"), str(file))
    assert words in choice.note and choice.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_what_cannot_be_declared_is_refused(home: Path, file: Path) -> None:
    assert "no file" in str(said("declare", "absent.h5", *DECLARED)[1])
    assert "takes one line" in str(said("declare", str(file), *DECLARED[:-1], "two\nlines")[1])
    assert "above 0" in str(said("declare", str(file), "--images", "0", *DECLARED[:2], *DECLARED[4:])[1])
    published = write(home / MODELS.get("vgg16").published["imagenet"].file)
    assert "rename it" in str(said("declare", str(published), *DECLARED)[1])
    file.write_bytes(with_pretraining(file.read_bytes(), Pretraining(dataset="x", images=3)))
    assert "neither `study pretrain` nor" in str(said("declare", str(file), *DECLARED)[1])
