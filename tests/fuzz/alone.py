"""One file read in a process of its own within the fuzz tests' limits: `python -m tests.fuzz.alone READER PATH`."""

from __future__ import annotations

import contextlib
import faulthandler
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.child import LIMIT_BYTES, LIMIT_S, WAIT_S

ROOT = Path(__file__).parent.parent.parent


def _data(path: Path) -> None:
    from study.datasets.load import load

    with tempfile.TemporaryDirectory() as cache:
        load(str(path), cache_dir=Path(cache))


def _picture(path: Path) -> None:
    from study.core.errors import DataError
    from study.datasets.readers.image_file import strict_pillow
    from study.faces.pictures import read_picture

    with strict_pillow():
        try:
            read_picture(path)
        except ValueError as error:
            raise DataError(str(error)) from error


def _arrays(path: Path) -> None:
    from study.core.store import unpack_arrays

    unpack_arrays(path.read_bytes(), path.name)


def _records(path: Path) -> None:
    from study.core.store import Store

    store = Store(path.parent, path.name) if (path / "cnn3").exists() else Store(path / "results", "fake")
    store.records()


def _predictions(path: Path) -> None:
    from study.core.store import Store

    store = Store(path / "results", "fake")
    for record in store.records():
        store.load_arrays(record)


def _manifest(path: Path) -> None:
    from study.core.errors import StoreError
    from study.core.store import Store
    from study.trained.formats import find_exports

    store = Store(path / "results", "fake")
    if not any(find_exports(store, record) for record in store.records()):
        raise StoreError("no exports")


def _imported(path: Path) -> None:
    import numpy as np

    from study.execution.import_predictions import read_predictions

    dataset = {"ids": np.array(["a", "b"]), "splits": np.array([2, 2], np.uint8), "labels": np.array([0, 1])}
    read_predictions(path, dataset, ("sad", "happy"))


def _settings(path: Path) -> None:
    from study.planning.grid import Choices, read_grid, resolve_specs, select_pairs
    from study.protocols.budgets import Budget
    from tests.fuzz.targets_settings import _image_set

    image_set = _image_set()
    grid = read_grid(str(path))
    choices = Choices(
        Budget("full"),
        seeds=grid.seeds or (0,),
        weights="none",
        sides_px=grid.axes.get("side", ()),
        train_shares=grid.axes.get("train_share", (1.0,)),
        epochs=grid.epochs,
    )
    resolve_specs(select_pairs(grid), choices, image_set)


def _weights(path: Path) -> None:
    from study.models.weights_form import check_form

    check_form(path, 1000)


def _weights_info(path: Path) -> None:
    from study.models.pretraining_info import read_pretraining

    read_pretraining(path)


READERS: dict[str, Callable[[Path], None]] = {
    "data": _data,
    "picture": _picture,
    "arrays": _arrays,
    "records": _records,
    "predictions": _predictions,
    "manifest": _manifest,
    "imported": _imported,
    "settings": _settings,
    "weights": _weights,
    "weights-info": _weights_info,
}


def read_alone(reader: str, path: Path) -> str:
    """Read a path in a process of its own; return ``read`` or the error's one line.

    Raises:
        AssertionError: a traceback, more than 5 s of processor or more than 1 GB.
    """
    call = [sys.executable, "-m", "tests.fuzz.alone", reader, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


def main(reader: str, path: str) -> None:
    """Read a path and print what became of it."""
    from study.cli.app import one_line
    from study.core.errors import StudyError

    with contextlib.suppress(StudyError, OSError):  # imports come before the limits
        READERS[reader](Path(path, "no", "such.csv"))
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + LIMIT_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + LIMIT_S),) * 2)  # others may use the cores
    faulthandler.dump_traceback_later(WAIT_S, exit=True)
    try:
        READERS[reader](Path(path))
        print("read")
    except StudyError as error:
        print(one_line(str(error)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
