"""The summary: medians and ratios of what a contest measured; nothing is measured here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

#: FER-2013's splits: what an epoch trains and what is predicted after it.
EPOCH_IMAGES, VALIDATION_IMAGES = 28709, 3589
#: Forward and backward passes of a training step, in forward passes.
PASSES = 3


@dataclass(frozen=True)
class Ratio:
    """How many times faster one contestant was than another in the same rounds.

    Attributes:
        middle: Median over the rounds.
        low: Smallest.
        high: Largest.
    """

    middle: float
    low: float
    high: float


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Compare rates round by round, so that a slower moment of the machine is a slower moment of both."""
    found = [one / other for one, other in zip(ours, theirs, strict=True)]
    return Ratio(median(found), min(found), max(found))


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean of positive numbers."""
    return math.exp(sum(map(math.log, values)) / len(values))


def best_of(contestants: Mapping[str, Mapping[str, Any]], library: str, measure: str) -> str | None:
    """Return the name of a library's fastest contestant, by the median; None where it did not take part."""
    taking = [name for name in contestants if name.startswith(f"{library} ")]
    return max(taking, key=lambda name: median(contestants[name][measure]), default=None)


def epoch_s(facts: Mapping[str, Any], batch: int) -> float:
    """Return the seconds of an epoch on FER-2013, its validation split predicted, from the median rates."""
    trained = math.ceil(EPOCH_IMAGES / batch) * batch
    return trained / median(facts["train"]) + VALIDATION_IMAGES / median(facts["predict"])


def share_of_peak(rate: float, macs: int, peak: Sequence[float]) -> float:
    """Return the share of the measured peak that training at a rate (images/s) uses: forward and backward passes."""
    return PASSES * 2 * macs * rate / median(peak)
