"""The executor without workers: one run after the other in the driver's own process."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from types import FrameType

from study.core.errors import StudyError
from study.core.record import Record
from study.datasets.image_set import ImageSet
from study.execution.executors import POLL_S, Abandoned, Job, OnEvent, execute_job, executor, failed_record, too_long
from study.execution.time_limit import Stopped
from study.training.banners import without_banners

#: Seconds between further alarms where a run went on after the first, because something caught what it raised.
AGAIN_S = 5.0


class TimeLimitError(StudyError):
    """A run has taken longer than it may."""


@executor("inprocess", most_jobs=1)
def run_specs(
    jobs: Iterable[Job | None],
    image_set: ImageSet,
    *,
    workers: int,
    plugins: Sequence[str],
    on_event: OnEvent,
    limit_s: float | None = None,
) -> Generator[Record, None, None]:
    """Execute the jobs in order and yield each record, see ``executors.RunSpecs``. ``workers`` is one here.

    The time limit interrupts Python code, also between two training steps and while it sleeps. It cannot interrupt
    compiled code that does not return, nor is there anything left to make a record where a run ends the whole process:
    the executor ``process`` is for that.
    """
    for job in jobs:
        if job is None:
            time.sleep(POLL_S)
            continue
        try:
            on_event(job.spec, {"kind": "start"})
            with without_banners(), _alarm(limit_s), contextlib.chdir(os.getcwd()):
                record = execute_job(job, image_set, functools.partial(on_event, job.spec), plugins)
        except Abandoned:
            continue
        except Stopped:
            on_event(job.spec, {"kind": "stopped"})
            continue
        except TimeLimitError as error:  # it rang after the training
            record = failed_record(job.spec, image_set, str(error))
        yield record


@contextlib.contextmanager
def _alarm(limit_s: float | None) -> Iterator[None]:
    """Raise ``TimeLimitError`` in what runs in the block after some time; only the main thread can be interrupted."""
    if limit_s is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    armed = True

    def ring(number: int, frame: FrameType | None) -> None:
        if armed:
            raise TimeLimitError(too_long(limit_s))

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit_s, AGAIN_S)
    try:
        yield
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
