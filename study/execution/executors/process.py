"""The executor with worker processes: persistent, started afresh (spawn), replaced when one dies or takes too long."""

from __future__ import annotations

import contextlib
import ctypes
import math
import mmap
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import IO, Any

import numpy as np

from study.core.errors import StudyError, UsageError, WriteError
from study.core.record import Record
from study.core.registry import load_plugin
from study.datasets.image_set import ImageSet
from study.execution.executors import POLL_S, Abandoned, Job, OnEvent, execute_job, executor, failed_record, too_long
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
    pool = _Pool(iter(jobs), image_set, max(1, workers), plugins, limit_s)
    try:
        while pool.goes_on():
            for worker in pool.ready():
                job, (kind, content) = worker.job, worker.receive()
                if kind == "died" or job is None:  # one that has no job says nothing else
                    how, tail = pool.drop(worker)
                    if job is not None:
                        yield failed_record(job.spec, image_set, how, tail)
                elif kind == "event":
                    try:
                        on_event(job.spec, content)
                    except Abandoned:
                        pool.drop(worker)
                elif kind == "unwritable":
                    raise WriteError(content)
                else:
                    worker.job = None
                    pool.give_work()  # before the driver turns to the disk
                    if kind == "stopped":
                        on_event(job.spec, {"kind": "stopped"})
                    else:
                        yield content
            for worker, job in pool.overdue():
                _, tail = pool.drop(worker)
                yield failed_record(job.spec, image_set, too_long(limit_s or 0.0), tail)
    finally:
        pool.end()


@dataclass
class _Pool:
    """The workers, started when there is work for them, and ``most`` of them at the same time."""

    jobs: Iterator[Job | None]
    image_set: ImageSet
    most: int
    plugins: Sequence[str]
    limit_s: float | None
    workers: list[_Worker] = field(default_factory=list)
    no_more: bool = False  #: True once all jobs are given out.

    def goes_on(self) -> bool:
        """Give out what work there is; return whether any is going on or may come."""
        self.give_work()
        return not self.no_more or any(worker.job for worker in self.workers)

    def give_work(self) -> None:
        """Give every worker that has none a job, as far as there are jobs, and start workers for more."""
        idle = [worker for worker in self.workers if worker.idle]
        while not self.no_more and (idle or len(self.workers) < self.most):
            try:
                job = next(self.jobs)
            except StopIteration:
                self.no_more = True
                return
            if job is None:
                return
            if idle and not idle[-1].jobs_left:
                self.drop(idle.pop())
            if not idle:
                idle.append(_start_worker(self.image_set, self.plugins, self.most))
                self.workers.append(idle[0])
            idle.pop().give(job, self.limit_s)

    def ready(self) -> list[_Worker]:
        """Wait a moment for workers that have something to say or have ended; return them."""
        said = wait([worker.connection for worker in self.workers], POLL_S)
        # A child that a worker has left behind may hold its pipe: such a death shows when it is looked for.
        return [worker for worker in self.workers if worker.connection in said or not worker.process.is_alive()]

    def overdue(self) -> list[tuple[_Worker, Job]]:
        """Return the workers whose job has taken too long, and it."""
        now = time.monotonic()
        return [(worker, worker.job) for worker in self.workers if worker.job and now > worker.ends]

    def drop(self, worker: _Worker) -> tuple[str, str]:
        """End a worker; return how it ended where it did by itself, and the end of what it printed."""
        self.workers.remove(worker)
        how = how_it_ended(worker.process.exitcode)
        worker.process.kill()
        worker.output.seek(0)
        tail = worker.output.read()[-OUTPUT_TAIL:].decode(errors="replace").strip()
        worker.end()
        return how, tail

    def end(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.end()


@dataclass
class _Worker:
    """A worker process."""

    process: SpawnProcess
    connection: Connection  #: Our end of the pipe to it.
    output: IO[bytes]  #: What it prints.
    jobs_left: int  #: How many jobs it is given before it makes room for a new one.
    job: Job | None = None  #: What it is doing.
    ends: float = math.inf  #: When (``time.monotonic``) it will have taken too long.

    @property
    def idle(self) -> bool:
        """Whether it waits for a job; one that has ended, or closes its pipe as it ends, does not."""
        return self.job is None and self.process.is_alive() and not self.connection.poll()

    def give(self, job: Job, limit_s: float | None) -> None:
        self.job = job
        self.jobs_left -= 1
        self.ends = math.inf if limit_s is None else time.monotonic() + limit_s
        with contextlib.suppress(OSError):
            self.output.truncate(0)  # so that the end of what it prints is about this job
        with contextlib.suppress(OSError):  # a worker that has died this moment is noticed by the next receive
            self.connection.send(job)

    def receive(self) -> tuple[str, Any]:
        """Return what the worker sent, or ``("died", None)``."""
        with contextlib.suppress(EOFError, OSError):
            if self.process.is_alive() or self.connection.poll():
                message: tuple[str, Any] = self.connection.recv()
                return message
        self.process.join(GRACE_S)  # the pipe is closed from the other side: the process ends or has ended
        return "died", None

    def end(self) -> None:
        self.process.join(GRACE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        _kill_left(self.output)
        self.connection.close()
        self.output.close()
        Path(self.output.name).unlink(missing_ok=True)


def pack(image_set: ImageSet) -> tuple[ImageSet, Path | None]:
    """Return the image set in a form that is cheap to send to another process of this machine.

    Images that are a memory map of a whole ``.npy`` file are left out, and the file is returned: it is opened there
    again, so that the pages are shared.
    """
    images = image_set.images
    if not isinstance(images, np.memmap) or not isinstance(images.base, mmap.mmap) or images.filename is None:
        return image_set, None
    return replace(image_set, images=np.empty((0, *images.shape[1:]), np.uint8)), Path(images.filename)


def unpack(image_set: ImageSet, images: Path | None) -> ImageSet:
    """Return the image set that was packed.

    Raises:
        OSError, ValueError: the file with its images cannot be opened.
    """
    return replace(image_set, images=np.lib.format.open_memmap(images, mode="r")) if images else image_set


def _start_worker(image_set: ImageSet, plugins: Sequence[str], workers: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    try:
        output = tempfile.NamedTemporaryFile(prefix="study-worker-", suffix=".log", delete=False)  # noqa: SIM115
        ours, theirs = context.Pipe()
        arguments = (theirs, pack(image_set), list(plugins), output.name)
        process = context.Process(target=_work, args=arguments, daemon=True)
        with children_get(process_environment(THREADS) | memory_environment(workers)):
            process.start()
    except OSError as error:
        raise StudyError(f"no worker process can be started ({error.strerror}): free memory or disk space.") from error
    theirs.close()  # so that the worker's end is the only one, and its death closes the pipe
    # What a plugin has set in its process, on purpose or not, goes with it: no other run sees it.
    return _Worker(process, ours, output, 1 if plugins else RUNS_OF_A_WORKER)


def _kill_left(output: IO[bytes]) -> None:
    """End the processes that a worker has left behind, known by what they print into; where the system shows that."""
    mine = os.fstat(output.fileno())
    for stream in Path("/proc").glob("[0-9]*/fd/1"):
        with contextlib.suppress(OSError):
            state = stream.stat()
            if (state.st_dev, state.st_ino) == (mine.st_dev, mine.st_ino):
                os.kill(int(stream.parts[2]), signal.SIGKILL)


def _work(connection: Connection, packed: Any, plugins: Sequence[str], output: str) -> None:
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
        image_set = unpack(*packed)
    except (OSError, ValueError) as error:
        missing = f"the cached images cannot be opened ({getattr(error, 'strerror', None) or error}): start again"
    home = os.getcwd()
    with contextlib.suppress(EOFError, OSError):  # the driver is gone: there is nobody to report to
        while True:
            job: Job = connection.recv()
            os.chdir(home)  # wherever the run before has gone
            report({"kind": "start"})
            try:
                failed = failed_record(job.spec, image_set, missing) if missing else None
                connection.send(("record", failed or execute_job(job, image_set, report, plugins)))
            except WriteError as error:
                connection.send(("unwritable", str(error)))
            except Stopped:
                connection.send(("stopped", None))


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
