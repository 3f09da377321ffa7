"""The executor on a Ray cluster: each run is a Ray task; Ray places them, and tries them again where a node is lost.

This is the driver's half: runs in flight, what they need, and a look at the nodes. What happens there is in `worker`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from study.core.errors import StudyError, UsageError, WriteError
from study.core.files import make_folder, temporary_path, write_atomically, write_error
from study.core.record import Record
from study.datasets.image_set import ImageSet
from study.execution.executors import POLL_S, Abandoned, Job, OnEvent, executor, failed_record
from study.execution.executors.process import OUTPUT_TAIL, pack
from study.execution.executors.ray.cluster import Cluster, connected
from study.execution.executors.ray.worker import (
    ContentFile,
    Mailbox,
    NodeFacts,
    Terms,
    content_file,
    installed,
    look,
    run_task,
)  # fmt: skip

#: How long to wait for records before events are looked at.
TURN_S = 0.2
#: How often to look what nodes there are.
LOOK_S = 5.0
#: Runs that are given to Ray beyond what its nodes hold, as a share of that: they wait there while records travel.
AHEAD = 0.25
#: How long the look at all nodes may take.
SURVEY_LIMIT_S = 300.0
#: Starts of one run after which it is its own fault that its nodes are lost.
MOST_STARTS = 10


def cluster_options(flags: Mapping[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    """Return the cluster that the flags mean."""
    return {"cluster": Cluster(flags["address"], flags["cpus_per_run"] or 1.0, flags["gpus_per_run"] or 0.0, say)}


@executor("ray", own_cores=True, options=cluster_options)
def run_specs(
    jobs: Iterable[Job | None],
    image_set: ImageSet,
    *,
    workers: int,
    plugins: Sequence[str],
    on_event: OnEvent,
    limit_s: float | None = None,
    cluster: Cluster | None = None,
) -> Generator[Record, None, None]:
    """Execute the jobs on a Ray cluster; see ``study.execution.executors.RunSpecs``.

    ``workers`` may be 0, for what the nodes hold and a few more; events carry the ``node`` too; ``cluster`` says which
    cluster, and what a run takes of it.

    Raises:
        UsageError: Ray is missing or too old; nodes differ from the driver in what is installed; no node holds a run.
        StudyError: the cluster cannot be reached, or is lost.
        WriteError: as there.
    """
    cluster = cluster or Cluster()
    with connected(cluster) as ray:
        supplies = Supplies(ray, image_set, plugins, limit_s, cluster)
        try:
            flight = _Flight(ray, iter(jobs), image_set, workers, on_event, cluster, supplies)
            flight.begin()
            while flight.goes_on():
                yield from flight.records()
        except ray.exceptions.RayError as error:
            reason = (str(error).strip().splitlines() or [""])[-1]
            raise StudyError(f"the Ray cluster failed ({type(error).__name__}: {reason}).") from error
        finally:
            # What is in flight ends as the driver disconnects: Ray ends a driver's tasks and actors when it leaves.
            # Cancelling them before is no use and does harm: where a task ends at the moment in which it is cancelled,
            # as all do on Ctrl-C in a cluster of the driver's own, Ray aborts the driver ("Tried to complete task that
            # was not pending"; the race is told in https://github.com/ray-project/ray/pull/54738).
            supplies.clear()


@dataclass
class _Run:
    """A run in flight."""

    job: Job
    start: tuple[ContentFile, ...]  #: The file that it starts from, where there is one.
    mark: Path | None  #: The mark of its folder.
    reference: Any = None  #: Ray's reference to its outcome.
    starts: int = 0  #: How often a node has begun it.


@dataclass
class _Flight:
    """The runs in flight, at most ``workers`` of them; 0 for what the nodes hold and a few more."""

    ray: Any  #: The package, connected.
    jobs: Iterator[Job | None]
    image_set: ImageSet
    workers: int
    on_event: OnEvent
    cluster: Cluster
    supplies: Supplies

    def __post_init__(self) -> None:
        ray = self.ray
        self._going: dict[str, _Run] = {}
        self._no_more = False
        self._asked, self._looked, self._window = 0.0, 0.0, 0
        here = _on(ray, ray.get_runtime_context().get_node_id())
        self._mailbox = ray.remote(Mailbox).options(max_restarts=-1, **here).remote()
        # Ray's retries are for lost nodes alone: a run that fails or dies is a record. They are never used up by them.
        self._task = ray.remote(run_task).options(
            num_cpus=self.cluster.cpus_per_run, num_gpus=self.cluster.gpus_per_run, max_retries=-1, name="study"
        )

    def begin(self) -> None:
        """Look at the nodes and give Ray the first run.

        Raises:
            UsageError: a node differs from the driver in what is installed, or none holds a run.
        """
        first = self._next_run()
        survey(self.ray, self.cluster, self.supplies, first.mark if first else None, bool(self.workers))
        if first:
            self._give(first)

    def goes_on(self) -> bool:
        """Give Ray what work there is; return whether any is going on or may come."""
        self._fill()
        return not self._no_more or bool(self._going)

    def records(self) -> Iterator[Record]:
        """Wait a moment; pass events on and yield the records that have come."""
        if not self._going:
            time.sleep(min(TURN_S, POLL_S))
            return
        references = [run.reference for run in self._going.values()]
        ready, _ = self.ray.wait(references, timeout=TURN_S)
        if ready:
            ready, _ = self.ray.wait(references, num_returns=len(references), timeout=0)
        yield from self._events()
        ready = set(ready)
        ended = [run for run in self._going.values() if run.reference in ready]
        if ended:
            self._fill(len(ended))  # before the driver turns to the disk
        for run in ended:
            del self._going[run.job.spec.key]
            yield from self._outcome(run)

    def _fill(self, ending: int = 0) -> None:
        """Give Ray runs until as many are in flight as may be, besides those that are just ending."""
        now = time.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            held = self.cluster.fit(alive(self.ray))
            self._window = self.workers or max(1, held + max(1, int(held * AHEAD)))
        while not self._no_more and now >= self._asked and len(self._going) - ending < self._window:
            run = self._next_run()
            if run is None:
                return
            self._give(run)

    def _next_run(self) -> _Run | None:
        try:
            job = next(self.jobs)
        except StopIteration:
            self._no_more = True
            return None
        if job is None:
            self._asked = time.monotonic() + POLL_S
            return None
        start = (content_file(job.start_weights),) if job.start_weights else ()
        return _Run(job, start, self.supplies.mark(job))

    def _give(self, run: _Run) -> None:
        supplies = self.supplies
        run.reference = self._task.remote(
            run.job, run.start, run.mark, supplies.reference, dict(supplies.sent), self._mailbox
        )
        self._going[run.job.spec.key] = run

    def _events(self) -> Iterator[Record]:
        """Pass events on; yield a failed record for a run that has been started too often."""
        try:
            events = self.ray.get(self._mailbox.take.remote())
        except self.ray.exceptions.RayActorError:  # it starts again; the display alone lives on events
            return
        for key, event in events:
            if (run := self._going.get(key)) is None:
                continue
            spec = run.job.spec
            if event["kind"] == "taken":
                run.starts += 1
                if run.starts == 1:
                    continue
                event = {"kind": "note", "text": "its node was lost, it goes on elsewhere"}
            try:
                self.on_event(spec, event)
            except Abandoned:
                self._drop(run)
                continue
            if run.starts > MOST_STARTS:
                self._drop(run)
                yield failed_record(spec, self.image_set, f"its node was lost {MOST_STARTS} times while it ran")

    def _drop(self, run: _Run) -> None:
        del self._going[run.job.spec.key]
        self.ray.cancel(run.reference, force=True)

    def _outcome(self, run: _Run) -> Iterator[Record]:
        job, errors = run.job, self.ray.exceptions
        try:
            kind, content, weights = self.ray.get(run.reference)
        except errors.OutOfMemoryError:
            reason = "its node ran out of memory: give runs more room with --cpus-per-run"
            yield failed_record(job.spec, self.image_set, reason)
            return
        except (errors.RayTaskError, errors.WorkerCrashedError) as error:
            text = str(error).strip()
            yield failed_record(job.spec, self.image_set, text.splitlines()[-1], text[-OUTPUT_TAIL:])
            return
        if kind == "missing":
            self.supplies.send(content)
            self._give(run)
        elif kind == "unwritable":
            raise WriteError(content)
        elif kind == "misfit":
            raise UsageError(f"what is installed must be the same on all nodes: {content}.")
        elif kind == "stopped":
            self.on_event(job.spec, {"kind": "stopped"})
        else:
            if weights is not None and job.keep_weights:
                write_atomically(job.keep_weights, weights.tobytes())
            yield content


class Supplies:
    """What a driver's runs need, and what of it was sent."""

    def __init__(
        self, ray: Any, image_set: ImageSet, plugins: Sequence[str], limit_s: float | None, cluster: Cluster
    ) -> None:
        self._ray = ray
        packed, images = pack(image_set)
        #: All of the file with the images, whatever lies at its path now.
        self._images: Any = image_set.images.base if images else b""
        sha256 = hashlib.sha256(self._images).hexdigest()  # type: ignore[arg-type]
        self._marks: dict[Path, Path] = {}
        self.sent: dict[str, Any] = {}  #: sha256 of files -> reference to their bytes in Ray's object store.
        #: What all runs have in common, and the reference to it.
        self.terms = Terms(
            token=secrets.token_hex(8),
            image_set=packed,
            images=ContentFile(images, sha256) if images else None,
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


def _on(ray: Any, node: str) -> dict[str, Any]:
    """Return the options of what is on a certain node, and takes no processor."""
    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    return {"num_cpus": 0, "scheduling_strategy": affinity(node, soft=False)}


def alive(ray: Any) -> list[dict[str, Any]]:
    """Return what Ray says of each node that it takes to be there."""
    return [node for node in ray.nodes() if node["Alive"]]


def _ask(ray: Any, nodes: Sequence[Mapping[str, Any]], supplies: Supplies, mark: Path | None) -> list[NodeFacts]:
    """Return what the nodes found about themselves, without those that are gone or slow: their runs look again."""
    task = ray.remote(look)
    asked = {task.options(**_on(ray, node["NodeID"])).remote(supplies.reference, mark): node for node in nodes}
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
