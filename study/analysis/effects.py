"""Factor effects: differences between runs that are alike in everything but one factor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.recipes import Naming, is_leaky, random_weights
from study.analysis.runs import ScoredRun
from study.spec import canonical_json

OVERSAMPLING = "oversampling"
AUGMENTATION = "augmentation"
TRANSFER = "transfer vs custom"
RANDOM_BODY = "random body vs custom"
FACTORS = (OVERSAMPLING, AUGMENTATION, TRANSFER, RANDOM_BODY)
#: The scores that differences are taken of, all on the test split, 0..1.
EFFECT_MEASURES = ("accuracy", "balanced_accuracy", "macro_f1")


@dataclass(frozen=True)
class Pair:
    """Two runs that differ in one factor.

    Attributes:
        factor: One of ``FACTORS``.
        model: Model shown for the pair (the transfer network where families are compared).
        without: The run without the factor.
        with_factor: The run with it.
    """

    factor: str
    model: str
    without: ScoredRun
    with_factor: ScoredRun

    def difference(self, measure: str) -> float:
        """Return with minus without of one of ``EFFECT_MEASURES`` on the test split."""
        return float(getattr(self.with_factor.test, measure) - getattr(self.without.test, measure))

    @property
    def recall_differences(self) -> NDArray[np.float64]:
        """With minus without of every class's recall on the test split."""
        return self.with_factor.test.recall - self.without.test.recall


@dataclass(frozen=True)
class Effect:
    """A summary of differences, in shares (0.01 is one point)."""

    mean: float
    low: float
    high: float
    pairs: int

    @classmethod
    def of(cls, differences: Sequence[float]) -> Effect:
        """Summarise at least one difference by mean, range and number."""
        return cls(float(np.mean(differences)), float(min(differences)), float(max(differences)), len(differences))


def matched_pairs(runs: Iterable[ScoredRun], naming: Naming) -> list[Pair]:
    """Return every matched pair of every factor, ordered by factor, model, protocol and seed; leaky runs take no part.

    For oversampling and augmentation everything else in the two specs is equal: data, model, weights, budget,
    precision, seed, and the protocol but for that factor. For the families every transfer run is set against every
    custom run of the same protocol name, budget and seed.
    """
    runs = [run for run in runs if not is_leaky(run.record)]
    runs.sort(key=lambda run: (naming.order(naming.of(run.record)), run.spec.seed, run.spec.hash))
    pairs = _switched(runs, naming, OVERSAMPLING, "sampling", "none", {"oversample"})
    pairs += _switched(runs, naming, AUGMENTATION, "augmentation", {}, None)
    return pairs + _families(runs, naming)


def summarise(pairs: Iterable[Pair], measure: str) -> dict[str, Effect]:
    """Return the effect of each factor that has pairs."""
    found: dict[str, list[float]] = defaultdict(list)
    for pair in pairs:
        found[pair.factor].append(pair.difference(measure))
    return {factor: Effect.of(found[factor]) for factor in FACTORS if factor in found}


def _switched(
    runs: list[ScoredRun], naming: Naming, factor: str, name: str, off: Any, on: set[str] | None
) -> list[Pair]:
    without = {_rest(run, name): run for run in runs if run.spec.protocol.get(name, off) == off}
    pairs = []
    for run in runs:
        value = run.spec.protocol.get(name, off)
        partner = without.get(_rest(run, name))
        if partner is not None and value != off and (on is None or value in on):
            pairs.append(Pair(factor, naming.of(run.record).model, partner, run))
    return pairs


def _rest(run: ScoredRun, factor: str) -> str:
    """Return all of a spec but one factor of its protocol; the protocol's name and source are words, not treatment."""
    data = run.spec.to_json()
    data["protocol"] = {
        name: value for name, value in data["protocol"].items() if name not in (factor, "name", "source")
    }
    return canonical_json(data)


def _families(runs: list[ScoredRun], naming: Naming) -> list[Pair]:
    def cell(run: ScoredRun) -> tuple[str, str, int]:
        return (run.spec.protocol["name"], run.spec.budget, run.spec.seed)

    custom = defaultdict(list)
    for run in runs:
        if run.spec.model.get("family") == "custom":
            custom[cell(run)].append(run)
    transfer = [run for run in runs if run.spec.model.get("family") == "transfer"]
    pairs = [
        Pair(RANDOM_BODY if random_weights(run.spec) else TRANSFER, naming.of(run.record).model, partner, run)
        for run in transfer
        for partner in custom[cell(run)]
    ]
    return sorted(pairs, key=lambda pair: FACTORS.index(pair.factor))
