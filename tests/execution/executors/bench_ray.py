"""What the executor on Ray costs, measured here and carried on to a thousand nodes by simulation.

``python -m tests.execution.executors.bench_ray overhead|makespan|driver|planning|simulate``; results are printed as
JSON, one line each.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from study.core.record import Record
from study.core.spec import Spec
from study.core.store import Store
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.execution.executors import Job
from study.execution.executors.process import run_on_processes
from study.execution.executors.ray import AHEAD
from study.execution.executors.ray.cluster import Cluster
from study.execution.locks import Locks
from study.execution.progress import PlainDisplay
from study.execution.queue import Work
from study.planning.grid import Choices, PlannedSpec, read_grid, resolve_specs, select_pairs
from study.planning.plan import Plan, make_plan
from study.protocols.budgets import read_budget, read_speeds
from tests.changed import replace
from tests.execution.executors.clusters import cluster_of, run_on_ray
from tests.execution.executors.fake_execute import done_record, sleep_in_worker

#: FER-2013's validation and test splits, and a history of the full budget's length.
PREDICTED, CLASSES, EPOCHS = 3589, 7, 60


def planned_specs(faces: ImageSet, seeds: tuple[int, ...], models: tuple[str, ...] = ("cnn2",)) -> list[PlannedSpec]:
    """Return specs of the four shared protocols where there are several models, of the baseline otherwise."""
    protocols = ("baseline",) if len(models) == 1 else ()
    pairs = select_pairs(read_grid("all"), models, protocols)
    return resolve_specs(pairs, Choices(read_budget("full"), seeds=seeds, weights="none"), faces)


def timed(records: Iterator[Record], starts: list[float]) -> dict[str, float]:
    """Return when the first run began and the last record came, in seconds since the call, and how many there were."""
    begin, count = time.monotonic(), 0
    for record in records:
        assert record.status == "done", record.reason
        count += 1
    return {"runs": count, "first_start_s": starts[0] - begin, "end_s": time.monotonic() - begin}


def measure(faces: ImageSet, seeds: range, nodes: int, address: str | None) -> dict[str, Any]:
    """Execute sleeping runs on a cluster, or on worker processes without an address."""
    todo = [Job(one.spec) for one in planned_specs(faces, tuple(seeds))]
    starts: list[float] = []

    def on_event(spec: Spec, event: Any) -> None:
        starts.append(time.monotonic())

    options: dict[str, Any] = {"plugins": (), "on_event": on_event}
    if address is None:
        found = timed(run_on_processes(sleep_in_worker, todo, faces, workers=nodes, **options), starts)
    else:
        found = timed(run_on_ray(sleep_in_worker, todo, faces, workers=0, cluster=Cluster(address), **options), starts)
    return {"executor": "ray" if address else "process", "nodes": nodes, **found}


def overhead(runs: int) -> Iterator[dict[str, Any]]:
    """Yield what runs without work cost, one after the other."""
    faces = load("synthetic:images=200")
    with cluster_of(1) as cluster:
        for address in (None, cluster.address):
            found = measure(faces, range(runs), 1, address)
            yield found | {"ms_per_run": 1000 * (found["end_s"] - found["first_start_s"]) / runs}


def makespan(seconds: float, most_nodes: int) -> Iterator[dict[str, Any]]:
    """Yield how long 24 equal runs take on one, two, ... nodes of one processor."""
    faces = load("synthetic:images=200")
    first = int(seconds * 10) * 1000
    for nodes in range(1, most_nodes + 1):
        with cluster_of(nodes) as cluster:
            measure(faces, range(nodes), nodes, cluster.address)  # the nodes' files are read once before
            found = measure(faces, range(first, first + 24), nodes, cluster.address)
        ideal = 24 / nodes * seconds
        took = found["end_s"] - found["first_start_s"]
        yield found | {"ideal_s": ideal, "makespan_s": took, "over_ideal": took / ideal - 1}


def driver(records: int, stored: int, in_flight: int) -> Iterator[dict[str, Any]]:
    """Yield what a record of FER-2013's size costs the driver: locked, stored, shown, among many that are there.

    And what an event costs, with many runs in flight.
    """
    faces = load("synthetic:images=200")
    planned = planned_specs(faces, tuple(range(records + in_flight)))
    full = _noise()
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as folder:
        store = Store(folder, "s")
        plan = make_plan(planned, store, faces, read_speeds(), {})
        for spec in planned[0].spec.with_seeds(range(10**6, 10**6 + stored)):  # as many neighbours
            path = store.record_path(spec)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".other").touch()
        with Locks(store.locks_folder) as locks, open(os.devnull, "w") as out:
            work = Work(plan.open, store, locks, PlainDisplay(plan.open, out))
            spent, jobs = [], iter(work)
            locked_before = [next(jobs) for _ in range(in_flight)]
            begin = time.perf_counter()
            for one in locked_before[:200]:
                assert one is not None
                work.on_event(one.spec, {"kind": "note", "text": ""})
            event_ms = 1000 * (time.perf_counter() - begin) / 200
            for _ in range(records):
                begin, processor = time.perf_counter(), time.process_time()
                job = next(jobs)
                locked = time.perf_counter() - begin, time.process_time() - processor
                assert job is not None
                record = done_record(job.spec, faces)
                record = replace(record, arrays=full, history=record.history * EPOCHS)
                begin, processor = time.perf_counter() - locked[0], time.process_time() - locked[1]
                work.keep(record)
                spent.append((time.perf_counter() - begin, time.process_time() - processor))
        size = sum(path.stat().st_size for path in store.folder.rglob("seed_*") if path.suffix != ".other") / records
    walls, processors = np.array(spent).T * 1000
    facts = {"records": records, "stored": stored, "in_flight": in_flight, "kb_per_record": size / 1000}
    yield facts | {
        "event_ms": event_ms,
        "record_median_wall_ms": float(np.median(walls)),
        "record_cpu_ms": float(processors.mean()),
    }


def planning(specs: int) -> Iterator[dict[str, Any]]:
    """Yield what planning many runs costs, and what a driver holds in memory that is about to execute them."""
    faces = load("synthetic:images=2000")
    models = ("cnn2", "cnn3", "cnn5", "vgg16", "resnet50")
    before = _resident_mb()
    begin, processor = time.perf_counter(), time.process_time()
    planned = planned_specs(faces, tuple(range(specs // 20)), models)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder, "s")
        plan: Plan = make_plan(planned, store, faces, read_speeds(), {})
        lines = plan.lines(1)
        took = {"wall_s": time.perf_counter() - begin, "cpu_s": time.process_time() - processor}
        held = _resident_mb() - before
        work = Work(plan.open, store, Locks(store.locks_folder), PlainDisplay(plan.open))
        yield {"specs": len(planned), **took, "lines": len(lines), "plan_mb": held,
               "plan_work_display_mb": _resident_mb() - before, "open": len(work._waiting)}  # fmt: skip


def simulate(nodes: int, runs: int, run_s: float, record_ms: float, event_ms: float, events: int) -> dict[str, Any]:
    """Return how a grid ends whose driver takes one record, or one event, after the other.

    A node that becomes free takes a run that waits in Ray, where a quarter more are than nodes; the driver gives one
    more for each record it has dealt with.
    """
    cost_s = (record_ms + event_ms * events) / 1000
    window = min(runs, nodes + int(nodes * AHEAD))
    ends = [run_s] * min(nodes, runs)  # a heap, because all are equal
    waiting, given = window - len(ends), window
    idle, free_at, done, last = 0, 0.0, 0, 0.0
    while done < runs:
        end = heapq.heappop(ends)
        if waiting:
            waiting -= 1
            heapq.heappush(ends, end + run_s)
        else:
            idle += 1
        free_at = max(free_at, end) + cost_s
        done, last = done + 1, free_at
        if given < runs:
            given += 1
            if idle:
                idle -= 1
                heapq.heappush(ends, free_at + run_s)
            else:
                waiting += 1
    ideal = runs / nodes * run_s
    return {"nodes": nodes, "runs": runs, "run_s": run_s, "driver_ms_per_run": cost_s * 1000, "makespan_h": last / 3600,
            "ideal_h": ideal / 3600, "over_ideal": last / ideal - 1, "driver_busy": runs * cost_s / last}  # fmt: skip


def _noise() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for split in ("validation", "test"):
        found[f"{split}_labels"] = rng.integers(0, CLASSES, PREDICTED)
        for what in ("probabilities", "flipped"):
            odds = rng.random((PREDICTED, CLASSES))
            found[f"{split}_{what}"] = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run one of the measurements and print what it yields."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("overhead", "makespan", "driver", "planning", "simulate"))
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--stored", type=int, default=0)
    parser.add_argument("--in-flight", type=int, default=0)
    parser.add_argument("--record-ms", type=float, default=30.0)
    parser.add_argument("--event-ms", type=float, default=0.1)
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[3])  # for the nodes
    found: Iterator[dict[str, Any]]
    if given.what == "overhead":
        found = overhead(given.runs)
    elif given.what == "makespan":
        found = makespan(given.seconds, given.nodes)
    elif given.what == "driver":
        found = driver(given.runs, given.stored, given.in_flight)
    elif given.what == "planning":
        found = planning(given.runs)
    else:
        lengths = (10.0, 30.0, 60.0, 600.0, 3600.0)
        costs = given.record_ms, given.event_ms, EPOCHS + 3
        found = (simulate(given.nodes, given.runs, length, *costs) for length in lengths)
    for line in found:
        print(
            json.dumps({name: round(value, 4) if isinstance(value, float) else value for name, value in line.items()})
        )


if __name__ == "__main__":
    main()
