"""The data file of the bench: what was measured, part by part, each with what it was measured on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.bench.task import LEAST_UPDATES
from study.core.environment import provenance, usable_cores
from study.core.errors import StoreError
from study.core.files import read_regular, write_atomically
from study.core.record import rounded
from study.training.device import visible_gpus

FILE = "measured.json"
FORMAT = 1
#: Digits that are kept of a number.
DIGITS = 5


def stamp(rounds: int, seconds: float) -> dict[str, Any]:
    """Return what a part says of where and how it was measured."""
    about = provenance(usable_cores())
    kept = ("commit", "python", "versions", "system", "processor", "threads", "started")
    return {name: getattr(about, name) for name in kept} | {
        "processor": ", ".join([*(gpu.name for gpu in visible_gpus()), about.processor]),
        "rounds": rounds,
        "seconds": seconds,
        "least_updates": LEAST_UPDATES,
    }


def read(folder: Path) -> dict[str, Any]:
    """Return the parts in a folder of reports, by name; none where nothing was measured yet.

    Raises:
        StoreError: the file cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        content = json.loads(read_regular(path, 64 << 20))
        if content["format"] != FORMAT or not isinstance(content["parts"], dict):
            raise ValueError(f"format {content['format']!r}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{path}: no measurements of the bench ({error}). Remove it and measure again.") from error
    return dict(content["parts"])


def add(folder: Path, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Put parts in place of those with their names, write the file and return all of them.

    Raises:
        StoreError: the file that is there cannot be read.
        WriteError: the folder cannot be written.
    """
    kept = read(folder) | rounded(parts, DIGITS)
    text = json.dumps({"format": FORMAT, "parts": kept}, sort_keys=True, indent=1)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / FILE, text.encode() + b"\n")
    return read(folder)
