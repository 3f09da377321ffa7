"""Weights in files: a trained network's are written whole, those to start from must be the ones that the spec names."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from study.core.errors import UsageError, WeightsError
from study.core.files import file_sha256, write_atomically
from study.core.record import Pretraining
from study.core.spec import Start
from study.models.entry import ModelEntry
from study.models.pretraining_info import with_pretraining
from study.training.build import Network


class _Buffer(io.BytesIO):
    """Keras writes weights into a buffer as well, but looks for the suffix in its name."""

    def __str__(self) -> str:
        return "buffer.weights.h5"


def weights_content(model: Any) -> bytes:
    """Return what a file of a model's weights holds.

    It is put together in memory, because HDF5 takes the process down on a full disk. Keras would write the optimizer of
    a compiled model too, twice or three times the weights; another model of the same layers has none.
    """
    import keras

    buffer = _Buffer()
    keras.Model(model.inputs, model.outputs, name=model.name).save_weights(buffer)
    return buffer.getvalue()


def save_weights(model: Any, path: Path) -> str:
    """Write a model's weights so that the file is either the old one or the whole new one; return its sha256 (hex).

    Raises:
        WriteError: the folder cannot be written or the disk is full.
    """
    data = weights_content(model)
    write_atomically(path, data)
    return hashlib.sha256(data).hexdigest()


def save_body(network: Network, path: Path, pretraining: Pretraining) -> None:
    """Write the body's weights as the entry's own builder names them, so that no file depends on fused layers.

    Args:
        network: A transfer network.
        path: Where to, ``.weights.h5``.
        pretraining: What the file says of its making, see ``study.models.pretraining_info``.

    Raises:
        WriteError: the place cannot be written.
    """
    plain = network.entry.builder(tuple(network.body.input_shape[1:]), None)  # type: ignore[union-attr]
    plain.set_weights(network.body.get_weights())  # type: ignore[union-attr]
    write_atomically(path, with_pretraining(weights_content(plain), pretraining))


def fitting_entries(path: Path, entries: Iterable[ModelEntry]) -> list[str]:
    """Return the names of the entries that a file of weights fits, by loading it into each.

    Args:
        path: A file of weights, whose form has been checked.
        entries: Transfer entries, whose bodies take it, and custom ones, whose whole networks do.
    """
    import keras

    from study.training.build import load_weights

    found = []
    for entry in entries:
        keras.backend.clear_session()
        try:
            load_weights(_takes_weights(entry), path, entry.name)
        except (WeightsError, UsageError):  # it does not fit, or the entry needs a package that is not installed
            continue
        found.append(entry.name)
    return found


def _takes_weights(entry: ModelEntry) -> Any:
    """Return the model that a weights file of an entry is loaded into."""
    from study.training.build import build_network

    if entry.family == "transfer":
        side_px = entry.minimum_side_px
        return entry.builder((side_px, side_px, 3), None)
    return build_network(entry, image_shape=(48, 48, 1), classes=7, side_px=entry.side_px).model


def check_start(weights: Start, path: Path | None) -> None:
    """Refuse to start from a file that is not the one whose hash a spec's ``weights`` hold.

    Raises:
        WeightsError: it was changed since the run was planned.
    """
    if weights.source == "file" and path is not None and path.is_file() and file_sha256(path) != weights.sha256:
        raise WeightsError(
            f"{path.name} was changed since the run was planned (sha256 {weights.sha256[:10]}...): "
            "restore it, or start again to plan with what it holds now."
        )
