"""Executors: where runs are executed. One signature for all; records come back to the driver, which stores them.

A new executor is one file in this folder, or a plugin; nothing else needs editing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from study.core.environment import provenance
from study.core.record import Record
from study.core.registry import Registry
from study.core.spec import Spec
from study.datasets.image_set import ImageSet
from study.execution.time_limit import stopping_at

#: What an executor reports while runs are going on: the run's spec and one event of ``study.execution.run_one.execute``
#: (``kind`` ``start``, ``phase``, ``epoch``, ``note`` or ``predict``; with ``node`` where there are several), or
#: ``stopped`` for a run that has no record because its time was up (``Job.ends``).
OnEvent = Callable[[Spec, Mapping[str, Any]], None]
#: Takes the events of one run.
Report = Callable[[dict[str, Any]], None]

#: Seconds after which jobs are asked for again where there was none to start.
POLL_S = 1.0


class Abandoned(BaseException):
    """Raised by ``on_event`` to end the run that the event is about, without a record; the others go on."""


@dataclass(frozen=True)
class Job:
    """One run to execute; its paths are absolute, so that no run that changes the working folder misleads another."""

    spec: Spec  #: What to run.
    start_weights: Path | None = None  #: File of weights to start from, or None.
    keep_weights: Path | None = None  #: Where the best weights go, or None to drop them.
    checkpoints: Path | None = None  #: Folder for checkpoints while the run trains, or None.
    #: When (``time.time``) it must have ended or stopped at an epoch's end with its checkpoint; None for never.
    ends: float | None = None

    def __post_init__(self) -> None:
        for name in ("start_weights", "keep_weights", "checkpoints"):
            if (path := getattr(self, name)) is not None:
                object.__setattr__(self, name, path.absolute())


class RunSpecs(Protocol):
    """The signature that every executor keeps; what one takes besides has a default."""

    def __call__(
        self,
        jobs: Iterable[Job | None],
        image_set: ImageSet,
        *,
        workers: int,
        plugins: Sequence[str],
        on_event: OnEvent,
        limit_s: float | None = None,
    ) -> Generator[Record, None, None]:
        """Execute the jobs and yield one record for each as it ends, in any order.

        A run that fails, takes too long, or takes its worker down with it, is a ``failed`` record; the others go on.
        Closing the iterator, or an exception raised through it (Ctrl-C), ends every worker before it returns.

        Args:
            jobs: The runs, in the order in which to start them; asked for when one can be started. None means that
                there is none now and may be one later: it is asked for again in a moment.
            image_set: The dataset of all of them.
            workers: Runs at the same time, at least 1. Each has the same number of threads, however many are going on:
                how a result is rounded follows from it.
            plugins: Files to import before the first run, so that their entries are registered in every worker.
            on_event: Called in the driver; it may raise ``Abandoned``.
            limit_s: Seconds that one run may take; None for as long as it likes.

        Raises:
            WriteError: a run could not write its checkpoint or its weights: neither could the ones after it.
        """
        ...


@dataclass(frozen=True)
class Executor:
    """A registered executor."""

    name: str  #: What ``--executor`` takes.
    run_specs: RunSpecs  #: Executes jobs.
    most_jobs: int | None = None  #: The most runs at the same time; None for as many as ``--jobs`` says.
    #: Whether its runs have cores of their own, on other machines, and it knows how many it holds.
    own_cores: bool = False
    #: Returns what ``run_specs`` takes besides, from the flags ``address``, ``cpus_per_run`` and ``gpus_per_run`` (each
    #: None where it was not given) and a function that prints a line; None where it takes none of them.
    options: Callable[[Mapping[str, Any], Callable[[str], None]], dict[str, Any]] | None = None


#: Every module of this package registers itself.
EXECUTORS: Registry[Executor] = Registry("executor", "study.execution.executors")


def executor(name: str, **facts: Any) -> Callable[[RunSpecs], RunSpecs]:
    """Register a function as an executor; ``facts`` are the other attributes of ``Executor``.

    Raises:
        UsageError: the name is taken by another file.
    """

    def register(run_specs: RunSpecs) -> RunSpecs:
        EXECUTORS.add(name, Executor(name, run_specs, **facts), inspect.getfile(run_specs))
        return run_specs

    return register


def execute_job(job: Job, image_set: ImageSet, report: Report, plugins: Sequence[str]) -> Record:
    """Execute one job in this process, where the backend is imported.

    Raises:
        Stopped: its time is up, and its checkpoint is written.
    """
    from study.execution.run_one import execute

    with stopping_at(job.ends):
        return execute(
            job.spec,
            image_set,
            weights_path=job.start_weights,
            keep_weights=job.keep_weights,
            checkpoint_folder=job.checkpoints,
            progress=report,
            plugins=plugins,
        )


def failed_record(spec: Spec, image_set: ImageSet, reason: str, tail: str = "") -> Record:
    """Return the record of a run that failed without one; ``tail`` is the end of what it printed."""
    return Record(
        spec=spec, status="failed", dataset=image_set.card(), reason=reason, traceback=tail, provenance=provenance()
    )


def too_long(limit_s: float) -> str:
    """Return why a run failed that was ended for the time it took."""
    return f"took longer than a run may take ({limit_s / 60:g} min): give more with --run-limit"
