"""study weights: what is here, where it belongs, whether it is what it claims; no backend is needed to tell."""

from __future__ import annotations

import hashlib
from pathlib import Path

import h5py
import pytest
from typer.testing import CliRunner

from study.errors import UsageError, WeightsError
from study.models import weights as room
from study.models.entry import MODELS
from study.verbs.weights import app, verified_file

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
    assert "study pretrain" in lines["resnet18"]


def test_the_path_says_where_to_put_what(home: Path) -> None:
    out, _ = said("path", "vgg16")
    published = MODELS.get("vgg16").published["imagenet"]
    assert str(home / "models" / published.file) in out and published.digest in out and "https://" in out
    assert isinstance(said("path", "vgg61")[1], UsageError) and isinstance(said("path", "resnet18")[1], UsageError)


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


def test_a_file_is_verified_by_its_form_and_its_published_name(home: Path) -> None:
    about = verified_file(write(home / "mine.weights.h5"))
    assert "of unknown origin" in about and "1 arrays" in about
    with pytest.raises(WeightsError, match="must have md5"):
        verified_file(write(home / MODELS.get("vgg16").published["imagenet"].file))
    (home / "torn.weights.h5").write_bytes(b"torn")
    with pytest.raises(WeightsError, match="cannot be read"):
        verified_file(home / "torn.weights.h5")
    with pytest.raises(WeightsError, match="existing file"):
        verified_file(home / "absent.weights.h5")
