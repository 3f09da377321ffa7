"""What runs on Ray need from the driver: files by content, marked folders, and a look at what the nodes have of it."""

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

from study.core.errors import UsageError
from study.core.files import make_folder, temporary_path, write_error
from study.datasets.image_set import ImageSet
from study.execution.executors import Job
from study.execution.executors.process import Execute, pack
from study.execution.executors.ray.cluster import Cluster
from study.execution.executors.ray.worker import (
    ContentFiles,
    Marks,
    NodeFacts,
    Terms,
    bytes_of,
    content_files_of,
    installed,
    look,
)

#: How long the survey may take.
SURVEY_LIMIT_S = 300.0


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


def survey(ray: Any, cluster: Cluster, supplies: Supplies, marks: Marks, may_grow: bool) -> None:
    """Look what is installed on each node, send it what it lacks, and say which folders all share with the driver.

    ``marks`` are those of the first run's folders, and a cluster without room may be one that grows by itself.

    Raises:
        UsageError: a node differs from the driver in what is installed, or none holds a run.
    """
    nodes = alive(ray)
    if not cluster.fit(nodes) and not may_grow:
        wanted = " and ".join(f"{amount:g} {name}" for name, amount in cluster.resources.items())
        raise UsageError(
            f"no node of the Ray cluster has the {wanted} that a run takes: lower --cpus-per-run or --gpus-per-run, or "
            "say with --jobs how many runs an autoscaler should make room for."
        )
    facts = _ask(ray, nodes, supplies, marks)
    wrong = sorted({f"{one.name} has {one.misfit}" for one in facts if one.misfit})
    if wrong:
        raise UsageError(f"what is installed must be the same on all nodes: {'; '.join(wrong)}.")
    for one in {content_files for fact in facts for content_files in fact.missing}:
        supplies.send(one)
    cluster.log(_line(cluster, nodes, facts, bool(marks)))


def alive(ray: Any) -> list[dict[str, Any]]:
    """Return what Ray says of each node that it takes to be there."""
    return [node for node in ray.nodes() if node["Alive"]]


def _ask(ray: Any, nodes: Sequence[Mapping[str, Any]], supplies: Supplies, marks: Marks) -> list[NodeFacts]:
    """Return what the nodes found about themselves, without those that are gone or slow: their runs look again."""
    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    task = ray.remote(look)
    asked = {
        task.options(num_cpus=0, scheduling_strategy=affinity(node["NodeID"], soft=False)).remote(
            supplies.reference, marks
        ): node
        for node in nodes
    }
    ray.wait(list(asked), num_returns=len(asked), timeout=SURVEY_LIMIT_S)
    errors = ray.exceptions
    facts: list[NodeFacts] = []
    for ref, node in asked.items():
        try:
            facts.append(ray.get(ref, timeout=1.0))
        except (errors.NodeDiedError, errors.TaskUnschedulableError, errors.GetTimeoutError):
            continue
        except errors.RayError as error:
            reason = (str(error).strip().splitlines() or [""])[-1]
            raise UsageError(
                f"node {node['NodeManagerHostname']} of the Ray cluster cannot run a study ({reason}): install the "
                "same package there as here."
            ) from error
    return facts


def _line(cluster: Cluster, nodes: Sequence[Mapping[str, Any]], facts: Sequence[NodeFacts], marked: bool) -> str:
    processors, gpus = (sum(node["Resources"].get(name, 0.0) for node in nodes) for name in ("CPU", "GPU"))
    missing = sum(bool(one.missing) for one in facts)
    data = "seen by all" if not missing else f"sent once to each of {missing} that do not see them"
    shared = "not shared: a run whose node is lost starts over"
    if all(one.shared for one in facts):
        shared = "shared" if marked else "not looked at yet"
    return (
        f"Ray: {len(nodes)} node{'s' if len(nodes) != 1 else ''} with {processors:g} CPU and {gpus:g} GPU, "
        f"room for {cluster.fit(nodes)} at a time; images {data}; results folder {shared}"
    )
