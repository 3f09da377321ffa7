"""Executors: where runs are executed. One signature for all; records come back to the driver, which stores them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from study.datasets.image_set import ImageSet
from study.errors import unknown_name
from study.record import Record
from study.spec import Spec

#: Name of an executor -> module with ``run_specs``; imported only when chosen.
MODULES = {"inprocess": "study.executors.inprocess", "process": "study.executors.process"}

#: What an executor reports while runs are going on: the run's spec and one event of ``study.execute.execute``
#: (``kind`` ``start``, ``phase``, ``epoch``, ``note`` or ``predict``).
OnEvent = Callable[[Spec, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Job:
    """One run to execute.

    Attributes:
        spec: What to run.
        start_weights: File of weights to start from, or None.
        keep_weights: Where the best weights go, or None to drop them.
        checkpoints: Folder for checkpoints while the run trains, or None.
    """

    spec: Spec
    start_weights: Path | None = None
    keep_weights: Path | None = None
    checkpoints: Path | None = None


class RunSpecs(Protocol):
    """The signature that every executor keeps."""

    def __call__(
        self, jobs: Sequence[Job], image_set: ImageSet, *, workers: int, plugins: Sequence[str], on_event: OnEvent
    ) -> Generator[Record, None, None]:
        """Execute the jobs and yield one record for each as it ends, in any order.

        A run that fails, or takes its worker down with it, is a ``failed`` record; the others go on. Closing
        the iterator, or an exception raised through it (Ctrl-C), ends every worker before it returns.

        Args:
            jobs: The runs, in the order in which to start them.
            image_set: The dataset of all of them.
            workers: Runs at the same time, at least 1.
            plugins: Files to import before the first run, so that their entries are registered in every worker.
            on_event: Called in the driver.
        """
        ...


def get_executor(name: str) -> RunSpecs:
    """Return an executor's ``run_specs``.

    Raises:
        UsageError: no such executor.
    """
    if name not in MODULES:
        raise unknown_name("executor", name, MODULES)
    run_specs: RunSpecs = importlib.import_module(MODULES[name]).run_specs
    return run_specs
