"""Supplies: what runs on Ray need from the driver, files by content, and how a node knows a shared folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from study.core.files import make_folder, temporary_path, write_error
from study.datasets.image_set import ImageSet
from study.execution.executors import Job
from study.execution.executors.process import Execute, pack
from study.execution.executors.ray.cluster import Cluster
from study.execution.executors.ray.content_files import ContentFiles, bytes_of, content_files_of
from study.execution.executors.ray.worker import Marks, Terms, installed


@dataclass(frozen=True)
class Supplied:
    """A run with what it needs."""

    job: Job  #: The run.
    content_files: tuple[ContentFiles, ...]  #: Files that it needs besides what all runs need.
    marks: Marks  #: The marks of its folders.


class Supplies:
    """What a driver's runs need, and what of it was sent."""

    def __init__(
        self,
        ray: Any,
        execute: Execute,
        image_set: ImageSet,
        plugins: Sequence[str],
        limit_s: float | None,
        cluster: Cluster,
    ) -> None:
        self._ray, self._image_set = ray, image_set
        self._known: dict[Path, ContentFiles] = {}
        self.sent: dict[str, Any] = {}  #: sha256 of content files -> reference to their bytes in Ray's object store.
        self.marks: dict[Path, tuple[Path, str]] = {}  #: Folder -> the file by which nodes know it, and what it holds.
        packed, place = pack(image_set)
        images = None
        if place is not None:
            data = bytes_of(image_set.images)
            images = ContentFiles(Path(place.file), place.offset, len(data), hashlib.sha256(data.data).hexdigest())
        #: What all runs have in common, and the reference to it.
        self.terms = Terms(
            token=secrets.token_hex(8),
            execute=execute,
            image_set=packed,
            place=place,
            images=images,
            plugins=tuple(self._content_files(Path(file).resolve()) for file in plugins),
            limit_s=limit_s,
            keep_process=not cluster.gpus_per_run,
            installed=installed(),
        )
        self.reference = ray.put(self.terms)

    def supply(self, job: Job) -> Supplied:
        """Return a run with what it needs; its folder is marked where it is not yet.

        Raises:
            WriteError: the folder cannot be written.
        """
        content_files = (self._content_files(job.start_weights),) if job.start_weights else ()
        return Supplied(job, content_files, self.mark([path for path in (job.keep_weights, job.checkpoints) if path]))

    def send(self, content_files: ContentFiles) -> None:
        """Put content_files into Ray's object store, from which each node that lacks them fetches them once."""
        if content_files.sha256 in self.sent:
            return
        images = content_files == self.terms.images
        data = bytes_of(self._image_set.images) if images else np.frombuffer(content_files.path.read_bytes(), np.uint8)
        self.sent[content_files.sha256] = self._ray.put(np.asarray(data))

    def mark(self, places: Sequence[Path]) -> Mapping[Path, tuple[Path, str]]:
        """Return the mark of the folder that all of some files go below, written where it is not there yet.

        Raises:
            WriteError: the folder cannot be written.
        """
        if not places:
            return {}
        folder = Path(os.path.commonpath([place.parent for place in places]))
        if folder not in self.marks:
            mark = temporary_path(folder / "shared")  # named so that it is cleared away after a driver that is killed
            try:
                make_folder(folder)
                mark.write_text(self.terms.token)
            except OSError as error:
                raise write_error(mark, error) from error
            self.marks[folder] = mark, self.terms.token
        return {folder: self.marks[folder]}

    def clear(self) -> None:
        """Remove the marks; what is in the object store goes with the driver."""
        for path, _ in self.marks.values():
            with contextlib.suppress(OSError):
                path.unlink()

    def _content_files(self, path: Path) -> ContentFiles:
        if path not in self._known:
            self._known[path] = content_files_of(path)
        return self._known[path]
