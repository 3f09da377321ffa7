"""What happens on a node of a Ray cluster: a task checks the node, gets its files, and has a child process run."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import shutil
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.environment import code_hash, versions
from study.core.errors import WriteError
from study.core.files import make_folder, temporary_path, write_atomically
from study.core.record import Record
from study.core.spec import Spec
from study.datasets.cache import default_dir
from study.datasets.image_set import ImageSet
from study.execution.executors import Job
from study.execution.executors.process import Execute, MappedImages, run_on_processes, unpack
from study.execution.time_limit import Stopped

#: What a task gives back: ``record`` with the record and its weights (uint8, or None where they lie in their place
#: already), ``unwritable`` with the error, ``stopped`` where its time was up, ``missing`` with the content_files that
#: have to be sent.
Outcome = tuple[str, Any, Any]
#: Folder that runs may use -> a file in it and what it holds, by which a node knows whether the folder is shared.
Marks = Mapping[Path, tuple[Path, str]]
#: Fetches the bytes, uint8 (n,), of content files that a node does not see.
Fetch = Callable[[], NDArray[np.uint8]]


@dataclass(frozen=True)
class ContentFiles:
    """A file, or the end of one, as the driver sees it."""

    path: Path  #: Where it lies for the driver.
    offset: int  #: Where the bytes begin that matter; they go on to the end of the file.
    size: int  #: Their number.
    sha256: str  #: Their sha256 (hex).

    def obtain(self, fetch: Fetch | None) -> tuple[Path, int]:
        """Return a file of this machine with the bytes, and where in it they begin.

        It is the driver's own path where that holds the same bytes here, because the folder is shared; otherwise a
        copy in this machine's cache, which is written at the first time, so that bytes travel once to a machine.
        ``fetch`` is None where they were not sent.

        Raises:
            MissingContent: they are not here, and there is nothing to fetch them with.
            WriteError: the copy cannot be written.
        """
        if self.seen:
            return self.path, self.offset
        copy = default_dir() / "content_files" / self.sha256[:16] / self.path.name
        if not self.seen_at(copy, 0):
            if fetch is None:
                raise MissingContent(self)
            write_atomically(copy, fetch().tobytes())
        return copy, 0

    @property
    def seen(self) -> bool:
        """Whether this machine holds the bytes where they lie for the driver."""
        return self.seen_at(self.path, self.offset)

    def seen_at(self, path: Path, offset: int) -> bool:
        """Return whether a file of this machine holds the bytes; it is read once for each time it was changed."""
        try:
            state = os.stat(path)
        except OSError:
            return False
        if state.st_size != offset + self.size:
            return False
        return _sha256(path, offset, (state.st_ino, state.st_size, state.st_mtime_ns)) == self.sha256


class MissingContent(Exception):  # noqa: N818 (a message to the driver, which then sends them)
    """A node does not see some content files and was not sent them."""

    def __init__(self, content_files: ContentFiles) -> None:
        super().__init__(content_files)
        self.content_files = content_files


def content_files_of(path: Path) -> ContentFiles:
    """Return a whole file as content_files.

    Raises:
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    return ContentFiles(path, 0, len(data), hashlib.sha256(data).hexdigest())


def bytes_of(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a contiguous array's bytes, uint8 (n,), without a copy."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, offset: int, state: tuple[int, int, int]) -> str:
    """Return the sha256 of the end of a file, empty where it cannot be read; ``state`` tells changed files apart."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


@dataclass(frozen=True)
class Terms:
    """What every run of a driver's start has in common; sent to each node once."""

    token: str  #: Tells the starts of drivers apart.
    execute: Execute  #: What a run is.
    image_set: ImageSet  #: The dataset; without its images where they lie in a file.
    place: MappedImages | None  #: Type and shape of the images in that file, or None.
    images: ContentFiles | None  #: That file, or None.
    plugins: tuple[ContentFiles, ...]  #: Files to import.
    limit_s: float | None  #: Seconds that a run may take, or None.
    #: Whether one child process does run after run; otherwise each has its own, which gives everything on the GPU back.
    keep_process: bool
    installed: Mapping[str, str]  #: What a node must have installed, see ``installed``.

    @property
    def content_files(self) -> tuple[ContentFiles, ...]:
        """All files that every run needs."""
        return ((self.images,) if self.images else ()) + self.plugins


def installed() -> dict[str, str]:
    """Return what results depend on of what is installed on this machine: name -> version."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, "code of study": code_hash(), **versions()}


def misfit(wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return in what a node's installation differs from the driver's, empty where in nothing."""
    names = [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
    return ", ".join(f"{name} {found.get(name, 'missing')} instead of {wanted.get(name, 'none')}" for name in names)


@dataclass(frozen=True)
class NodeFacts:
    """What the look at a node found."""

    name: str  #: The node's name, as Ray shows it.
    misfit: str  #: In what its installation differs from the driver's.
    missing: tuple[ContentFiles, ...]  #: ContentFiles that it does not see.
    shared: bool  #: Whether it sees all marked folders.


def look(terms: Terms, marks: Marks) -> NodeFacts:
    """Look at this node; executed once on each when a driver starts."""
    missing = tuple(one for one in terms.content_files if not one.seen)
    shared = all(map(_is_shared, marks.values()))
    return NodeFacts(platform.node(), misfit(terms.installed, installed()), missing, shared)


class Mailbox:
    """An actor beside the driver that collects events of runs until the driver takes them."""

    def __init__(self) -> None:
        self._events: list[tuple[str, dict[str, Any]]] = []

    def post(self, key: str, event: dict[str, Any]) -> None:
        """Take an event of the run with that key."""
        self._events.append((key, event))

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the events since the last time, oldest first."""
        events, self._events = self._events, []
        return events


def run_task(
    job: Job, content_files: Sequence[ContentFiles], marks: Marks, terms: Terms, sent: Mapping[str, Any], mailbox: Any
) -> Outcome:
    """Execute a job on this node; the body of a Ray task.

    The run itself is in a child process, as under the executor ``process``: where the child dies or takes too long
    the record is a failed one, and where this task's own process dies it was for the node, and Ray tries again.

    Args:
        job: The run, with the driver's paths.
        content_files: What this run needs besides what all need: its start weights.
        marks: The marks of the job's folders.
        terms: What all runs have in common.
        sent: sha256 of content_files -> reference to their bytes in Ray's object store.
        mailbox: Where events go.
    """
    import ray

    if wrong := misfit(terms.installed, installed()):
        return "misfit", f"{platform.node()} has {wrong}", None
    node = ray.get_runtime_context().get_node_id()

    def report(spec: Spec, event: Mapping[str, Any]) -> None:
        with contextlib.suppress(ray.exceptions.RayActorError):  # the display alone lives on events
            ray.get(mailbox.post.remote(spec.key, {**event, "node": node}))

    places: dict[Path, tuple[Path, int]] = {}
    scratch = temporary_path(default_dir() / "weights")
    try:
        for one in [*terms.content_files, *content_files]:
            ref = sent.get(one.sha256)
            places[one.path] = one.obtain(functools.partial(ray.get, ref) if ref is not None else None)
        shared = all(map(_is_shared, marks.values()))
        here = job if shared else replace(job, checkpoints=None)
        if job.start_weights in places:
            here = replace(here, start_weights=places[job.start_weights][0])
        if job.keep_weights and not shared:
            make_folder(scratch)
            here = replace(here, keep_weights=scratch / job.keep_weights.name)
        # From here: the child's own events may be lost with this process, and a lost node must be counted.
        report(job.spec, {"kind": "taken"})
        record = _standing_child(terms, places).run(here, report)
        return "record", record, _read(here.keep_weights) if here.keep_weights != job.keep_weights else None
    except MissingContent as error:
        return "missing", error.content_files, None
    except (WriteError, OSError) as error:
        _dismiss()
        return "unwritable", str(error), None
    except Stopped:
        _dismiss()
        return "stopped", None, None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if not terms.keep_process:
            _dismiss()


class _Child:
    """A child process that runs one job after the other for this task's process.

    Args:
        terms: What all runs have in common.
        places: Where on this machine their files lie: the driver's path -> a file, and where in it they begin.
    """

    def __init__(self, terms: Terms, places: Mapping[Path, tuple[Path, int]]) -> None:
        self.token = terms.token
        images = terms.place
        if images is not None and terms.images is not None:
            file, offset = places[terms.images.path]
            images = replace(images, file=str(file), offset=offset)
        self._waiting: deque[Job] = deque()
        self._report: Callable[[Spec, Mapping[str, Any]], None] = lambda spec, event: None
        # A spawned process imports its parent's main module, which is Ray's here and of no use there.
        vars(sys.modules["__main__"]).pop("__file__", None)
        self._records: Generator[Record, None, None] = run_on_processes(
            terms.execute,
            self._jobs(),
            unpack((terms.image_set, images)),
            workers=1,
            plugins=[str(places[one.path][0]) for one in terms.plugins],
            on_event=self._on_event,
            limit_s=terms.limit_s,
        )

    def run(self, job: Job, report: Callable[[Spec, Mapping[str, Any]], None]) -> Record:
        """Run a job and return its record."""
        self._report = report
        self._waiting.append(job)
        return next(self._records)

    def _on_event(self, spec: Spec, event: Mapping[str, Any]) -> None:
        if event["kind"] == "stopped":  # there is no record to wait for
            raise Stopped
        self._report(spec, event)

    def end(self) -> None:
        """End the process."""
        self._records.close()

    def _jobs(self) -> Iterator[Job | None]:
        while True:
            yield self._waiting.popleft() if self._waiting else None


_children: list[_Child] = []


def _standing_child(terms: Terms, places: Mapping[Path, tuple[Path, int]]) -> _Child:
    """Return the child process of this task's process, started where there is none for these terms."""
    if not _children or _children[0].token != terms.token:
        _dismiss()
        _children.append(_Child(terms, places))
    return _children[0]


def _dismiss() -> None:
    while _children:
        _children.pop().end()


def _is_shared(mark: tuple[Path, str]) -> bool:
    """Return whether a marked folder is the driver's, and may be written from here."""
    path, content = mark
    try:
        return path.read_text() == content and os.access(path.parent, os.W_OK)
    except (OSError, UnicodeDecodeError):
        return False


def _read(path: Path | None) -> Any:
    """Return a file's bytes as an array, which travels without being copied, or None where there is none."""
    return np.frombuffer(path.read_bytes(), np.uint8) if path and path.is_file() else None
