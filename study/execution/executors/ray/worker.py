"""What happens on a node of a Ray cluster: a task checks the node, gets its files, and has a child process run."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study import __version__
from study.core.environment import code_hash, versions
from study.core.errors import WriteError
from study.core.files import file_sha256, make_folder, temporary_path, write_atomically
from study.core.record import Record
from study.core.spec import Spec
from study.datasets.cache import default_dir
from study.datasets.image_set import ImageSet
from study.execution.executors import Job, process
from study.execution.time_limit import Stopped

#: What a task gives back: ``record`` with the record and its weights (uint8, or None where they lie in their place
#: already), ``unwritable`` with the error, ``stopped`` where its time was up, ``missing`` with the file to be sent.
Outcome = tuple[str, Any, Any]


@dataclass(frozen=True)
class ContentFile:
    """A file of the driver's that is known by its bytes."""

    path: Path  #: Where it lies for the driver.
    sha256: str  #: sha256 (hex) of its bytes.

    @property
    def seen(self) -> bool:
        """Whether this machine holds the bytes where they lie for the driver."""
        return self._lies_at(self.path)

    def find(self) -> Path | None:
        """Return a file of this machine with the bytes, None where there is none.

        It is the driver's own path where the folder is shared; otherwise the copy in this machine's cache.
        """
        return next((path for path in (self.path, self._copy) if self._lies_at(path)), None)

    def copy_here(self, data: NDArray[np.uint8]) -> Path:
        """Keep the bytes, uint8 (n,), in this machine's cache, so that they travel once to a machine.

        Raises:
            WriteError: the copy cannot be written.
        """
        write_atomically(self._copy, data.tobytes())
        return self._copy

    @property
    def _copy(self) -> Path:
        return default_dir() / "content_files" / self.sha256[:16] / self.path.name

    def _lies_at(self, path: Path) -> bool:
        try:
            return content_file(path).sha256 == self.sha256
        except OSError:
            return False


def content_file(path: Path) -> ContentFile:
    """Return a file as it is now; it is read once for each time it was changed.

    Raises:
        OSError: it cannot be read.
    """
    state = os.stat(path)
    return ContentFile(path, _sha256(path, (state.st_ino, state.st_size, state.st_mtime_ns)))


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, state: tuple[int, int, int]) -> str:
    return file_sha256(path)


@dataclass(frozen=True)
class Terms:
    """What every run of a driver's start has in common; sent to each node once."""

    token: str  #: Tells the starts of drivers apart, and is what marks hold.
    image_set: ImageSet  #: The dataset; without its images where they lie in a file.
    images: ContentFile | None  #: That file, or None.
    plugins: tuple[ContentFile, ...]  #: Files to import.
    limit_s: float | None  #: Seconds that a run may take, or None.
    #: Whether one child process does run after run; otherwise each has its own, which gives everything on the GPU back.
    keep_process: bool
    installed: Mapping[str, str]  #: What a node must have installed, see ``installed``.

    @property
    def files(self) -> tuple[ContentFile, ...]:
        """All files that every run needs."""
        return ((self.images,) if self.images else ()) + self.plugins

    def shared(self, mark: Path | None) -> bool:
        """Return whether a marked folder is the driver's here too, and may be written from here."""
        try:
            return mark is None or (mark.read_text() == self.token and os.access(mark.parent, os.W_OK))
        except (OSError, UnicodeDecodeError):
            return False


def installed() -> dict[str, str]:
    """Return what results depend on of what is installed on this machine: name -> version."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, "study": __version__, "code of study": code_hash(), **versions()}


def misfit(wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return in what a node's installation differs from the driver's, empty where in nothing."""
    names = [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
    return ", ".join(f"{name} {found.get(name, 'missing')} instead of {wanted.get(name, 'none')}" for name in names)


@dataclass(frozen=True)
class NodeFacts:
    """What the look at a node found."""

    name: str  #: The node's name, as Ray shows it.
    misfit: str  #: In what its installation differs from the driver's.
    missing: tuple[ContentFile, ...]  #: Files that it does not see.
    shared: bool  #: Whether it sees the marked folder.


def look(terms: Terms, mark: Path | None) -> NodeFacts:
    """Look at this node; executed once on each when a driver starts."""
    missing = tuple(file for file in terms.files if not file.seen)
    return NodeFacts(platform.node(), misfit(terms.installed, installed()), missing, terms.shared(mark))


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
    job: Job, start: Sequence[ContentFile], mark: Path | None, terms: Terms, sent: Mapping[str, Any], mailbox: Any
) -> Outcome:
    """Execute a job on this node; the body of a Ray task.

    The run itself is in a child process, as under the executor ``process``: where the child dies or takes too long
    the record is a failed one, and where this task's own process dies it was for the node, and Ray tries again.

    Args:
        job: The run, with the driver's paths.
        start: The file that it starts from, where there is one.
        mark: The mark of the job's folder.
        terms: What all runs have in common.
        sent: sha256 of files -> reference to their bytes in Ray's object store.
        mailbox: Where events go.
    """
    import ray

    if wrong := misfit(terms.installed, installed()):
        return "misfit", f"{platform.node()} has {wrong}", None
    node = ray.get_runtime_context().get_node_id()

    def report(spec: Spec, event: Mapping[str, Any]) -> None:
        with contextlib.suppress(ray.exceptions.RayActorError):  # the display alone lives on events
            ray.get(mailbox.post.remote(spec.key, {**event, "node": node}))

    places: dict[Path, Path] = {}
    scratch = temporary_path(default_dir() / "weights")
    try:
        for file in [*terms.files, *start]:
            if (place := file.find()) is None:
                if file.sha256 not in sent:
                    return "missing", file, None
                place = file.copy_here(ray.get(sent[file.sha256]))
            places[file.path] = place
        here = job
        if job.start_weights:
            here = replace(here, start_weights=places[job.start_weights])
        if not terms.shared(mark):
            here = replace(here, checkpoints=None)
            if job.keep_weights:
                make_folder(scratch)
                here = replace(here, keep_weights=scratch / job.keep_weights.name)
        # From here: the child's own events may be lost with this process, and a lost node must be counted.
        report(job.spec, {"kind": "taken"})
        record = _standing_child(terms, places).run(here, report)
        return "record", record, _read(here.keep_weights) if here.keep_weights != job.keep_weights else None
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
    """A child process that runs one job after the other for this task's process."""

    def __init__(self, terms: Terms, places: Mapping[Path, Path]) -> None:
        self._waiting: deque[Job] = deque()
        self._report: Callable[[Spec, Mapping[str, Any]], None] = lambda spec, event: None
        # A spawned process imports its parent's main module, which is Ray's here and of no use there.
        vars(sys.modules["__main__"]).pop("__file__", None)
        self._records = process.run_specs(
            self._jobs(),
            process.unpack(terms.image_set, places[terms.images.path] if terms.images else None),
            workers=1,
            plugins=[str(places[file.path]) for file in terms.plugins],
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


#: The child process of this task's process, by the token of the terms that it was started for.
_children: dict[str, _Child] = {}


def _standing_child(terms: Terms, places: Mapping[Path, Path]) -> _Child:
    """Return the child process of this task's process, started where there is none for these terms."""
    if terms.token not in _children:
        _dismiss()
        _children[terms.token] = _Child(terms, places)
    return _children[terms.token]


def _dismiss() -> None:
    while _children:
        _children.popitem()[1].end()


def _read(path: Path | None) -> Any:
    """Return a file's bytes as an array, which travels without being copied, or None where there is none."""
    return np.frombuffer(path.read_bytes(), np.uint8) if path and path.is_file() else None
