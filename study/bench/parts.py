"""The parts of a measurement that were asked for, one after the other."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from study.bench import PARTS
from study.bench.data_file import model_part, stamp
from study.bench.grid import measure_grid
from study.bench.measure import measure_model, measure_peak, measure_tricks
from study.bench.task import Task
from study.bench.tricks import TRICKS
from study.core.environment import usable_cores
from study.core.errors import UsageError, unknown_name
from study.models.entry import MODELS
from study.training.backend import chosen_backend
from study.training.precision import resolve_precision

Say = Callable[[str], None]


@dataclass(frozen=True)
class Bounds:
    """How much is measured.

    Attributes:
        models: Names of model entries.
        peers: Whether peers take part.
        rounds: Rounds that count.
        seconds: Seconds of one contestant's turn, about.
        side_px: Input side.
        batch: Images an update.
        precision: ``auto``, or one of ``study.training.precision.PRECISIONS``.
        images: Training images.
    """

    models: tuple[str, ...]
    peers: bool = False
    rounds: int = 3
    seconds: float = 3.0
    side_px: int = 48
    batch: int = 64
    precision: str = "auto"
    images: int = 28709


def measure_parts(names: Sequence[str], bounds: Bounds, say: Say) -> dict[str, Any]:
    """Measure and return the parts by name, as ``study.bench.data_file`` keeps them.

    Raises:
        UsageError: an unknown part, model or precision, or a side that a model cannot take.
    """
    for name in names:
        if name not in PARTS:
            raise unknown_name("part", name, PARTS)
    for name in bounds.models:
        entry = MODELS.get(name)
        if bounds.side_px < entry.minimum_side_px:
            raise UsageError(f"{name} takes sides from {entry.minimum_side_px} px, got {bounds.side_px}: give --side.")
    chosen = resolve_precision(bounds.precision)
    precisions = list(dict.fromkeys(["float32", chosen] if bounds.precision == "auto" else [chosen]))
    found: dict[str, Any] = {}
    if "peak" in names:
        say("Measuring the peak")
        rates = measure_peak(bounds.rounds, bounds.seconds, usable_cores(), say)
        found["peak"] = {"rates": rates, "made": stamp(bounds.rounds, bounds.seconds)}
    for name in bounds.models:
        task = Task(name, chosen, bounds.side_px, bounds.batch, bounds.images, threads=usable_cores())
        about = {"model": name, "side_px": bounds.side_px, "backend": chosen_backend(), "batch": bounds.batch}
        if "models" in names:
            say(f"Measuring {name}")
            contestants = measure_model(task, precisions, bounds.peers, bounds.rounds, bounds.seconds, say)
            about |= {
                "images": bounds.images,
                "auto_precision": chosen,
                "peer_versions": _peer_versions() if bounds.peers else {},
            }
            made = stamp(bounds.rounds, bounds.seconds)
            found[model_part(task, chosen_backend())] = about | {"contestants": contestants, "made": made}
        if "tricks" in names and any(name in trick.models for trick in TRICKS):
            say(f"Measuring what tricks are worth on {name}")
            measured = measure_tricks(task, bounds.rounds, bounds.seconds, say)
            what = {trick.name: trick.what for trick in TRICKS}
            found[f"tricks/{name}"] = {
                "measured": measured, "about": what, "made": stamp(bounds.rounds, bounds.seconds)
            }  # fmt: skip
    if "grid" in names:
        say("Measuring a grid of small runs")
        found["grid"] = measure_grid(bounds.rounds, say) | {"made": stamp(bounds.rounds, bounds.seconds)}
    return found


def _peer_versions() -> dict[str, str]:
    try:
        return {"torch": importlib.metadata.version("torch")}
    except importlib.metadata.PackageNotFoundError:
        return {}
