"""The plan: which runs of a grid are done, failed or missing, and about how long the rest will take."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_changes
from statistics import median
from typing import Any

from msgspec.structs import replace

from study.core.environment import code_hash
from study.core.record import Record
from study.core.spec import Spec
from study.core.store import Store
from study.datasets.image_set import ImageSet
from study.planning.grid import PlannedSpec
from study.protocols.budgets import Speed, read_speeds
from study.protocols.resolve import paired_protocol
from study.training.device import visible_gpus

#: Side at which recorded speeds were measured.
SPEED_SIDE_PX = 48
#: Fixed costs of a run beside training and prediction: single-image latency, writing.
CLOSING_S = 3.0
#: Longer times are not told apart, slower models neither.
MOST_S, SLOWEST = 1e12, 1e-9


@dataclass(frozen=True)
class PlannedRun:
    """One run of the plan."""

    planned: PlannedSpec  #: Its spec and weights.
    record: Record | None  #: What an earlier start left, or None.
    estimate_s: float  #: About how long the run takes if nothing stops early.
    speed: Speed  #: The speed that this follows from.
    changed: bool = False  #: True where it was done by other code than today's.
    #: Name of the protocol whose open run, earlier in the plan, leaves this record too; else empty.
    comes_with: str = ""

    @property
    def spec(self) -> Spec:
        """The spec."""
        return self.planned.spec

    @property
    def state(self) -> str:
        """``missing``, or the status of the record."""
        return self.record.status if self.record else "missing"


@dataclass(frozen=True)
class Plan:
    """Every run of a grid, in the order in which they run."""

    runs: tuple[PlannedRun, ...]

    @property
    def open(self) -> tuple[PlannedRun, ...]:
        """The runs to execute: missing ones, and failed ones once more."""
        return tuple(run for run in self.runs if run.state != "done" and not run.comes_with)

    def seconds_left(self, jobs: int, apart: bool = False) -> float:
        """Return about how long the open runs take; ``jobs`` of them share the same cores, or have theirs ``apart``."""
        # Shared cores gain little, since one run uses them all.
        gain = max(jobs, 1) if apart else min(1.0 + 0.15 * max(jobs - 1, 0), 1.5)
        return sum(run.estimate_s for run in self.open) / gain

    def lines(self, jobs: int, apart: bool = False) -> list[str]:
        """Return the plan as text: one summary line, a table with one row a recipe, and what is said about weights.

        ``jobs`` and ``apart`` as in ``seconds_left``; with 0 jobs the time said is that of one by one.
        """
        counts = Counter(run.state for run in self.runs)
        states = f"{counts['done']} done, {counts['failed']} failed, {counts['missing']} missing"
        total = f"{len(self.runs)} run{'s' if len(self.runs) != 1 else ''}: {states}"
        changed = sum(run.changed for run in self.runs)
        if changed:
            total += f"; {changed} done by other code (marked: code changed since)"
        rest = f"; about {duration(self.seconds_left(jobs, apart))} to go" if self.open else "; nothing to do"
        rest += " if one at a time" if self.open and not jobs else ""
        return [f"Plan: {total}{rest}", "", *self._table(), *self._weights()]

    def _table(self) -> list[str]:
        from tabulate import tabulate

        groups: dict[tuple[str, str, int, float], list[PlannedRun]] = {}
        for run in self.runs:
            share = run.spec.protocol.train_share
            groups.setdefault((*run.spec.recipe, run.spec.side_px, share), []).append(run)
        rows = [("model", "protocol", "seeds", "updates", "side", "state", "about")]
        for (model, protocol, _, share), runs in groups.items():
            part = f", {100 * share:g} % of train" if share < 1 else ""
            rest = sum(run.estimate_s for run in runs if run.state != "done")
            rows.append(
                (
                    model,
                    protocol + part,
                    _ranges(run.spec.seed for run in runs),
                    str(runs[0].spec.protocol.updates),
                    f"{runs[0].spec.side_px} px",
                    _states(runs),
                    duration(rest) if rest else "",
                )
            )
        table = tabulate(rows, tablefmt="plain", disable_numparse=True)
        return [f"  {line}".rstrip() for line in table.splitlines()]

    def _weights(self) -> list[str]:
        notes = [(run.spec.model.name, run.planned.weights.note) for run in self.runs if run.planned.weights.note]
        return ["", *(f"  {model}: {note}" for model, note in dict.fromkeys(notes))] if notes else []


def make_plan(
    planned: Sequence[PlannedSpec],
    store: Store,
    image_set: ImageSet,
    recorded: Mapping[str, Speed],
    measured: Mapping[str, Speed],
) -> Plan:
    """Compare specs, seed by seed, with what the store holds.

    Runs are ordered seed by seed, and cheap before expensive within a seed: a study that is cut off is balanced.
    Speeds go by model name; ``recorded`` has ``custom`` and ``transfer`` for the others, ``measured`` is what was
    measured here at the side of the specs.
    """
    records = store.find_all([one.spec for one in planned])
    seen = _seen_speeds([record for record in records if record], recorded)
    runs: list[PlannedRun] = []
    estimates: dict[tuple[int, str, Speed], float] = {}  # seeds share the resolved protocol, and so the estimate
    for one, record in zip(planned, records, strict=True):
        spec = one.spec
        speed = seen.get(_speed_name(spec)) or measured.get(spec.model.name) or recorded_speed(spec, recorded)
        alike = id(spec.protocol), spec.model.name, speed
        if alike not in estimates:
            estimates[alike] = estimate_s(spec, image_set, speed)
        changed = record is not None and record.status == "done" and record.provenance.code != code_hash()
        runs.append(PlannedRun(one, record, estimates[alike], speed, changed))
    seeds = {seed: place for place, seed in enumerate(dict.fromkeys(one.spec.seed for one in planned))}
    runs.sort(key=lambda run: (seeds[run.spec.seed], run.estimate_s))
    trained: set[str] = set()
    for place, run in enumerate(runs):
        same_training = paired_protocol(run.spec.protocol)
        if run.state != "done" and same_training:
            if replace(run.spec, protocol=same_training).key in trained:
                runs[place] = with_changes(run, estimate_s=0.0, comes_with=same_training.name)
            trained.add(run.spec.key)
    return Plan(tuple(runs))


def estimate_s(
    spec: Spec, image_set: ImageSet, speed: Speed, measured: Mapping[str, tuple[float, float]] | None = None
) -> float:
    """Return about how many seconds a run takes if no phase stops early.

    ``measured`` are the seconds of an update and of a look at the validation split, by what a phase trains.
    """
    validation, test = len(image_set.indices("validation")), len(image_set.indices("test"))
    looked_at = validation + (test if spec.protocol.monitor_test else 0)
    update_s = spec.protocol.batch / speed.train_images_per_s
    total = speed.start_s + 2 * (validation + test) / speed.predict_images_per_s + CLOSING_S
    for phase in spec.protocol.phases:
        if spec.protocol.fixes_images(phase):
            # The body runs once over every image; what the head takes for its updates is next to nothing.
            train = len(image_set.indices("train")) * spec.protocol.train_share * max(1, phase.feature_copies)
            total += (train + validation) / speed.predict_images_per_s
            continue
        looks = math.ceil(phase.updates / max(1, phase.updates_per_epoch))
        one, look = (measured or {}).get(phase.trainable, (update_s, looked_at / speed.predict_images_per_s))
        total += phase.updates * one + looks * look
    return total


class Estimates:
    """How long the open runs take: by the plan's speeds at first, from the first epoch on by what is measured."""

    #: An epoch that takes so much more or less time than was known changes the estimates.
    CHANGE = 0.1

    def __init__(self, runs: Sequence[PlannedRun], image_set: ImageSet) -> None:
        self._runs, self._image_set = runs, image_set
        self._measured: dict[str, dict[str, tuple[float, float]]] = {}
        self.seconds = {run.spec.key: run.estimate_s for run in runs}

    def on_epoch(self, spec: Spec, row: Mapping[str, Any]) -> bool:
        """Take an epoch's row of the history; return whether estimates have changed."""
        phase = next((phase for phase in spec.protocol.phases if phase.name == row["phase"]), None)
        if phase is None:
            return False
        found = row["train_s"] / max(1, phase.updates_per_epoch), row["validation_s"]
        name = _speed_name(spec)
        known = self._measured.setdefault(name, {}).get(phase.trainable)
        if known is not None and abs(found[0] - known[0]) <= self.CHANGE * known[0]:
            return False
        self._measured[name][phase.trainable] = found
        alike: dict[int, float] = {}
        for run in self._runs:
            if _speed_name(run.spec) == name and not run.comes_with:
                protocol = run.spec.protocol
                if id(protocol) not in alike:
                    alike[id(protocol)] = estimate_s(run.spec, self._image_set, run.speed, self._measured[name])
                self.seconds[run.spec.key] = alike[id(protocol)]
        return True


def speeds_here() -> dict[str, Speed]:
    """Return what was recorded on a machine like this one: on a GPU where one is visible, else on two cores."""
    return read_speeds(on_gpu=bool(visible_gpus()))


def recorded_speed(spec: Spec, recorded: Mapping[str, Speed]) -> Speed:
    """Return the recorded speed of a spec's model, or its family's, scaled to the spec's side."""
    speed = recorded.get(spec.model.name) or recorded[spec.model.family]
    factor = (SPEED_SIDE_PX / spec.side_px) ** 2
    train, predict = (max(one * factor, SLOWEST) for one in (speed.train_images_per_s, speed.predict_images_per_s))
    return Speed(train, predict, speed.start_s)


def duration(seconds: float) -> str:
    """Return seconds as a person says them: ``40 s``, ``3 min 20 s``, ``2 h 05 min``, ``168 h``."""
    whole = round(min(seconds, MOST_S))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s" if whole < 600 else f"{round(whole / 60)} min"
    if whole >= 24 * 3600:
        return f"{round(whole / 3600)} h"
    minutes = whole % 3600 // 60
    return f"{whole // 3600} h" + (f" {minutes:02d} min" if minutes else "")


def _speed_name(spec: Spec) -> str:
    return f"{spec.model.name} {spec.side_px} {spec.precision}"


def _seen_speeds(records: Iterable[Record], recorded: Mapping[str, Speed]) -> dict[str, Speed]:
    """Return the speeds that done records of the same model, side and precision report."""
    groups: defaultdict[str, list[Speed]] = defaultdict(list)
    for record in records:
        train, predict = record.timing.train_images_per_s, record.timing.predict_images_per_s
        if record.status == "done" and train and predict:
            start_s = recorded_speed(record.spec, recorded).start_s
            groups[_speed_name(record.spec)].append(Speed(train, predict, start_s))
    return {
        name: Speed(
            median(one.train_images_per_s for one in group),
            median(one.predict_images_per_s for one in group),
            group[0].start_s,
        )
        for name, group in groups.items()
    }


def _states(runs: Sequence[PlannedRun]) -> str:
    counts: Counter[str] = Counter()
    for run in runs:
        changed = " (code changed since)" if run.changed else ""
        counts[run.state + (f" (comes with {run.comes_with})" if run.comes_with else changed)] += 1
    if len(runs) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def _ranges(seeds: Iterable[int]) -> str:
    """Return ``0-2`` for consecutive seeds, else a list."""
    numbers = sorted(seeds)
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers))
