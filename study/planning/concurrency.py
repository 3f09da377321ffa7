"""Concurrency: how fast runs are here, alone and beside each other, and how many at a time ``--jobs auto`` chooses."""

from __future__ import annotations

import contextlib
import itertools
import json
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from study.core.environment import code_hash, processor, system_field, versions
from study.core.errors import StoreError
from study.core.files import read_regular, write_atomically
from study.core.registry import load_plugins
from study.core.spec import Spec, content_hash
from study.planning.plan import PlannedRun
from study.training.device import memory_environment, visible_gpus
from study.training.environment import THREADS, children_get, process_environment
from study.training.speed import Pace, measure_speed

FILE = "sharing.json"
_MOST_BYTES = 1 << 20
#: Seconds of estimated work below which measuring would cost more than it gains.
SMALL_S = 120.0
#: Share of the estimated work whose models are measured, the largest first; the rest will be like them.
MEASURED_SHARE = 0.8
#: Share of the free memory that runs may take together.
MEMORY_SHARE = 0.8
#: Seconds that a measurement may take before its way of sharing counts as impossible.
LIMIT_S = 300.0

#: Measures one model in several processes at once: (spec, processes) -> the mean pace; None where it cannot be had.
Measure = Callable[[Spec, int], Pace | None]


def ways(cores: int, runs: int) -> list[int]:
    """Return the numbers of processes that are compared: 1, 2, 4 and so on, up to one a core or one a run."""
    most = max(1, min(cores, runs))
    return sorted({min(2**power, most) for power in range(most.bit_length() + 1)})


class Paces:
    """What was measured on this machine, whatever the study; nothing is measured twice.

    It is kept in a file of ``folder``. Without ``measure`` (a dry run) only what was measured before is known.
    """

    def __init__(self, folder: Path, cores: int, measure: Measure | None) -> None:
        self.cores, self.measures = cores, measure is not None
        self._file, self._measure = folder / FILE, measure
        self._kept = _read(self._file)

    def pace(self, spec: Spec, jobs: int = 1, measure: bool = True) -> Pace | None:
        """Return the mean pace of a spec's model with so many processes at once; None where it cannot be had."""
        key = _key(spec, jobs, self.cores)
        if key not in self._kept and self._measure is not None and measure:
            pace = self._measure(spec, jobs)
            if pace or jobs > 1:  # what failed alone may have failed for a passing reason
                self._kept[key] = asdict(pace) if pace else None
            self._kept = _read(self._file) | self._kept  # with what another driver has measured meanwhile
            with contextlib.suppress(StoreError):  # a place that cannot be written costs time, not the grid
                write_atomically(self._file, json.dumps(self._kept, sort_keys=True, indent=1).encode() + b"\n")
        return Pace(**self._kept[key]) if self._kept.get(key) else None

    def speeds(self, specs: Sequence[Spec]) -> dict[str, float]:
        """Return training images per second of each spec's model alone, by its name; what fails is left out."""
        return {spec.model.name: pace.train_images_per_s for spec in specs if (pace := self.pace(spec))}


def choose_jobs(runs: Sequence[PlannedRun], known: Paces, free_mb: float = float("inf")) -> tuple[int, str]:
    """Return how many of the open runs go on at once, by what is known or can be measured, and why.

    They take at most ``free_mb`` MiB of memory together.
    """
    cores = known.cores
    choices = ways(cores, len(runs))
    if len(choices) == 1:
        return choices[0], f"Jobs: {choices[0]}, there is nothing to share"
    models = _largest(runs)
    small = sum(run.estimate_s for run in runs) < SMALL_S
    fits: dict[int, dict[str, Pace]] = {}
    for jobs in choices:
        paces = {name: known.pace(spec, jobs, measure=not small) for name, spec in models.items()}
        found = {name: pace for name, pace in paces.items() if pace}
        needed_mb = jobs * max((pace.memory_mb for pace in found.values()), default=0.0)
        if len(found) == len(models) and (jobs == 1 or needed_mb <= free_mb):
            fits[jobs] = found
    if 1 not in fits:
        if small:
            return choices[-1], f"Jobs: {choices[-1]} at a time: short runs spend much of their time on one core"
        why = "speeds will be measured when the runs start" if not known.measures else "no speed could be measured"
        return 1, f"Jobs: one at a time: {why}"
    seconds = {jobs: grid_s([run.spec for run in runs], jobs, found) for jobs, found in fits.items()}
    best = min(seconds, key=lambda jobs: seconds[jobs])
    line = f"Jobs: {best} at a time, {THREADS} threads each, on {cores} cores"
    return best, f"{line}; measured {seconds[1] / seconds[best]:.2f} times as fast as one after another"


def grid_s(specs: Sequence[Spec], jobs: int, paces: Mapping[str, Pace]) -> float:
    """Return about how many seconds runs take, ``jobs`` at a time; models that were not measured count as the mean."""
    starts = sum(pace.start_s for pace in paces.values()) / len(paces)
    rates = sum(pace.train_images_per_s for pace in paces.values()) / len(paces)
    other = Pace(starts, rates, 0.0)
    known = [(spec, paces.get(spec.model.name, other)) for spec in specs]
    each = [one.start_s + spec.protocol.updates * spec.protocol.batch / one.train_images_per_s for spec, one in known]
    return max(sum(each) / jobs, max(each))


def free_memory_mb() -> float:
    """Return what runs may take of the memory that is free now, in MiB; no limit where the system does not tell."""
    found = system_field("/proc/meminfo", "MemAvailable")
    return MEMORY_SHARE * int(found.split()[0]) / 1024 if found else float("inf")


def measure_concurrency(
    spec: Spec, processes: int, *, image_shape: tuple[int, int, int], classes: int, plugins: Sequence[str]
) -> Pace | None:
    """Train a spec's model in several processes at once and return their mean pace; None where one of them failed."""
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(processes, timeout=LIMIT_S)
    pipes = [context.Pipe(duplex=False) for _ in range(processes)]
    arguments = (spec, image_shape, classes, list(plugins), together)
    children = [context.Process(target=_train, args=(*arguments, theirs), daemon=True) for _, theirs in pipes]
    found = []
    try:
        with children_get(process_environment(THREADS) | memory_environment(processes)):
            for child in children:
                child.start()
        for _, theirs in pipes:
            theirs.close()
        for ours, _ in pipes:
            if ours.poll(LIMIT_S):
                found.append(ours.recv())
    except (EOFError, OSError):  # a child that ended: whatever a builder raises, or no memory; its run will tell
        return None
    finally:
        for child in children:
            if child.pid is not None:
                child.kill()
                child.join()
    if len(found) < processes:
        return None
    means = [sum(values) / processes for values in zip(*(asdict(pace).values() for pace in found), strict=True)]
    return Pace(*means)


def _train(
    spec: Spec, image_shape: tuple[int, int, int], classes: int, plugins: Sequence[str], together: Any, pipe: Any
) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the backend's banners
    load_plugins(plugins)
    pace = measure_speed(
        spec.model.name,
        side_px=spec.side_px,
        image_shape=image_shape,
        classes=classes,
        batch=spec.protocol.batch,
        precision=spec.precision,
        backend=spec.backend,
        ready=together.wait,
    )
    pipe.send(pace)


def _largest(runs: Sequence[PlannedRun]) -> dict[str, Spec]:
    """Return one spec a model for the models that most of the work is in."""
    specs = {run.spec.model.name: run.spec for run in runs}
    work = {name: sum(run.estimate_s for run in runs if run.spec.model.name == name) for name in specs}
    names = sorted(work, key=lambda name: -work[name])
    covered = itertools.accumulate(work[name] for name in names)
    needed = 1 + sum(one < MEASURED_SHARE * sum(work.values()) for one in covered)
    return {name: specs[name] for name in names[:needed]}


def _key(spec: Spec, jobs: int, cores: int) -> str:
    """Return what a measurement holds for."""
    about = [
        [processor(), *(gpu.name for gpu in visible_gpus())],
        code_hash(),
        versions(),
        spec.model.to_json(),
        spec.side_px,
        spec.protocol.batch,
        spec.precision,
        spec.backend,
        THREADS,
    ]
    return f"{spec.model.name} {spec.side_px} px, {jobs} of {cores} cores, {content_hash(about)[:12]}"


def _read(path: Path) -> dict[str, Any]:
    """Return kept measurements; a damaged file counts as none, because they can be made again."""
    try:
        kept = json.loads(read_regular(path, _MOST_BYTES))
        fields = set(Pace.__dataclass_fields__)
        return {key: pace for key, pace in kept.items() if pace is None or set(pace) == fields}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}
