"""ContentFiles: a file is recognised by its bytes, and copied to a machine once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from study.execution.executors.ray.worker import ContentFiles, MissingContent, content_files_of


@pytest.fixture
def content_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ContentFiles:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    (tmp_path / "weights.h5").write_bytes(b"some weights")
    return content_files_of(tmp_path / "weights.h5")


def some_bytes() -> np.ndarray:  # type: ignore[type-arg]
    return np.frombuffer(b"some weights", np.uint8)


def test_a_file_that_is_seen_is_used_where_it_lies(content_files: ContentFiles) -> None:
    assert content_files.obtain(None) == (content_files.path, 0)


@pytest.mark.parametrize("content", [None, b"other weight", b"some weights and more"], ids=["gone", "other", "longer"])
def test_what_a_name_alone_stands_for_is_not_taken(content_files: ContentFiles, content: bytes | None) -> None:
    content_files.path.unlink()
    if content is not None:
        content_files.path.write_bytes(content)
    with pytest.raises(MissingContent) as caught:
        content_files.obtain(None)
    assert caught.value.content_files == content_files


def test_missing_bytes_are_fetched_once_and_then_found(content_files: ContentFiles, tmp_path: Path) -> None:
    content_files.path.unlink()
    copy, offset = content_files.obtain(some_bytes)
    assert (copy.read_bytes(), offset, copy.name) == (b"some weights", 0, "weights.h5")
    assert content_files.obtain(None) == (copy, 0)
    copy.write_bytes(b"some damage!")
    with pytest.raises(MissingContent):
        content_files.obtain(None)
    assert content_files.obtain(some_bytes)[0].read_bytes() == b"some weights"


def test_the_end_of_a_file_counts_alone(tmp_path: Path) -> None:
    (tmp_path / "images.npy").write_bytes(b"head" + b"some weights")
    content_files = ContentFiles(tmp_path / "images.npy", 4, 12, hashlib.sha256(b"some weights").hexdigest())
    assert content_files.obtain(None) == (content_files.path, 4)
