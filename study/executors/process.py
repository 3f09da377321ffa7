"""The executor with worker processes: persistent, started afresh (spawn), replaced when one dies."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import IO, Any

from study.datasets.image_set import ImageSet
from study.executors import Job, OnEvent
from study.executors.image_transfer import pack, unpack
from study.provenance import provenance, usable_cores
from study.record import Record
from study.registry import load_plugin
from study.spec import Spec

#: How much of what a dead worker printed goes into its record.
OUTPUT_TAIL = 4000
#: Seconds that a worker gets to end when asked before it is killed.
GRACE_S = 5.0
#: Read by numerical libraries when they are imported, so they are set before a worker starts.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def run_specs(
    jobs: Sequence[Job], image_set: ImageSet, *, workers: int, plugins: Sequence[str], on_event: OnEvent
) -> Generator[Record, None, None]:
    """Execute the jobs on ``workers`` processes; see ``study.executors.RunSpecs``. The cores are shared out evenly."""
    yield from run_on_processes(execute_job, jobs, image_set, workers=workers, plugins=plugins, on_event=on_event)


Report = Callable[[dict[str, Any]], None]
Execute = Callable[[Job, ImageSet, Report, Sequence[str], int], Record]


def execute_job(job: Job, image_set: ImageSet, report: Report, plugins: Sequence[str], threads: int) -> Record:
    """Execute one job; runs in a worker, where the backend is imported."""
    from study.execute import execute

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
    jobs: Sequence[Job],
    image_set: ImageSet,
    *,
    workers: int,
    plugins: Sequence[str],
    on_event: OnEvent,
) -> Generator[Record, None, None]:
    """Execute jobs with any function that a worker can import; ``run_specs`` does it with ``execute_job``."""
    waiting = deque(jobs)
    count = max(1, min(workers, len(jobs)))
    threads = max(1, usable_cores() // count)
    pool: list[_Worker] = []
    try:
        while waiting or any(worker.job for worker in pool):
            while waiting and len(pool) < count:
                pool.append(_start_worker(execute, image_set, plugins, threads))
            for worker in pool:
                if waiting and worker.job is None:
                    worker.give(waiting.popleft())
            for worker in [worker for worker in pool if worker.connection in wait([w.connection for w in pool])]:
                kind, content = worker.receive()
                if kind == "event":
                    assert worker.job is not None
                    on_event(worker.job.spec, content)
                elif kind == "record":
                    worker.job = None
                    if waiting:
                        worker.give(waiting.popleft())  # before the driver turns to the disk
                    yield content
                else:
                    pool.remove(worker)
                    if worker.job is not None:
                        yield _record_of_dead_worker(worker, image_set)
    finally:
        for worker in pool:
            worker.process.terminate()
        for worker in pool:
            worker.end()


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    output: IO[bytes]
    job: Job | None = None

    def give(self, job: Job) -> None:
        self.job = job
        with contextlib.suppress(OSError):  # a worker that died while idle is noticed by the next receive
            self.connection.send(job)

    def receive(self) -> tuple[str, Any]:
        """Return what the worker sent, or ``("died", None)``."""
        try:
            message: tuple[str, Any] = self.connection.recv()
        except (EOFError, OSError):
            return "died", None
        return message

    def end(self) -> None:
        self.process.join(GRACE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()
        self.output.close()


def _start_worker(execute: Execute, image_set: ImageSet, plugins: Sequence[str], threads: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    output = tempfile.NamedTemporaryFile(prefix="study-worker-", suffix=".log")  # noqa: SIM115  (closed by _Worker.end)
    arguments = (execute, theirs, pack(image_set), list(plugins), threads, output.name)
    process = context.Process(target=_work, args=arguments, daemon=True)
    with _environment(dict.fromkeys(THREAD_VARIABLES, str(threads)) | {"TF_CPP_MIN_LOG_LEVEL": "2"}):
        process.start()
    theirs.close()  # so that the worker's end is the only one, and its death closes the pipe
    return _Worker(process, ours, output)


def _work(
    execute: Execute, connection: Connection, packed: Any, plugins: Sequence[str], threads: int, output: str
) -> None:
    """Serve jobs until the driver closes the pipe; the body of a worker."""

    def report(event: dict[str, Any]) -> None:
        connection.send(("event", event))

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver ends its workers itself
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    log = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for plugin in plugins:
        load_plugin(plugin)
    image_set = unpack(packed)
    with contextlib.suppress(EOFError, OSError):  # the driver is gone: there is nobody to report to
        while True:
            job: Job = connection.recv()
            report({"kind": "start"})
            connection.send(("record", execute(job, image_set, report, plugins, threads)))


def _record_of_dead_worker(worker: _Worker, image_set: ImageSet) -> Record:
    assert worker.job is not None
    worker.process.join(GRACE_S)
    code = worker.process.exitcode
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = "; the system may have run out of memory: use fewer --jobs" if name == "SIGKILL" else ""
        how = f"was ended by {name}{hint}"
    else:
        how = f"exited with code {code}"
    worker.output.seek(0)
    tail = worker.output.read()[-OUTPUT_TAIL:].decode(errors="replace").strip()
    worker.end()
    spec: Spec = worker.job.spec
    return Record(
        spec, "failed", image_set.card(), reason=f"the worker process {how}", traceback=tail, provenance=provenance()
    )


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for children that start inside the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
