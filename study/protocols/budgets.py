"""Budgets: how long each kind of phase may train, the input side and the number of seeds, read from experiments/budgets.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from study.errors import UsageError, unknown_name
from study.settings import check_table, experiments_folder, read_toml

#: Kinds of phases: the one phase of a custom network, a transfer network's frozen head, one of its unfreezing stages.
PHASE_KINDS = ("custom", "head", "stage")
FAMILIES = ("custom", "transfer")

_PHASE = {"epochs": (int,), "updates": (int,), "updates_per_epoch": (int,), "patience": (int,)}
_BUDGET = {"seeds": (int,), "synthetic_images": (int,), "hours": (int, float), "side_px": (dict,)} | dict.fromkeys(PHASE_KINDS, (dict,))
_SPEED = {"train_images_per_s": (int, float), "predict_images_per_s": (int, float), "start_s": (int, float)}


@dataclass(frozen=True)
class PhaseBudget:
    """The most that one phase may train.

    Attributes:
        patience: Epochs without a better selection loss before the phase stops.
        epochs: Passes over the training split; None where ``updates`` says it.
        updates: Weight updates; None where ``epochs`` says it.
        updates_per_epoch: Updates between two looks at the selection split; None for a whole pass.
    """

    patience: int
    epochs: int | None = None
    updates: int | None = None
    updates_per_epoch: int | None = None

    def lengths(self, pass_updates: int) -> tuple[int, int]:
        """Return the phase's updates and its updates per epoch.

        Args:
            pass_updates: Updates in one pass over the training split, ceil(images / batch).
        """
        interval = min(self.updates_per_epoch or pass_updates, pass_updates)
        updates = self.updates if self.updates is not None else (self.epochs or 0) * pass_updates
        return updates, min(interval, updates)


@dataclass(frozen=True)
class Budget:
    """A named amount of training, equal for every model of a family.

    Attributes:
        name: ``demo``, ``tonight``, ``full`` or another table of the file.
        phases: Limits by phase kind (``PHASE_KINDS``).
        side_px: Input side by family; a family that is absent keeps the model entry's own.
        seeds: Seeds that a grid runs unless told otherwise.
        synthetic_images: Images drawn for the built-in dataset unless told otherwise.
        hours: Time that the whole grid may take, where the updates are chosen from measured speeds; else None.
    """

    name: str
    phases: Mapping[str, PhaseBudget]
    side_px: Mapping[str, int] = field(default_factory=dict)
    seeds: int = 1
    synthetic_images: int = 2000
    hours: float | None = None

    def phase(self, kind: str) -> PhaseBudget:
        """Return the limits of one kind of phase."""
        return self.phases[kind]

    def with_epochs(self, epochs: int) -> Budget:
        """Return the budget with every phase cut or stretched to that many passes over the training split.

        Raises:
            UsageError: fewer than one.
        """
        if epochs < 1:
            raise UsageError(f"--epochs must be at least 1, got {epochs}.")
        phases = {kind: PhaseBudget(phase.patience, epochs=epochs) for kind, phase in self.phases.items()}
        return replace(self, phases=phases, hours=None)

    def with_updates(self, updates: Mapping[str, int]) -> Budget:
        """Return the budget with the updates of some phase kinds replaced."""
        phases = {
            kind: replace(phase, epochs=None, updates=updates[kind]) if kind in updates else phase
            for kind, phase in self.phases.items()
        }
        return replace(self, phases=phases)


@dataclass(frozen=True)
class Speed:
    """How fast a model runs, for estimates only.

    Attributes:
        train_images_per_s: Training images per second.
        predict_images_per_s: Predicted images per second.
        start_s: Seconds before the first update (building, graph tracing).
    """

    train_images_per_s: float
    predict_images_per_s: float
    start_s: float


def budget_names(path: Path | None = None) -> list[str]:
    """Return the names of all budgets in the file's order."""
    return [name for name in read_toml(path or _default_file()) if name != "speeds"]


def read_budget(name: str, path: Path | None = None) -> Budget:
    """Read one budget.

    Args:
        name: Name of its table.
        path: The file; ``experiments/budgets.toml`` by default.

    Raises:
        UsageError: no such budget, or a file that breaks the rules.
    """
    path = path or _default_file()
    data = read_toml(path)
    if name not in data or name == "speeds":
        raise unknown_name("budget", name, [found for found in data if found != "speeds"])
    where = f"{path} [{name}]"
    table = dict(check_table(where, data[name], _BUDGET))
    phases = {kind: _read_phase(f"{where} {kind}", table.pop(kind, None)) for kind in PHASE_KINDS}
    sides = check_table(f"{where} side_px", table.pop("side_px", {}), dict.fromkeys(FAMILIES, (int,)))
    return Budget(name, phases, sides, **table)


def read_speeds(path: Path | None = None) -> dict[str, Speed]:
    """Return recorded speeds by model name; ``custom`` and ``transfer`` stand for unknown models of a family.

    The image side that they were measured at is 48 pixels; they are for estimates and never enter a spec.
    """
    path = path or _default_file()
    table = read_toml(path).get("speeds", {})
    return {name: Speed(**check_table(f"{path} [speeds.{name}]", row, _SPEED)) for name, row in table.items()}


def _default_file() -> Path:
    return experiments_folder() / "budgets.toml"


def _read_phase(where: str, table: Any) -> PhaseBudget:
    checked = check_table(where, table, _PHASE)
    if ("epochs" in checked) == ("updates" in checked):
        raise UsageError(f"{where} needs either epochs or updates, got {', '.join(checked) or 'nothing'}.")
    if "patience" not in checked or min(checked.values()) < 1:
        raise UsageError(f"{where} needs patience, and every number must be at least 1, got {checked!r}.")
    return PhaseBudget(**checked)
