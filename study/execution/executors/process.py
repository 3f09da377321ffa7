"""The executor with worker processes: persistent, started afresh (spawn), replaced when one dies or takes too long."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import mmap
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import IO, Any

import numpy as np

from study.core.errors import StudyError, UsageError, WriteError
from study.core.record import Record
from study.core.registry import load_plugin
from study.datasets.image_set import ImageSet
from study.execution.executors import (
    POLL_S,
    Abandoned,
    Job,
    OnEvent,
    Report,
    execute_job,
    executor,
    failed_record,
    too_long,
)  # fmt: skip
from study.execution.time_limit import Stopped
from study.training.device import memory_environment
from study.training.environment import THREADS, children_get, process_environment

#: Runs after which a worker makes room for a new one: TensorFlow keeps about 4 MB of every small network that it has
#: trained, and gives it back only when the process ends.
RUNS_OF_A_WORKER = 20
#: How much of what a dead worker printed goes into its record.
OUTPUT_TAIL = 4000
#: Seconds that a worker gets to end when asked before it is killed.
GRACE_S = 5.0
#: Linux' number for "send me a signal when my parent ends" (prctl).
PR_SET_PDEATHSIG = 1


def how_it_ended(code: int | None) -> str:
    """Return why a run failed whose worker process ended with an exit code; negative ones are signals."""
    if code is None or code >= 0:
        return f"the worker process exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hints = {
        "SIGKILL": "; the system may have run out of memory: use fewer --jobs",
        "SIGBUS": "; the file with its images may have been cut short: start again",
    }
    return f"the worker process was ended by {name}{hints.get(name, '')}"


@executor("process")
def run_specs(
    jobs: Iterable[Job | None],
    image_set: ImageSet,
    *,
    workers: int,
    plugins: Sequence[str],
    on_event: OnEvent,
    limit_s: float | None = None,
) -> Generator[Record, None, None]:
    """Execute the jobs on up to ``workers`` processes; see ``study.execution.executors.RunSpecs``.

    A run that has taken too long is ended with its worker, whatever it is doing.
    """
    options = {"workers": workers, "plugins": plugins, "on_event": on_event, "limit_s": limit_s}
    yield from run_on_processes(execute_job, jobs, image_set, **options)  # type: ignore[arg-type]


#: What ``execute_job`` does: a job, the images, where events go, plugins -> the record.
Execute = Callable[[Job, ImageSet, Report, Sequence[str]], Record]


def run_on_processes(
    execute: Execute,
    jobs: Iterable[Job | None],
    image_set: ImageSet,
    *,
    workers: int,
    plugins: Sequence[str],
    on_event: OnEvent,
    limit_s: float | None = None,
) -> Generator[Record, None, None]:
    """Execute jobs with any function that a worker can import; ``run_specs`` does it with ``execute_job``."""
    most = max(1, workers)
    pool = _Pool(functools.partial(_start_worker, execute, image_set, plugins, most), iter(jobs), most, limit_s)
    try:
        while pool.goes_on():
            for worker in pool.ready():
                kind, content = worker.receive()
                if kind == "event":
                    try:
                        on_event(worker.running.spec, content)
                    except Abandoned:
                        pool.drop(worker)
                elif kind == "record":
                    worker.job = None
                    pool.give_work()  # before the driver turns to the disk
                    yield content
                elif kind == "stopped":
                    spec, worker.job = worker.running.spec, None
                    on_event(spec, {"kind": "stopped"})
                elif kind == "unwritable":
                    raise WriteError(content)
                elif worker.job is not None:
                    yield failed_record(worker.job.spec, image_set, *pool.drop(worker))
                else:
                    pool.drop(worker)
            for worker in pool.overdue():
                _, tail = pool.drop(worker)
                yield failed_record(worker.running.spec, image_set, too_long(limit_s or 0.0), tail)
    finally:
        pool.end()


class _Pool:
    """The workers, started when there is work for them, and ``most`` of them at the same time."""

    def __init__(
        self, start: Callable[[], _Worker], jobs: Iterator[Job | None], most: int, limit_s: float | None
    ) -> None:
        self._start, self._jobs, self._most, self._limit_s = start, jobs, most, limit_s
        self._workers: list[_Worker] = []
        self._no_more = False
        self._ask_again = False

    def goes_on(self) -> bool:
        """Give out what work there is; return whether any is going on or may come."""
        self.give_work()
        return not self._no_more or any(worker.job for worker in self._workers)

    def give_work(self) -> None:
        """Give every worker that has none a job, as far as there are jobs, and start workers for more."""
        self._ask_again = False
        # What has died while idle is dropped by the next receive.
        idle = [worker for worker in self._workers if worker.job is None and worker.process.is_alive()]
        while not self._no_more and not self._ask_again and (idle or len(self._workers) < self._most):
            try:
                job = next(self._jobs)
            except StopIteration:
                self._no_more = True
                return
            if job is None:
                self._ask_again = True
                return
            if idle and idle[-1].used_up:
                self.drop(idle.pop())
            if not idle:
                idle.append(self._start())
                self._workers.append(idle[0])
            idle.pop().give(job, self._limit_s)

    def ready(self) -> list[_Worker]:
        """Wait for workers that have something to say, or until there is something else to do."""
        told = all(worker.death is not None for worker in self._workers)  # else a death shows when it is looked for
        waits = [POLL_S] if self._ask_again or not told else []
        waits += [worker.ends - time.monotonic() for worker in self._workers if worker.job and worker.ends is not None]
        ends = [end for worker in self._workers for end in (worker.connection, worker.death) if end is not None]
        said = wait(ends, max(0.0, min(waits)) if waits else None)
        return [worker for worker in self._workers if worker.connection in said or not worker.process.is_alive()]

    def overdue(self) -> list[_Worker]:
        """Return the workers whose job has taken too long."""
        now = time.monotonic()
        return [worker for worker in self._workers if worker.job and worker.ends is not None and now > worker.ends]

    def drop(self, worker: _Worker) -> tuple[str, str]:
        """End a worker; return how it ended where it did by itself, and the end of what it printed."""
        self._workers.remove(worker)
        worker.process.join(GRACE_S if worker.silent else 0.0)
        how = how_it_ended(worker.process.exitcode)
        worker.process.kill()
        tail = worker.printed()
        worker.end()
        return how, tail

    def end(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.end()


@dataclass
class _Worker:
    """A worker process."""

    process: SpawnProcess  #: The process.
    connection: Connection  #: Our end of the pipe to it.
    output: IO[bytes]  #: What it prints.
    runs: int  #: After how many it makes room for a new one.
    #: Readable once the process has ended, whoever still holds its pipe; None where the system has no such thing.
    death: int | None = None
    job: Job | None = None  #: What it is doing.
    ends: float | None = None  #: When (``time.monotonic``) it will have taken too long; None for never.
    silent: bool = False  #: True once the pipe is closed from the other side, because the process ends or has ended.
    given: int = 0  #: How many jobs it was given.

    @property
    def running(self) -> Job:
        assert self.job is not None
        return self.job

    @property
    def used_up(self) -> bool:
        """Whether a new worker should take its place; one that has died by itself is noticed by the next receive."""
        return self.given >= self.runs and self.process.is_alive()

    def give(self, job: Job, limit_s: float | None) -> None:
        self.job = job
        self.given += 1
        self.ends = None if limit_s is None else time.monotonic() + limit_s
        with contextlib.suppress(OSError):
            self.output.truncate(0)  # so that the end of what it prints is about this job
        with contextlib.suppress(OSError):  # a worker that died while idle is noticed by the next receive
            self.connection.send(job)

    def receive(self) -> tuple[str, Any]:
        """Return what the worker sent, or ``("died", None)``."""
        with contextlib.suppress(EOFError, OSError):
            if self.process.is_alive() or self.connection.poll():
                message: tuple[str, Any] = self.connection.recv()
                return message
        self.silent = True
        return "died", None

    def printed(self) -> str:
        self.output.seek(0)
        return self.output.read()[-OUTPUT_TAIL:].decode(errors="replace").strip()

    def end(self) -> None:
        self.process.join(GRACE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        _kill_left(self.output)
        self.connection.close()
        if self.death is not None:
            os.close(self.death)
        self.output.close()
        Path(self.output.name).unlink(missing_ok=True)


@dataclass(frozen=True)
class MappedImages:
    """Where the images of an image set lie in a file."""

    file: str
    dtype: str
    shape: tuple[int, ...]
    offset: int


def pack(image_set: ImageSet) -> tuple[ImageSet, MappedImages | None]:
    """Return the image set in a form that is cheap to send to another process of this machine.

    Memory maps are reopened there, so that the pages are shared.
    """
    images = image_set.images
    whole = isinstance(images, np.memmap) and isinstance(images.base, mmap.mmap) and images.flags.c_contiguous
    if not whole or images.filename is None:  # type: ignore[attr-defined]
        return image_set, None
    assert isinstance(images, np.memmap)
    place = MappedImages(str(images.filename), images.dtype.str, images.shape, images.offset)
    return replace(image_set, images=np.empty((0, *images.shape[1:]), np.uint8)), place


def unpack(packed: tuple[ImageSet, MappedImages | None]) -> ImageSet:
    """Return the image set that was packed."""
    image_set, place = packed
    if place is None:
        return image_set
    return replace(image_set, images=np.memmap(place.file, place.dtype, "r", place.offset, place.shape))


def _start_worker(execute: Execute, image_set: ImageSet, plugins: Sequence[str], workers: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    try:
        output = tempfile.NamedTemporaryFile(prefix="study-worker-", suffix=".log", delete=False)  # noqa: SIM115
        ours, theirs = context.Pipe()
        arguments = (execute, theirs, pack(image_set), list(plugins), output.name)
        process = context.Process(target=_work, args=arguments, daemon=True)
        with children_get(process_environment(THREADS) | memory_environment(workers)):
            process.start()
    except OSError as error:
        raise StudyError(f"no worker process can be started ({error.strerror}): free memory or disk space.") from error
    theirs.close()  # so that the worker's end is the only one, and its death closes the pipe
    death = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") and process.pid else None
    # What a plugin has set in its process, on purpose or not, goes with it: no other run sees it.
    return _Worker(process, ours, output, 1 if plugins else RUNS_OF_A_WORKER, death)


def _kill_left(output: IO[bytes]) -> None:
    """End the processes that a worker has left behind, known by what they print into; where the system shows that."""
    mine = os.fstat(output.fileno())
    for stream in Path("/proc").glob("[0-9]*/fd/1"):
        with contextlib.suppress(OSError):
            state = stream.stat()
            if (state.st_dev, state.st_ino) == (mine.st_dev, mine.st_ino):
                os.kill(int(stream.parts[2]), signal.SIGKILL)


def _work(execute: Execute, connection: Connection, packed: Any, plugins: Sequence[str], output: str) -> None:
    """Serve jobs until the driver closes the pipe; the body of a worker."""

    def report(event: dict[str, Any]) -> None:
        connection.send(("event", event))

    _end_with_the_driver()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver ends its workers itself
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    log = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.unlink(output)  # the driver has it open, and a driver that is killed leaves nothing
    for plugin in plugins:
        with contextlib.suppress(UsageError):  # `execute` will say so in a record
            load_plugin(plugin)
    image_set, missing = packed[0], ""
    try:
        image_set = unpack(packed)
    except (OSError, ValueError) as error:
        missing = f"the cached images cannot be opened ({getattr(error, 'strerror', None) or error}): start again"
    home = os.getcwd()
    with contextlib.suppress(EOFError, OSError):  # the driver is gone: there is nobody to report to
        while True:
            job: Job = connection.recv()
            os.chdir(home)  # wherever the run before has gone
            report({"kind": "start"})
            try:
                record = (
                    failed_record(job.spec, image_set, missing) if missing else execute(job, image_set, report, plugins)
                )
            except WriteError as error:
                connection.send(("unwritable", str(error)))
            except Stopped:
                connection.send(("stopped", None))
            else:
                connection.send(("record", record))


def _end_with_the_driver() -> None:
    """Let this process end as soon as the driver has, however that ends, in the middle of whatever this one does."""
    with contextlib.suppress(OSError, AttributeError):  # Linux; at once, even where compiled code never returns
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    driver = multiprocessing.parent_process()
    assert driver is not None

    def watch() -> None:
        driver.join()
        os._exit(1)

    threading.Thread(target=watch, name="driver", daemon=True).start()
