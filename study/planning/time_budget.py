"""The budget that fits a night: updates chosen from measured speeds, and kept, so that the next start has the same."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from study.core.errors import StoreError
from study.core.files import read_regular, write_atomically
from study.core.spec import RunProtocol, Spec
from study.core.store import UPDATES_FILE, Store
from study.datasets.image_set import ImageSet
from study.planning.grid import PlannedSpec
from study.planning.plan import duration, estimate_s, recorded_speed
from study.protocols.budgets import Budget, Speed
from study.training.device import visible_gpus

_MOST_BYTES = 1 << 20
FAMILIES = ("custom", "transfer")
#: Share of the time that is planned for; the rest is for what estimates miss.
PLANNED_SHARE = 0.9
#: So many cores are worth a measurement before a night is called too short.
MANY_CORES = 8

#: Measures training speed: the specs to measure (one a model) -> training images per second by model name.
Measure = Callable[[Sequence[Spec]], Mapping[str, float]]


@dataclass(frozen=True)
class TimeBudget:
    """What was chosen."""

    updates: Mapping[str, int]  #: Cap on a phase's updates by kind.
    speeds: Mapping[str, Speed]  #: Speed of every measured model, at its side.
    lines: tuple[str, ...]  #: What the plan says about it.


def choose_budget(drawn: bool, store: Store, full_s: Callable[[], float], night_s: float) -> tuple[str, str]:
    """Return the name of the budget for a command that names none, and why it.

    ``drawn`` says that the images are the built-in faces; ``full_s`` returns how long the grid takes here under
    ``full`` and is only called where that decides.
    """
    if drawn:
        return "demo", "these are the built-in faces"
    if budgets := Counter(record.spec.budget for record in store.examine()[0] if not record.imported):
        ((name, count),) = budgets.most_common(1)
        return name, f"the study has {count} run{'s' if count > 1 else ''} of it"
    seconds = full_s()
    if seconds <= night_s:
        return "full", f"all of it takes about {duration(seconds)} here"
    return "tonight", f"full would take about {duration(seconds)} here"


def is_fast(cores: int) -> bool:
    """Return whether this machine may be much faster than the two cores that speeds were recorded on."""
    return cores >= MANY_CORES or bool(visible_gpus())


def speeds_from(specs: Sequence[Spec], recorded: Mapping[str, Speed], measure: Measure) -> dict[str, Speed]:
    """Return the speed of each model at its side, measured where that is possible."""
    return _speeds(specs, recorded, measure(_one_a_model(specs)))


def fit_time_budget(
    planned: Sequence[PlannedSpec],
    budget: Budget,
    store: Store,
    image_set: ImageSet,
    recorded: Mapping[str, Speed],
    measure: Measure | None,
) -> TimeBudget:
    """Choose the updates of every kind of phase, or read what an earlier start chose.

    Half of the time goes to custom and half to transfer networks, where both are in the grid; all phases of a family
    keep the same share of their full length, so that models of a family get equal updates.

    ``measure`` measures speeds; without it (a dry run) the ``recorded`` ones are used and nothing is kept.

    Raises:
        StoreError: the kept choice cannot be read.
    """
    path = store.folder / UPDATES_FILE
    kept = _read(path)
    families = [family for family in FAMILIES if any(one.spec.model.family == family for one in planned)]
    updates: dict[str, int] = {}
    speeds: dict[str, Speed] = {}
    lines = []
    for family in families:
        specs = [one.spec for one in planned if one.spec.model.family == family]
        # Another dataset, precision or side is another choice; further models are not.
        sides = ",".join(str(side) for side in sorted({spec.side_px for spec in specs}))
        name = f"{family}, {sides} px, {specs[0].precision}, {image_set.fingerprint[:12]}"
        choice = kept.get(name)
        if choice is None:
            measured = dict(measure(_one_a_model(specs))) if measure else {}
            known = _speeds(specs, recorded, measured)
            time_s = (budget.hours or 0) * 3600 * PLANNED_SHARE / len(families)
            choice = {"updates": fit_updates(specs, image_set, known, time_s), "images_per_s": measured}
            if measure:
                kept[name] = choice
                write_atomically(path, json.dumps(kept, sort_keys=True, indent=1).encode() + b"\n")
            how = "speeds measured now" if measure else "recorded speeds: they will be measured when the runs start"
            unmeasured = [name for name in known if measure and name not in measured]
            how += f"; not measurable, recorded speed used: {', '.join(unmeasured)}" if unmeasured else ""
        else:
            how = f"chosen before, kept in {path}"
        updates |= choice["updates"]
        measured_specs = [spec for spec in specs if spec.model.name in choice["images_per_s"]]
        speeds |= _speeds(measured_specs, recorded, choice["images_per_s"])
        caps = ", ".join(f"{kind} {count}" for kind, count in choice["updates"].items())
        lines.append(f"Budget {budget.name}: {family} networks, updates a phase at most: {caps} ({how})")
    return TimeBudget(updates, speeds, tuple(lines))


def fit_updates(
    specs: Sequence[Spec], image_set: ImageSet, speeds: Mapping[str, Speed], time_s: float
) -> dict[str, int]:
    """Return the most updates by phase kind with which one family's specs together take ``time_s`` seconds."""
    full: dict[str, tuple[int, int]] = {}
    for phase in (phase for spec in specs for phase in spec.protocol.phases):
        full[phase.kind] = max(full.get(phase.kind, (0, 0)), (phase.updates, phase.updates_per_epoch))

    def caps(share: float) -> dict[str, int]:
        return {kind: _whole_epochs(share * updates, epoch) for kind, (updates, epoch) in full.items()}

    def seconds(share: float) -> float:
        limits = caps(share)
        return sum(estimate_s(_cut(spec, limits), image_set, speeds[spec.model.name]) for spec in specs)

    low, high = 0.0, 1.0
    if seconds(high) <= time_s:
        return caps(high)
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if seconds(middle) <= time_s else (low, middle)
    return caps(low)


def _speeds(specs: Sequence[Spec], recorded: Mapping[str, Speed], measured: Mapping[str, float]) -> dict[str, Speed]:
    """Return the speed of each model at its side: as recorded, in proportion to its measured training speed."""
    speeds = {}
    for spec in _one_a_model(specs):
        speed = recorded_speed(spec, recorded)
        if train := measured.get(spec.model.name):
            predict = speed.predict_images_per_s * train / speed.train_images_per_s
            speed = Speed(train, predict, speed.start_s)
        speeds[spec.model.name] = speed
    return speeds


def _whole_epochs(updates: float, epoch: int) -> int:
    """Round down to whole epochs where there is at least one, so that no epoch is cut short."""
    whole = math.floor(updates + 1e-6)
    return max(1, whole // epoch * epoch if whole >= epoch else whole)


def cut(planned: Sequence[PlannedSpec], updates: Mapping[str, int]) -> list[PlannedSpec]:
    """Return resolved specs as they are under a budget that caps the updates of phases, by their kind."""
    protocols: dict[int, RunProtocol] = {}  # specs share them, and so do those that are returned
    for one in planned:
        if id(one.spec.protocol) not in protocols:
            protocols[id(one.spec.protocol)] = _cut(one.spec, updates).protocol
    return [PlannedSpec(replace(one.spec, protocol=protocols[id(one.spec.protocol)]), one.weights) for one in planned]


def _cut(spec: Spec, limits: Mapping[str, int]) -> Spec:
    phases = []
    for phase in spec.protocol.phases:
        updates = min(phase.updates, limits[phase.kind])
        phases.append(replace(phase, updates=updates, updates_per_epoch=min(phase.updates_per_epoch, updates)))
    return replace(spec, protocol=replace(spec.protocol, phases=tuple(phases)))


def _one_a_model(specs: Sequence[Spec]) -> list[Spec]:
    return list({spec.model.name: spec for spec in specs}.values())


def _read(path: Path) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = json.loads(read_regular(path, _MOST_BYTES)) if path.exists() else {}
        for choice in kept.values():
            if not choice["updates"] or not isinstance(choice["images_per_s"], dict):
                raise ValueError("a choice without updates")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(f"{path}: not readable ({error}). Remove it to have speeds measured again.") from error
    return kept
