"""Weights in files: a trained network's are written whole, those to start from must be the ones that the spec names."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.errors import WeightsError
from study.files import file_sha256, write_atomically


class _Buffer(io.BytesIO):
    """Keras writes weights into a buffer as well, but looks for the suffix in its name."""

    def __str__(self) -> str:
        return "buffer.weights.h5"


def weights_content(model: Any) -> bytes:
    """Return what a file of a model's weights holds.

    It is put together in memory, because HDF5 takes the process down on a full disk.
    """
    buffer = _Buffer()
    model.save_weights(buffer)
    return buffer.getvalue()


def save_weights(model: Any, path: Path) -> str:
    """Write a model's weights so that the file is either the old one or the whole new one; return its sha256 (hex).

    Raises:
        WriteError: the folder cannot be written or the disk is full.
    """
    data = weights_content(model)
    write_atomically(path, data)
    return hashlib.sha256(data).hexdigest()


def check_start(weights: Mapping[str, Any], path: Path | None) -> None:
    """Refuse to start from a file that is not the one whose hash a spec's ``weights`` hold.

    Raises:
        WeightsError: it was changed since the run was planned.
    """
    if weights["source"] == "file" and path is not None and path.is_file() and file_sha256(path) != weights["sha256"]:
        raise WeightsError(
            f"{path.name} was changed since the run was planned (sha256 {weights['sha256'][:10]}...): "
            "restore it, or start again to plan with what it holds now."
        )
