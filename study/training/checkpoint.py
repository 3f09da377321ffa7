"""Checkpoint: all that an interrupted run needs, written whole at epoch boundaries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.files import write_atomically

FILE = "checkpoint.npz"


class Checkpoint:
    """Weights, optimizer, best weights and schedule states of one run in one file.

    Args:
        folder: Where to keep it; None keeps nothing.
        key: The run key; a checkpoint of another run is ignored.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self.path = folder / FILE if folder else None
        self.key = key

    def save(self, state: Mapping[str, Any], arrays: Mapping[str, list[NDArray[Any]]]) -> None:
        """Write the state (JSON data) and the named lists of arrays, replacing the previous checkpoint when whole."""
        if self.path is None:
            return
        import io

        flat = {f"{name}/{number:04d}": array for name, group in arrays.items() for number, array in enumerate(group)}
        text = json.dumps({"key": self.key, "state": state}).encode()
        buffer = io.BytesIO()
        np.savez(buffer, state=np.frombuffer(text, np.uint8), **flat)  # type: ignore[arg-type]
        write_atomically(self.path, buffer.getvalue())

    def load(self) -> tuple[dict[str, Any], dict[str, list[NDArray[Any]]]] | None:
        """Return state and arrays, or None where there is no checkpoint of this run that can be read."""
        if self.path is None or not self.path.is_file():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                content = json.loads(archive["state"].tobytes())
                arrays: dict[str, list[NDArray[Any]]] = {}
                for name in sorted(set(archive.files) - {"state"}):
                    arrays.setdefault(name.split("/")[0], []).append(archive[name])
        except Exception:  # damaged in any way: training from the start is always right
            return None
        return (content["state"], arrays) if content["key"] == self.key else None

    def remove(self) -> None:
        """Delete the checkpoint of a run that has ended."""
        if self.path is not None and self.path.is_file():
            self.path.unlink()
            if not any(self.path.parent.iterdir()):
                self.path.parent.rmdir()
