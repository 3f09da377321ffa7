"""What runs on Ray need from the driver: files by content, marked folders, and a look at what the nodes have of it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from study.core.errors import UsageError
from study.core.files import make_folder, temporary_path, write_error
from study.datasets.image_set import ImageSet
from study.execution.executors import Job
from study.execution.executors.process import pack
from study.execution.executors.ray.cluster import Cluster
from study.execution.executors.ray.worker import ContentFile, NodeFacts, Terms, content_file, installed, look

#: How long the survey may take.
SURVEY_LIMIT_S = 300.0


class Supplies:
    """What a driver's runs need, and what of it was sent."""

    def __init__(
        self, ray: Any, image_set: ImageSet, plugins: Sequence[str], limit_s: float | None, cluster: Cluster
    ) -> None:
        self._ray = ray
        packed, images = pack(image_set)
        #: All of the file with the images, whatever lies at its path now.
        self._images: Any = image_set.images.base if images else b""
        self._marks: dict[Path, Path] = {}
        self.sent: dict[str, Any] = {}  #: sha256 of files -> reference to their bytes in Ray's object store.
        #: What all runs have in common, and the reference to it.
        self.terms = Terms(
            token=secrets.token_hex(8),
            image_set=packed,
            images=ContentFile(images, hashlib.sha256(self._images).hexdigest()) if images else None,
            plugins=tuple(content_file(Path(file).resolve()) for file in plugins),
            limit_s=limit_s,
            keep_process=not cluster.gpus_per_run,
            installed=installed(),
        )
        self.reference = ray.put(self.terms)

    def send(self, file: ContentFile) -> None:
        """Put a file into Ray's object store, from which each node that lacks it fetches it once."""
        if file.sha256 not in self.sent:
            data = self._images if file == self.terms.images else file.path.read_bytes()
            self.sent[file.sha256] = self._ray.put(np.frombuffer(data, np.uint8))

    def mark(self, job: Job) -> Path | None:
        """Return the file by which nodes know the folder of a job's weights and checkpoints, None where it has none.

        Raises:
            WriteError: the folder cannot be written.
        """
        folders = [place.parent for place in (job.keep_weights, job.checkpoints) if place]
        if not folders:
            return None
        folder = Path(os.path.commonpath(folders))
        if folder not in self._marks:
            mark = temporary_path(folder / "shared")  # named so that it is cleared away after a driver that is killed
            try:
                make_folder(folder)
                mark.write_text(self.terms.token)
            except OSError as error:
                raise write_error(mark, error) from error
            self._marks[folder] = mark
        return self._marks[folder]

    def clear(self) -> None:
        """Remove the marks; what is in the object store goes with the driver."""
        for mark in self._marks.values():
            with contextlib.suppress(OSError):
                mark.unlink()


def survey(ray: Any, cluster: Cluster, supplies: Supplies, mark: Path | None, may_grow: bool) -> None:
    """Look what is installed on each node, send it what it lacks, and say which folders all share with the driver.

    ``mark`` is that of the first run's folder, and a cluster without room may be one that grows by itself.

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
    facts = _ask(ray, nodes, supplies, mark)
    wrong = sorted({f"{one.name} has {one.misfit}" for one in facts if one.misfit})
    if wrong:
        raise UsageError(f"what is installed must be the same on all nodes: {'; '.join(wrong)}.")
    for file in {file for one in facts for file in one.missing}:
        supplies.send(file)
    cluster.log(_line(cluster, nodes, facts, mark is not None))


def alive(ray: Any) -> list[dict[str, Any]]:
    """Return what Ray says of each node that it takes to be there."""
    return [node for node in ray.nodes() if node["Alive"]]


def _ask(ray: Any, nodes: Sequence[Mapping[str, Any]], supplies: Supplies, mark: Path | None) -> list[NodeFacts]:
    """Return what the nodes found about themselves, without those that are gone or slow: their runs look again."""
    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    task = ray.remote(look)
    asked = {
        task.options(num_cpus=0, scheduling_strategy=affinity(node["NodeID"], soft=False)).remote(
            supplies.reference, mark
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
