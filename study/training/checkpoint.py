"""Checkpoint: all that an interrupted run needs, written whole at epoch boundaries, checked when it is read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.environment import code_hash, versions
from study.core.files import replacing, set_aside
from study.core.spec import content_hash

SUFFIX = ".checkpoint"
#: The newest and the one before it, for when the newest cannot be read. The last one of the phase before is kept too:
#: where a phase's own checkpoints do not fit, that phase starts again and not the run.
KEPT = 2
#: Earlier versions left the phase out.
_NAME = re.compile(rf"\d+(-\d+)?{re.escape(SUFFIX)}")
#: Saving takes at most this share of the time: on a GPU, an epoch of a second would otherwise wait for the disk.
SHARE = 0.1
#: A save that takes no longer than this is always made.
QUICK_S = 0.25
#: Length of a file's first line: 64 hex digits and its end.
DIGEST = 65

Arrays = Mapping[str, list[NDArray[Any]]]


class Checkpoint:
    """Weights, optimizer, best weights and schedule states of one run; each save is one file (see ``KEPT``).

    A file's name holds its number and its phase: ``000012-1.checkpoint``. It has one line with the sha256 of the rest,
    one line of JSON (run key, what code made it, state, the arrays' names, types and shapes), then the arrays' bytes.

    Args:
        folder: Where to keep them, a folder of this run alone; None keeps nothing.
        key: The run key; a checkpoint of another run is ignored.

    Attributes:
        notes: One line for a person on each checkpoint that ``load`` could not use.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self.folder = folder
        self.key = key
        self.notes: list[str] = []
        self._took_s = self._ended = 0.0
        self._left_out = 0

    def wants(self, epoch_s: float) -> bool:
        """Return whether the epoch that has ended is to be saved; a time limit looks at the ``epoch_s`` that it took.

        One that is not is counted, since files are numbered by epochs.
        """
        if self._took_s <= QUICK_S or time.perf_counter() - self._ended >= self._took_s * (1 / SHARE - 1):
            return True
        self._left_out += 1
        return False

    def save(self, phase: int, state: Mapping[str, Any], arrays: Arrays) -> None:
        """Write the state (JSON data) and the named lists of arrays as a new file; then drop those not needed any more.

        Args:
            phase: Number of the phase, from 0.
            state: JSON data.
            arrays: Lists of arrays by name.

        Raises:
            WriteError: the folder cannot be written or the disk is full; earlier checkpoints stay.
        """
        if self.folder is None:
            return
        start = time.perf_counter()
        flat = [(name, np.asarray(array, order="C")) for name, group in arrays.items() for array in group]
        about = {
            "key": self.key,
            "made_by": _made_by(),
            "state": state,
            "groups": list(arrays),
            "arrays": [[name, array.dtype.str, array.shape] for name, array in flat],
        }
        parts: list[bytes | memoryview] = [json.dumps(about).encode() + b"\n"]
        parts += [array.reshape(-1).view(np.uint8).data for _, array in flat]
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part)
        earlier = checkpoints(self.folder)
        number = (_number(earlier[-1]) + 1 if earlier else 0) + self._left_out
        self._left_out = 0
        with replacing(self.folder / f"{number:06d}-{phase}{SUFFIX}") as temporary, temporary.open("xb") as file:
            file.write(digest.hexdigest().encode() + b"\n")
            for part in parts:
                file.write(part)
        before = [path for path in earlier if _phase(path) < phase]
        for path in earlier[: 1 - KEPT]:
            if path not in before[-1:]:
                path.unlink(missing_ok=True)
        self._ended = time.perf_counter()
        self._took_s = self._ended - start

    def load(self) -> tuple[dict[str, Any], dict[str, list[NDArray[Any]]]] | None:
        """Return state and arrays of the newest checkpoint that is whole, or None; damaged ones are set aside.

        Raises:
            WriteError: a damaged file cannot be renamed.
        """
        for path in reversed(checkpoints(self.folder) if self.folder else []):
            try:
                about, arrays = _read(path)
            except (OSError, ValueError) as error:
                self.refuse(path, f"is damaged ({' '.join(str(error).split())})")
                continue
            if about["key"] != self.key:
                self.refuse(path, "belongs to another run")
            elif about["made_by"] != _made_by():
                self.refuse(path, "was made by other code or other versions of its libraries")
            else:
                return about["state"], arrays
        return None

    def refuse(self, path: Path | None = None, why: str = "does not fit the network") -> None:
        """Set a checkpoint aside, by default the newest one, and note why it cannot be used."""
        for one in [path] if path else checkpoints(self.folder)[-1:] if self.folder else []:
            rest = "the one before it is tried" if checkpoints(self.folder)[:-1] else "training starts over"
            self.notes.append(f"checkpoint {_number(one)} {why}: set aside as {set_aside(one).name}; {rest}")


def checkpoints(folder: Path | None) -> list[Path]:
    """Return the checkpoints in a run's folder, oldest first."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if _NAME.fullmatch(path.name)) if folder else []


def discard(folder: Path) -> None:
    """Delete the checkpoints of a run whose record is stored; what was set aside stays."""
    for path in checkpoints(folder):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not there, or something else lies in it
        folder.rmdir()


def _number(path: Path) -> int:
    return int(path.name.partition("-")[0].partition(".")[0])


def _phase(path: Path) -> int:
    return int(path.name.removesuffix(SUFFIX).partition("-")[2] or 0)


def _made_by() -> str:
    """Return a hash of what decides how training goes on: with another, the result would be of neither code."""
    return content_hash([code_hash(), versions()])


def _read(path: Path) -> tuple[dict[str, Any], dict[str, list[NDArray[Any]]]]:
    """Return manifest and arrays of a file.

    Raises:
        ValueError: the content is not what was written.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    if hashlib.sha256(memoryview(data)[DIGEST:]).hexdigest().encode() + b"\n" != data[:DIGEST]:
        raise ValueError("its sha256 differs")
    try:
        end = data.index(b"\n", DIGEST)
        about: dict[str, Any] = json.loads(data[DIGEST:end])
        arrays: dict[str, list[NDArray[Any]]] = {name: [] for name in about["groups"]}
        start = end + 1
        for name, kind, shape in about["arrays"]:
            size = math.prod(shape) * np.dtype(kind).itemsize
            array = np.frombuffer(data[start : start + size], kind).reshape(shape).copy()
            start += size
            arrays[name].append(array)
        if not (
            isinstance(about["key"], str) and isinstance(about["made_by"], str) and isinstance(about["state"], dict)
        ):
            raise ValueError("its first line is of another form")
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError, SyntaxError) as error:
        raise ValueError(f"its first line is of another form ({type(error).__name__})") from error
    return about, arrays
