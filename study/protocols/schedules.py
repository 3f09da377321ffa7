"""Schedules: learning rate, plateau and stopping as small states that can be listed without training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


def scheduled_rate(phase: Mapping[str, Any], update: int) -> float:
    """Return the learning rate at an update of a resolved phase, before any plateau factor.

    ``cosine`` falls from the rate to zero over the phase (Loshchilov and Hutter 2017, arXiv:1608.03983, eq. 5 without
    restarts); ``steps`` gives each of ``rates`` an equal share of the phase.
    """
    base, total = float(phase["optimizer"]["rate"]), phase["updates"]
    if phase["schedule"] == "cosine":
        return base * 0.5 * (1 + math.cos(math.pi * update / total))
    if phase["schedule"] == "steps":
        rates = phase["rates"]
        return float(rates[min(len(rates) - 1, update * len(rates) // total)])
    return base


@dataclass
class Plateau:
    """Multiply the rate by ``factor`` when the loss has not improved for ``patience`` epochs.

    Attributes:
        factor: Applied each time.
        patience: Epochs without improvement.
        scale: Product of the factors so far.
        best: Lowest loss so far.
        waited: Epochs since then, or since the last reduction.
    """

    factor: float
    patience: int
    scale: float = 1.0
    best: float = math.inf
    waited: int = 0

    def update(self, loss: float) -> None:
        """Take the loss of an epoch that has ended."""
        if loss < self.best:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.scale *= self.factor
            self.waited = 0


@dataclass
class Stopping:
    """Remember the best epoch and say when to stop.

    Attributes:
        patience: Epochs without a better loss after which to stop; None: never.
        best: Lowest loss so far.
        best_epoch: Its epoch, -1 before the first.
        epoch: Last epoch seen.
    """

    patience: int | None
    best: float = math.inf
    best_epoch: int = -1
    epoch: int = -1

    def update(self, epoch: int, loss: float) -> bool:
        """Take the loss of an epoch; return True where it is the best so far (equal is not better)."""
        self.epoch = epoch
        if loss < self.best:
            self.best, self.best_epoch = loss, epoch
            return True
        return False

    @property
    def stop(self) -> bool:
        """True once ``patience`` epochs have passed without a better one."""
        return self.patience is not None and self.epoch - max(self.best_epoch, 0) >= self.patience


def state(schedule: Plateau | Stopping | None) -> dict[str, Any]:
    """Return a schedule's state as JSON data (infinity as None)."""
    if schedule is None:
        return {}
    return {key: None if value == math.inf else value for key, value in asdict(schedule).items()}


def restore(kind: type[Plateau] | type[Stopping], data: Mapping[str, Any]) -> Any:
    """Build a schedule from ``state`` data."""
    values: dict[str, Any] = {
        key: math.inf if key == "best" and value is None else value for key, value in data.items()
    }
    return kind(**values)
