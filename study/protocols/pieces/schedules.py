"""Schedules of the learning rate: pure functions that can be listed without training."""

from __future__ import annotations

import math

from study.protocols.piece import SCHEDULES, Schedule


@SCHEDULES.register("constant")
class Constant(Schedule, frozen=True):
    """One rate."""

    def rate(self, base: float, update: int, updates: int, updates_per_epoch: int) -> float:
        """Return the phase's rate."""
        return base


@SCHEDULES.register("cosine")
class Cosine(Schedule, frozen=True):
    """From the rate to zero, a step an epoch (Loshchilov and Hutter 2017, arXiv:1608.03983, eq. 5 without restarts)."""

    def rate(self, base: float, update: int, updates: int, updates_per_epoch: int) -> float:
        """Return the cosine's value at the start of the epoch."""
        start = update - update % updates_per_epoch
        return base * 0.5 * (1 + math.cos(math.pi * start / updates))


@SCHEDULES.register("warmup-cosine")
class WarmupCosine(Schedule, frozen=True):
    """Linear warm-up (Goyal et al. 2017, arXiv:1706.02677, section 2.2), then a cosine to zero, a step an update."""

    #: Epochs in which the rate rises from near zero to the phase's rate; at most a quarter of all.
    warmup_epochs: float = 5.0

    def rate(self, base: float, update: int, updates: int, updates_per_epoch: int) -> float:
        """Return the rate of the update; the middle of an update's interval stands for it, so that none is zero.

        >>> [round(WarmupCosine(warmup_epochs=1).rate(1.0, update, 8, 2), 2) for update in range(8)]
        [0.25, 0.75, 0.98, 0.85, 0.63, 0.37, 0.15, 0.02]
        """
        warmup = min(self.warmup_epochs * updates_per_epoch, updates / 4)
        place = update + 0.5
        if place < warmup:
            return base * place / warmup
        return base * 0.5 * (1 + math.cos(math.pi * (place - warmup) / max(updates - warmup, 1)))


@SCHEDULES.register("steps")
class Steps(Schedule, frozen=True):
    """One rate after the other, each for an equal share of the phase."""

    factors: tuple[float, ...]  #: The rates, as shares of the phase's rate.

    def rate(self, base: float, update: int, updates: int, updates_per_epoch: int) -> float:
        """Return the rate at the start of the update's epoch."""
        start = update - update % updates_per_epoch
        return base * self.factors[min(len(self.factors) - 1, start * len(self.factors) // updates)]
