"""Where people already look: runs logged to TensorBoard or MLflow, from their records and nothing else."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from study.core.errors import UsageError, unknown_name
from study.core.record import Record
from study.core.store import Store

#: Name -> module with a class ``Log``, and the package that it needs, of the extra of that name.
TRACKERS: Mapping[str, tuple[str, str]] = {
    "tensorboard": ("study.trackers.tensorboard", "tensorboard"),
    "mlflow": ("study.trackers.mlflow", "mlflow"),
}


class Tracker(Protocol):
    """Logs runs of one study; what is logged already is not logged again."""

    def log(self, record: Record) -> None:
        """Log a stored record; whatever is no finished run of our own making is passed over."""
        ...

    def log_report(self, folder: Path) -> None:
        """Log the study's report from its folder."""
        ...

    @property
    def look(self) -> str:
        """What a person types to see what was logged."""
        ...


def check_tracker(name: str) -> None:
    """Refuse a tracker that does not exist or is not installed, before any time is spent.

    Raises:
        UsageError: with what to do.
    """
    if name not in TRACKERS:
        raise unknown_name("tracker", name, TRACKERS)
    if importlib.util.find_spec(TRACKERS[name][1]) is None:
        raise UsageError(
            f"--track {name} needs the package {TRACKERS[name][1]}: "
            f"python -m pip install --constraint constraints.txt --editable '.[{name}]'"
        )


def open_tracker(name: str, store: Store) -> Tracker:
    """Return a tracker that logs a study's runs into the folder ``tracking`` beside the results.

    Raises:
        UsageError: it does not exist, or is not installed.
    """
    check_tracker(name)
    log: Tracker = importlib.import_module(TRACKERS[name][0]).Log(store, tracking_folder(store))
    return log


def tracking_folder(store: Store) -> Path:
    """Return where trackers keep what they log; outside git."""
    return store.results.parent / "tracking"
