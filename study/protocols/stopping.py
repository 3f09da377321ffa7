"""Early stopping and the plateau, as small states that are tried without training; lower figures are better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class PlateauState:
    """Multiply the rate by ``factor`` when the watched figure has not improved for ``patience`` epochs."""

    factor: float  #: Applied each time.
    patience: int  #: Epochs without improvement.
    scale: float = 1.0  #: Product of the factors so far.
    best: float = math.inf  #: Lowest figure so far.
    waited: int = 0  #: Epochs since then, or since the last reduction.

    def update(self, figure: float) -> None:
        """Take the figure of an epoch that has ended."""
        if figure < self.best:
            self.best, self.waited = figure, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.scale *= self.factor
            self.waited = 0


@dataclass
class Stopping:
    """Remember the best epoch and say when to stop."""

    patience: int | None  #: Epochs without a better figure after which to stop; None: never.
    best: float = math.inf  #: Lowest figure so far.
    best_epoch: int = -1  #: Its epoch, -1 before the first.
    epoch: int = -1  #: Last epoch seen.

    def update(self, epoch: int, figure: float) -> bool:
        """Take the figure of an epoch; return True where it is the best so far (equal is not better)."""
        self.epoch = epoch
        if figure < self.best:
            self.best, self.best_epoch = figure, epoch
            return True
        return False

    @property
    def stop(self) -> bool:
        """True once ``patience`` epochs have passed without a better one."""
        return self.patience is not None and self.epoch - max(self.best_epoch, 0) >= self.patience


def state(schedule: PlateauState | Stopping | None) -> dict[str, Any]:
    """Return a schedule's state as JSON data (infinity as None)."""
    if schedule is None:
        return {}
    return {key: None if value == math.inf else value for key, value in asdict(schedule).items()}


def restore(kind: type[PlateauState] | type[Stopping], data: Mapping[str, Any]) -> Any:
    """Build a schedule from ``state`` data."""
    values: dict[str, Any] = {
        key: math.inf if key == "best" and value is None else value for key, value in data.items()
    }
    return kind(**values)
