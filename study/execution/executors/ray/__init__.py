"""The executor on a Ray cluster: each run is a Ray task; Ray places them, and tries them again where a node is lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.core.errors import StudyError, UsageError, WriteError
from study.core.files import write_atomically
from study.core.record import Record
from study.datasets.image_set import ImageSet
from study.execution.executors import POLL_S, Abandoned, Job, OnEvent, executor, failed_record, process
from study.execution.executors.process import OUTPUT_TAIL
from study.execution.executors.ray.cluster import Cluster, connected
from study.execution.executors.ray.inputs import Supplied, Supplies, alive, survey
from study.execution.executors.ray.worker import Mailbox, run_task

#: How long to wait for records before events are looked at.
TURN_S = 0.2
#: How often to look what nodes there are.
LOOK_S = 5.0
#: Runs that are given to Ray beyond what its nodes hold, as a share of that: they wait there while records travel.
AHEAD = 0.25
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
        supplies = Supplies(ray, process.execute_job, image_set, plugins, limit_s, cluster)
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
        self._going: dict[Any, Supplied] = {}
        self._refs: dict[str, Any] = {}
        self._starts: Counter[str] = Counter()
        self._no_more = False
        self._asked, self._looked, self._window = 0.0, 0.0, 0
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        self._mailbox = ray.remote(Mailbox).options(num_cpus=0, max_restarts=-1, scheduling_strategy=here).remote()
        # Ray's retries are for lost nodes alone: a run that fails or dies is a record. They are never used up by them.
        task = ray.remote(run_task).options(
            num_cpus=self.cluster.cpus_per_run, num_gpus=self.cluster.gpus_per_run, max_retries=-1, name="study"
        )
        self._submit = lambda going: task.remote(
            going.job,
            going.content_files,
            going.marks,
            self.supplies.reference,
            dict(self.supplies.sent),
            self._mailbox,
        )

    def begin(self) -> None:
        """Look at the nodes and give Ray the first run.

        Raises:
            UsageError: a node differs from the driver in what is installed, or none holds a run.
        """
        first = self._next_job()
        survey(self.ray, self.cluster, self.supplies, first.marks if first else {}, bool(self.workers))
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
        ready, _ = self.ray.wait(list(self._going), timeout=TURN_S)
        if ready:
            ready, _ = self.ray.wait(list(self._going), num_returns=len(self._going), timeout=0)
        yield from self._events()
        ready = [ref for ref in ready if ref in self._going]
        if ready:
            self._fill(len(ready))  # before the driver turns to the disk
        for ref in ready:
            going = self._going.pop(ref)
            yield from self._outcome(ref, going)

    def _fill(self, ending: int = 0) -> None:
        """Give Ray runs until as many are in flight as may be, besides those that are just ending."""
        now = time.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            held = self.cluster.fit(alive(self.ray))
            self._window = self.workers or max(1, held + max(1, int(held * AHEAD)))
        while not self._no_more and now >= self._asked and len(self._going) - ending < self._window:
            going = self._next_job()
            if going is None:
                return
            self._give(going)

    def _next_job(self) -> Supplied | None:
        try:
            job = next(self.jobs)
        except StopIteration:
            self._no_more = True
            return None
        if job is None:
            self._asked = time.monotonic() + POLL_S
            return None
        return self.supplies.supply(job)

    def _give(self, going: Supplied) -> None:
        ref = self._submit(going)
        self._going[ref] = going
        self._refs[going.job.spec.key] = ref

    def _events(self) -> Iterator[Record]:
        """Pass events on; yield a failed record for a run that has been started too often."""
        try:
            events = self.ray.get(self._mailbox.take.remote())
        except self.ray.exceptions.RayActorError:  # it starts again; the display alone lives on events
            return
        for key, event in events:
            going = self._going.get(self._refs.get(key))
            if going is None:
                continue
            spec = going.job.spec
            try:
                if event["kind"] == "taken":
                    self._starts[key] += 1
                    if self._starts[key] > 1:
                        self.on_event(spec, {"kind": "note", "text": "its node was lost, it goes on elsewhere"})
                else:
                    self.on_event(spec, event)
            except Abandoned:
                self._drop(key)
                continue
            if self._starts[key] > MOST_STARTS:
                self._drop(key)
                yield failed_record(spec, self.image_set, f"its node was lost {MOST_STARTS} times while it ran")

    def _drop(self, key: str) -> None:
        ref = self._refs.pop(key)
        del self._going[ref]
        self._starts.pop(key, None)
        self.ray.cancel(ref, force=True)

    def _outcome(self, ref: Any, going: Supplied) -> Iterator[Record]:
        job = going.job
        try:
            kind, content, weights = self.ray.get(ref)
        except self.ray.exceptions.OutOfMemoryError:
            reason = "its node ran out of memory: give runs more room with --cpus-per-run"
            kind, content, weights = "record", failed_record(job.spec, self.image_set, reason), None
        except (self.ray.exceptions.RayTaskError, self.ray.exceptions.WorkerCrashedError) as error:
            text = str(error).strip()
            failed = failed_record(job.spec, self.image_set, text.splitlines()[-1], text[-OUTPUT_TAIL:])
            kind, content, weights = "record", failed, None
        if kind == "missing":
            self.supplies.send(content)
            self._give(going)
            return
        if kind == "unwritable":
            raise WriteError(content)
        if kind == "misfit":
            raise UsageError(f"what is installed must be the same on all nodes: {content}.")
        if weights is not None and job.keep_weights:
            write_atomically(job.keep_weights, weights.tobytes())
        self._refs.pop(job.spec.key, None)
        self._starts.pop(job.spec.key, None)
        if kind == "stopped":
            self.on_event(job.spec, {"kind": "stopped"})
        else:
            yield content
