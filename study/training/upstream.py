"""Upstream: the body of a network that was trained on another task, written as a file that runs start from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.core.files import write_atomically
from study.models.pretraining_info import with_origin
from study.training.build import Network
from study.training.weights_file import weights_content


def save_body(network: Network, path: Path, origin: Mapping[str, Any]) -> None:
    """Write the body's weights as the entry's own builder names them, so that no file depends on fused layers.

    Args:
        network: A transfer network.
        path: Where to, ``.weights.h5``.
        origin: What the file says of its making, see ``study.models.pretraining_info``.

    Raises:
        WriteError: the place cannot be written.
    """
    plain = network.entry.builder(tuple(network.body.input_shape[1:]), None)  # type: ignore[union-attr]
    plain.set_weights(network.body.get_weights())  # type: ignore[union-attr]
    write_atomically(path, with_origin(weights_content(plain), origin))
