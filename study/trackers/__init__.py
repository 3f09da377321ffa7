"""Where people already look: runs logged to TensorBoard or MLflow, from their records and nothing else.

A new tracker is one class in a file of this folder, or of a plugin; nothing else needs editing.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from study.core.errors import UsageError
from study.core.record import Record
from study.core.registry import Registry
from study.core.store import Store


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


@dataclass(frozen=True)
class TrackerEntry:
    """A registered tracker."""

    name: str  #: What ``--track`` takes.
    open: Callable[[Store, Path], Tracker]  #: Makes a ``Tracker`` from a study's store and the folder in which to log.
    needs: str = ""  #: The package that it imports, or empty.


#: Every module of this package registers itself.
TRACKERS: Registry[TrackerEntry] = Registry("tracker", "study.trackers")
T = TypeVar("T", bound=type)


def tracker(name: str, needs: str = "") -> Callable[[T], T]:
    """Register a class as a tracker.

    Raises:
        UsageError: the name is taken by another file.
    """

    def register(kind: T) -> T:
        TRACKERS.add(name, TrackerEntry(name, kind, needs), inspect.getfile(kind))
        return kind

    return register


def check_tracker(name: str) -> TrackerEntry:
    """Return a tracker, or refuse one that does not exist or is not installed, before any time is spent.

    Raises:
        UsageError: with what to do.
    """
    entry = TRACKERS.get(name)
    if entry.needs and importlib.util.find_spec(entry.needs) is None:
        ours = Path(TRACKERS.file(name)).is_relative_to(Path(__file__).parent)
        what = f"--constraint constraints.txt --editable '.[{name}]'" if ours else entry.needs
        raise UsageError(f"--track {name} needs the package {entry.needs}: python -m pip install {what}")
    return entry


def open_tracker(name: str, store: Store) -> Tracker:
    """Return a tracker that logs a study's runs into the folder ``tracking`` beside the results, outside git.

    Raises:
        UsageError: it does not exist, or is not installed.
    """
    return check_tracker(name).open(store, store.results.parent / "tracking")
