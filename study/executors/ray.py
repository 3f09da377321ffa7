"""The executor on a Ray cluster: each run is a Ray task; Ray places them, and tries them again where a node is lost."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from study.datasets.image_set import ImageSet
from study.errors import StudyError, UsageError, WriteError
from study.executors import POLL_S, Abandoned, Job, OnEvent, process
from study.executors.goods import Goods, bytes_of, goods_of
from study.executors.image_transfer import pack
from study.executors.outcome import failed_record
from study.executors.process import GRACE_S, OUTPUT_TAIL, Execute
from study.executors.ray_cluster import Cluster, connected
from study.executors.ray_node import Mailbox, NodeFacts, Terms, installed, look, run_task
from study.files import make_folder, temporary_path, write_atomically, write_error
from study.record import Record

#: How long to wait for records before events are looked at.
TURN_S = 0.2
#: How often to look what nodes there are.
LOOK_S = 5.0
#: Runs that are given to Ray beyond what its nodes hold, as a share of that: they wait there while records travel.
AHEAD = 0.25
#: Starts of one run after which it is its own fault that its nodes are lost.
MOST_STARTS = 10
#: How long the first look at the nodes may take.
LOOK_LIMIT_S = 300.0


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
    """Execute the jobs on a Ray cluster; see ``study.executors.RunSpecs``.

    Args:
        jobs: As there.
        image_set: As there.
        workers: Runs that are given to Ray at the same time; 0 for what its nodes hold and a few more.
        plugins: As there.
        on_event: As there; events carry the ``node`` too.
        limit_s: As there.
        cluster: Which cluster, and what a run takes of it; None for what ``Cluster`` has by default.

    Raises:
        UsageError: Ray is missing or too old; nodes differ from the driver in what is installed; no node holds a run.
        StudyError: the cluster cannot be reached, or is lost.
        WriteError: as there.
    """
    options = {"workers": workers, "plugins": plugins, "on_event": on_event, "limit_s": limit_s, "cluster": cluster}
    yield from run_on_ray(process.execute_job, jobs, image_set, **options)  # type: ignore[arg-type]


def run_on_ray(
    execute: Execute,
    jobs: Iterable[Job | None],
    image_set: ImageSet,
    *,
    workers: int,
    plugins: Sequence[str],
    on_event: OnEvent,
    limit_s: float | None = None,
    cluster: Cluster | None = None,
) -> Generator[Record, None, None]:
    """Execute jobs with any function that the nodes can import; ``run_specs`` does it with ``execute_job``."""
    cluster = cluster or Cluster()
    with connected(cluster) as ray:
        flight = _Flight(ray, execute, iter(jobs), image_set, workers, plugins, on_event, limit_s, cluster)
        try:
            flight.look_at_nodes()
            while flight.goes_on():
                yield from flight.records()
        except ray.exceptions.RayError as error:
            reason = (str(error).strip().splitlines() or [""])[-1]
            raise StudyError(f"the Ray cluster failed ({type(error).__name__}: {reason}).") from error
        finally:
            flight.end()


@dataclass
class _Going:
    """A run that was given to Ray.

    Attributes:
        job: The run.
        goods: What it needs besides what all runs need.
        marks: The marks of its folders.
    """

    job: Job
    goods: tuple[Goods, ...]
    marks: Mapping[Path, tuple[Path, str]]


class _Flight:
    """The runs in flight.

    Args:
        ray: The package, connected.
        execute: What a run is.
        jobs: Where runs come from.
        image_set: The dataset.
        workers: The most runs in flight, 0 for what the nodes hold and a few more.
        plugins: Files to import.
        on_event: Takes events.
        limit_s: Seconds that a run may take.
        cluster: What a run takes of the cluster.
    """

    def __init__(
        self,
        ray: Any,
        execute: Execute,
        jobs: Iterator[Job | None],
        image_set: ImageSet,
        workers: int,
        plugins: Sequence[str],
        on_event: OnEvent,
        limit_s: float | None,
        cluster: Cluster,
    ) -> None:
        self._ray, self._jobs, self._image_set, self._workers = ray, jobs, image_set, workers
        self._on_event, self._cluster, self._execute = on_event, cluster, execute
        self._going: dict[Any, _Going] = {}
        self._refs: dict[str, Any] = {}
        self._starts: Counter[str] = Counter()
        self._sent: dict[str, Any] = {}
        self._known: dict[Path, Goods] = {}
        self._marks: dict[Path, tuple[Path, str]] = {}
        self._no_more = False
        self._asked, self._looked, self._window = 0.0, 0.0, 0
        self._terms = self._make_terms(plugins, limit_s)
        self._terms_ref = ray.put(self._terms)
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        self._mailbox = ray.remote(Mailbox).options(num_cpus=0, max_restarts=-1, scheduling_strategy=here).remote()
        # Ray's retries are for lost nodes alone: a run that fails or dies is a record. They are never used up by them.
        task = ray.remote(run_task).options(
            num_cpus=cluster.cpus_per_run, num_gpus=cluster.gpus_per_run, max_retries=-1, name="study"
        )
        self._submit = lambda going: task.remote(
            execute, going.job, going.goods, going.marks, self._terms_ref, dict(self._sent), self._mailbox
        )

    def look_at_nodes(self) -> None:
        """Look at every node before the first run: what is installed, and which folders it shares with the driver.

        Raises:
            UsageError: a node differs from the driver in what is installed, or none holds a run.
        """
        nodes = self._alive()
        if not self._cluster.fit(nodes) and not self._workers:
            wanted = " and ".join(f"{amount:g} {name}" for name, amount in self._cluster.resources.items())
            raise UsageError(
                f"no node of the Ray cluster has the {wanted} that a run takes: lower --cpus-per-run or "
                "--gpus-per-run, or say with --jobs how many runs an autoscaler should make room for."
            )
        first = self._next_job()
        affinity = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        task = self._ray.remote(look)
        marks = first.marks if first else {}
        asked = {
            task.options(num_cpus=0, scheduling_strategy=affinity(node["NodeID"], soft=False)).remote(
                self._terms_ref, marks
            ): node
            for node in nodes
        }
        self._ray.wait(list(asked), num_returns=len(asked), timeout=LOOK_LIMIT_S)
        errors = self._ray.exceptions
        facts: list[NodeFacts] = []
        for ref, node in asked.items():
            try:
                facts.append(self._ray.get(ref, timeout=1.0))
            except (errors.NodeDiedError, errors.TaskUnschedulableError, errors.GetTimeoutError):
                continue  # it is gone, or slow: its runs look for themselves
            except errors.RayError as error:
                reason = (str(error).strip().splitlines() or [""])[-1]
                raise UsageError(
                    f"node {node['NodeManagerHostname']} of the Ray cluster cannot run a study ({reason}): install the "
                    "same package there as here."
                ) from error
        wrong = sorted({f"{one.name} has {one.misfit}" for one in facts if one.misfit})
        if wrong:
            raise UsageError(f"what is installed must be the same on all nodes: {'; '.join(wrong)}.")
        for one in {goods for fact in facts for goods in fact.missing}:
            self._send(one)
        self._tell(nodes, facts)
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
        ready, _ = self._ray.wait(list(self._going), timeout=TURN_S)
        if ready:
            ready, _ = self._ray.wait(list(self._going), num_returns=len(self._going), timeout=0)
        yield from self._events()
        ready = [ref for ref in ready if ref in self._going]
        if ready:
            self._fill(len(ready))  # before the driver turns to the disk
        for ref in ready:
            going = self._going.pop(ref)
            yield from self._outcome(ref, going)

    def end(self) -> None:
        """Cancel what is in flight and remove everything that was put into the cluster or into folders."""
        refs = list(self._going)
        with contextlib.suppress(self._ray.exceptions.RayError):
            for ref in refs:
                self._ray.cancel(ref, force=True)
            if refs:
                self._ray.wait(refs, num_returns=len(refs), timeout=GRACE_S, fetch_local=False)
            self._ray.kill(self._mailbox)
        for path, _ in self._marks.values():
            with contextlib.suppress(OSError):
                path.unlink()

    def _fill(self, ending: int = 0) -> None:
        """Give Ray runs until as many are in flight as may be, besides those that are just ending."""
        now = time.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            held = self._cluster.fit(self._alive())
            self._window = self._workers or max(1, held + max(1, int(held * AHEAD)))
        while not self._no_more and now >= self._asked and len(self._going) - ending < self._window:
            going = self._next_job()
            if going is None:
                return
            self._give(going)

    def _next_job(self) -> _Going | None:
        try:
            job = next(self._jobs)
        except StopIteration:
            self._no_more = True
            return None
        if job is None:
            self._asked = time.monotonic() + POLL_S
            return None
        goods = (self._goods(job.start_weights),) if job.start_weights else ()
        return _Going(job, goods, self._marks_of(job))

    def _give(self, going: _Going) -> None:
        ref = self._submit(going)
        self._going[ref] = going
        self._refs[going.job.spec.key] = ref

    def _events(self) -> Iterator[Record]:
        """Pass events on; yield a failed record for a run that has been started too often."""
        try:
            events = self._ray.get(self._mailbox.take.remote())
        except self._ray.exceptions.RayActorError:  # it starts again; the display alone lives on events
            return
        for key, event in events:
            going = self._going.get(self._refs.get(key))
            if going is None:
                continue
            spec = going.job.spec
            try:
                if event["kind"] == "start":
                    self._starts[key] += 1
                    if self._starts[key] > 1:
                        self._on_event(spec, {"kind": "note", "text": "its node was lost, it goes on elsewhere"})
                self._on_event(spec, event)
            except Abandoned:
                self._drop(key)
                continue
            if self._starts[key] > MOST_STARTS:
                self._drop(key)
                yield failed_record(spec, self._image_set, f"its node was lost {MOST_STARTS} times while it ran")

    def _drop(self, key: str) -> None:
        ref = self._refs.pop(key)
        del self._going[ref]
        self._starts.pop(key, None)
        self._ray.cancel(ref, force=True)

    def _outcome(self, ref: Any, going: _Going) -> Iterator[Record]:
        job = going.job
        try:
            kind, content, weights = self._ray.get(ref)
        except self._ray.exceptions.OutOfMemoryError:
            reason = "its node ran out of memory: give runs more room with --cpus-per-run"
            kind, content, weights = "record", failed_record(job.spec, self._image_set, reason), None
        except (self._ray.exceptions.RayTaskError, self._ray.exceptions.WorkerCrashedError) as error:
            text = str(error).strip()
            failed = failed_record(job.spec, self._image_set, text.splitlines()[-1], text[-OUTPUT_TAIL:])
            kind, content, weights = "record", failed, None
        if kind == "missing":
            self._send(content)
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
        yield content

    def _make_terms(self, plugins: Sequence[str], limit_s: float | None) -> Terms:
        packed, place = pack(self._image_set)
        images = None
        if place is not None:
            data = bytes_of(self._image_set.images)
            images = Goods(Path(place.file), place.offset, len(data), hashlib.sha256(data.data).hexdigest())
        files = tuple(self._goods(Path(file).resolve()) for file in plugins)
        gpus = self._cluster.gpus_per_run > 0
        return Terms(
            secrets.token_hex(8), packed, place, images, files, self._cluster.threads, limit_s, not gpus, installed()
        )

    def _goods(self, path: Path) -> Goods:
        if path not in self._known:
            self._known[path] = goods_of(path)
        return self._known[path]

    def _send(self, goods: Goods) -> None:
        """Put goods into Ray's object store, from which each node that lacks them fetches them once."""
        if goods.sha256 in self._sent:
            return
        images = goods == self._terms.images
        data = bytes_of(self._image_set.images) if images else np.frombuffer(goods.path.read_bytes(), np.uint8)
        self._sent[goods.sha256] = self._ray.put(np.asarray(data))

    def _marks_of(self, job: Job) -> dict[Path, tuple[Path, str]]:
        """Return the mark of the folder that a job's files go below, written where it is not there yet."""
        places = [place.parent for place in (job.checkpoints, job.keep_weights) if place]
        if not places:
            return {}
        folder = _common(places)
        if folder not in self._marks:
            mark = temporary_path(folder / "shared")  # named so that it is cleared away after a driver that is killed
            try:
                make_folder(folder)
                mark.write_text(self._terms.token)
            except OSError as error:
                raise write_error(mark, error) from error
            self._marks[folder] = mark, self._terms.token
        return {folder: self._marks[folder]}

    def _alive(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _tell(self, nodes: Sequence[dict[str, Any]], facts: Sequence[NodeFacts]) -> None:
        """Say what was found."""
        have = [sum(node["Resources"].get(name, 0.0) for node in nodes) for name in ("CPU", "GPU")]
        missing = sum(bool(one.missing) for one in facts)
        data = "seen by all" if not missing else f"sent once to each of {missing} that do not see them"
        shared = "not shared: a run whose node is lost starts over"
        if all(one.shared for one in facts):
            shared = "shared" if self._marks else "not looked at yet"
        self._cluster.log(
            f"Ray: {len(nodes)} node{'s' if len(nodes) != 1 else ''} with {have[0]:g} CPU and {have[1]:g} GPU, "
            f"room for {self._cluster.fit(nodes)} at a time; images {data}; results folder {shared}"
        )


def _common(places: Sequence[Path]) -> Path:
    """Return the deepest folder above all of the places, or the place itself where there is one."""
    above = [[*reversed(place.absolute().parents), place.absolute()] for place in places]
    return [level[0] for level in zip(*above, strict=False) if len(set(level)) == 1][-1]
