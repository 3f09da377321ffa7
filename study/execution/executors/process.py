"""The executor with worker processes: persistent, started afresh (spawn), replaced when one dies or takes too long."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import IO, Any

from study.core.environment import usable_cores
from study.core.errors import StudyError, UsageError, WriteError
from study.core.record import Record
from study.core.registry import load_plugin
from study.datasets.image_set import ImageSet
from study.execution.executors import POLL_S, Abandoned, Job, OnEvent, executor
from study.execution.executors.image_transfer import pack, unpack
from study.execution.executors.outcome import failed_record, how_it_ended, too_long
from study.execution.time_limit import Stopped, stopping_at
from study.training.environment import children_get, process_environment

#: Runs after which a worker makes room for a new one: TensorFlow keeps about 4 MB of every small network that it has
#: trained, and gives it back only when the process ends.
RUNS_OF_A_WORKER = 20
#: How much of what a dead worker printed goes into its record.
OUTPUT_TAIL = 4000
#: Seconds that a worker gets to end when asked before it is killed.
GRACE_S = 5.0
#: Linux' number for "send me a signal when my parent ends" (prctl).
PR_SET_PDEATHSIG = 1


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


Report = Callable[[dict[str, Any]], None]
Execute = Callable[[Job, ImageSet, Report, Sequence[str], int], Record]


def execute_job(job: Job, image_set: ImageSet, report: Report, plugins: Sequence[str], threads: int) -> Record:
    """Execute one job; runs in a worker, where the backend is imported."""
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
            threads=threads,
        )


def run_on_processes(
    execute: Execute,
    jobs: Iterable[Job | None],
    image_set: ImageSet,
    *,
    workers: int,
    plugins: Sequence[str],
    on_event: OnEvent,
    limit_s: float | None = None,
    threads: int | None = None,
) -> Generator[Record, None, None]:
    """Execute jobs with any function that a worker can import; ``run_specs`` does it with ``execute_job``.

    Every worker has ``threads``, by default its share of the cores.
    """
    pool = _Pool(execute, iter(jobs), image_set, workers, plugins, limit_s, threads)
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
    """The workers, started when there is work for them.

    Args:
        execute: What they do with a job.
        jobs: Where jobs come from.
        image_set: The dataset.
        workers: The most workers.
        plugins: Files that they import.
        limit_s: Seconds that one job may take.
        threads: Threads of each, or None for its share of the cores.
    """

    def __init__(
        self,
        execute: Execute,
        jobs: Iterator[Job | None],
        image_set: ImageSet,
        workers: int,
        plugins: Sequence[str],
        limit_s: float | None,
        threads: int | None = None,
    ) -> None:
        self._jobs = jobs
        self._most = max(1, workers)
        self._limit_s = limit_s
        share = threads or max(1, usable_cores() // self._most)
        self._start = lambda: _start_worker(execute, image_set, plugins, share)
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
        idle = [worker for worker in self._workers if worker.job is None]
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
        waits = [POLL_S] if self._ask_again else []
        waits += [worker.ends - time.monotonic() for worker in self._workers if worker.job and worker.ends is not None]
        said = wait([worker.connection for worker in self._workers], max(0.0, min(waits)) if waits else None)
        return [worker for worker in self._workers if worker.connection in said]

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
    """A worker process.

    Attributes:
        process: The process.
        connection: Our end of the pipe to it.
        output: What it prints.
        job: What it is doing.
        ends: When (``time.monotonic``) it will have taken too long; None for never.
        silent: True once the pipe is closed from the other side, because the process ends or has ended.
        given: How many jobs it was given.
    """

    process: SpawnProcess
    connection: Connection
    output: IO[bytes]
    job: Job | None = None
    ends: float | None = None
    silent: bool = False
    given: int = 0

    @property
    def running(self) -> Job:
        assert self.job is not None
        return self.job

    @property
    def used_up(self) -> bool:
        """Whether a new worker should take its place; one that has died by itself is noticed by the next receive."""
        return self.given >= RUNS_OF_A_WORKER and self.process.is_alive()

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
        try:
            message: tuple[str, Any] = self.connection.recv()
        except (EOFError, OSError):
            self.silent = True
            return "died", None
        return message

    def printed(self) -> str:
        self.output.seek(0)
        return self.output.read()[-OUTPUT_TAIL:].decode(errors="replace").strip()

    def end(self) -> None:
        self.process.join(GRACE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()
        self.output.close()
        Path(self.output.name).unlink(missing_ok=True)


def _start_worker(execute: Execute, image_set: ImageSet, plugins: Sequence[str], threads: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    try:
        output = tempfile.NamedTemporaryFile(prefix="study-worker-", suffix=".log", delete=False)  # noqa: SIM115
        ours, theirs = context.Pipe()
        arguments = (execute, theirs, pack(image_set), list(plugins), threads, output.name)
        process = context.Process(target=_work, args=arguments, daemon=True)
        with children_get(process_environment(threads)):
            process.start()
    except OSError as error:
        raise StudyError(f"no worker process can be started ({error.strerror}): free memory or disk space.") from error
    theirs.close()  # so that the worker's end is the only one, and its death closes the pipe
    return _Worker(process, ours, output)


def _work(
    execute: Execute, connection: Connection, packed: Any, plugins: Sequence[str], threads: int, output: str
) -> None:
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
    with contextlib.suppress(EOFError, OSError):  # the driver is gone: there is nobody to report to
        while True:
            job: Job = connection.recv()
            report({"kind": "start"})
            try:
                record = (
                    failed_record(job.spec, image_set, missing)
                    if missing
                    else execute(job, image_set, report, plugins, threads)
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
