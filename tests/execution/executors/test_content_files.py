"""Files known by their content: recognised by their bytes, and copied to a machine once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from study.execution.executors.ray.worker import ContentFile, content_file


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ContentFile:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    (tmp_path / "weights.h5").write_bytes(b"some weights")
    return content_file(tmp_path / "weights.h5")


def test_a_file_that_is_seen_is_used_where_it_lies(weights: ContentFile) -> None:
    assert weights.seen and weights.find() == weights.path


@pytest.mark.parametrize("content", [None, b"other weight", b"some weights and more"], ids=["gone", "other", "longer"])
def test_what_a_name_alone_stands_for_is_not_taken(weights: ContentFile, content: bytes | None) -> None:
    weights.path.unlink()
    if content is not None:
        weights.path.write_bytes(content)
    assert not weights.seen and weights.find() is None


def test_missing_bytes_are_copied_once_and_then_found(weights: ContentFile) -> None:
    weights.path.unlink()
    data = np.frombuffer(b"some weights", np.uint8)
    copy = weights.copy_here(data)
    assert (copy.read_bytes(), copy.name) == (b"some weights", "weights.h5")
    assert weights.find() == copy
    copy.write_bytes(b"some damage!")
    assert weights.find() is None
    assert weights.copy_here(data).read_bytes() == b"some weights"
