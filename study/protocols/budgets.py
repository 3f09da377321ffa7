"""Budgets: the most updates that a phase of each kind may take, input side and seeds; experiments/budgets.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from study.core.environment import usable_cores
from study.core.errors import UsageError, unknown_name
from study.core.toml import check_table, experiments_folder, read_toml

#: Tables of recorded speeds: on two cores, and on a GPU.
SPEEDS, GPU_SPEEDS = "speeds", "gpu_speeds"
#: Kinds of phases: the one phase of a custom network, a transfer network's frozen head, one of its unfreezing stages.
PHASE_KINDS = ("custom", "head", "stage")

_BUDGET = {
    "seeds": (int,),
    "jobs": (int,),
    "synthetic": (str,),
    "weights": (str,),
    "hours": (int, float),
    "run_limit_min": (int, float),
    "updates": (dict,),
    "side_px": (dict,),
}
_SPEED = {"train_images_per_s": (int, float), "predict_images_per_s": (int, float), "start_s": (int, float)}


@dataclass(frozen=True)
class Budget:
    """A named amount of training, equal for every model of a family."""

    name: str  #: ``demo``, ``tonight``, ``full`` or another table of the file.
    #: Cap on the weight updates of one phase, by kind (``PHASE_KINDS``); a kind that is absent is not capped, so that
    #: the protocol's own epochs hold.
    updates: Mapping[str, int] = field(default_factory=dict)
    #: Input side by family; a family that is absent keeps the model entry's own.
    side_px: Mapping[str, int] = field(default_factory=dict)
    seeds: int = 1  #: Seeds that a grid runs unless told otherwise.
    synthetic: str = ""  #: Settings of the built-in faces (``images=1500,difficulty=0``) unless told otherwise.
    #: What transfer networks start from unless told otherwise; empty for what ``--weights auto`` finds.
    weights: str = ""
    jobs: int = 1  #: Runs at the same time unless told otherwise; never more than there are cores.
    #: Time that the whole grid may take, where the caps are chosen from measured speeds; else None.
    hours: float | None = None
    #: Minutes after which a run counts as hanging, unless told otherwise; None for never.
    run_limit_min: float | None = None

    def usable_jobs(self) -> int:
        """Return ``jobs``, or the cores that this process may use where they are fewer."""
        return min(self.jobs, usable_cores())

    def with_updates(self, updates: Mapping[str, int]) -> Budget:
        """Return the budget with more phase kinds capped, or capped otherwise."""
        return replace(self, updates={**self.updates, **updates})


@dataclass(frozen=True)
class Speed:
    """How fast a model runs, for estimates only."""

    train_images_per_s: float  #: Training images per second.
    predict_images_per_s: float  #: Predicted images per second.
    start_s: float  #: Seconds before the first update (building, graph tracing).


def budget_names(path: Path | None = None) -> list[str]:
    """Return the names of all budgets in the file's order."""
    return [name for name in read_toml(path or _default_file()) if name not in (SPEEDS, GPU_SPEEDS)]


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
    if name not in data or name in (SPEEDS, GPU_SPEEDS):
        raise unknown_name("budget", name, budget_names(path))
    where = f"{path} [{name}]"
    table = check_table(where, data[name], _BUDGET)
    check_table(f"{where} updates", table.get("updates", {}), dict.fromkeys(PHASE_KINDS, (int,)))
    check_table(f"{where} side_px", table.get("side_px", {}), dict.fromkeys(("custom", "transfer"), (int,)))
    numbers = [value for value in table.values() if isinstance(value, (int, float))]
    if min([*numbers, *table.get("updates", {}).values(), *table.get("side_px", {}).values()], default=1) <= 0:
        raise UsageError(f"{where}: every number must be above 0, got {table!r}.")
    return Budget(name, **table)


def read_speeds(path: Path | None = None, *, on_gpu: bool = False) -> dict[str, Speed]:
    """Return recorded speeds by model name; ``custom`` and ``transfer`` stand for the unlisted models of a family.

    They were measured at a side of 48 pixels on two cores or, ``on_gpu``, on one GPU, serve estimates and never enter a
    spec.

    Raises:
        UsageError: a file that breaks the rules.
    """
    path = path or _default_file()
    kind = GPU_SPEEDS if on_gpu else SPEEDS
    table = read_toml(path).get(kind, {})
    if not isinstance(table, dict):
        raise UsageError(f"{path}: [{kind}] must be a table, got {table!r}.")
    rows = {name: check_table(f"{path} [{kind}] {name}", row, _SPEED) for name, row in table.items()}
    wrong = next((name for name, row in rows.items() if len(row) < len(_SPEED) or not min(row.values()) > 0), None)
    if wrong is not None:
        raise UsageError(f"{path} [{kind}]: {wrong} needs {', '.join(_SPEED)}, all above 0, got {rows[wrong]!r}.")
    return {name: Speed(**row) for name, row in rows.items()}


def _default_file() -> Path:
    return experiments_folder() / "budgets.toml"
