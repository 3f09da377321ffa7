"""Comparisons of recipes and of networks, each with the correction that its family needs, and groups by letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from string import ascii_letters

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.analysis.contrasts import LEVEL
from study.analysis.factors import FactorContrast
from study.analysis.pairs import (
    ALPHA,
    Equivalence,
    McNemar,
    Superiority,
    equivalence,
    mcnemar_exact,
    probability_of_superiority,
)
from study.analysis.recipes import Recipe
from study.analysis.runs import ScoredRun
from study.analysis.scores import NETWORK, RECIPE, Measure, Scores, Statement, within


@dataclass(frozen=True)
class Comparison:
    """One recipe less another, or one network less another, in test accuracy."""

    first: Recipe  #: The recipe.
    second: Recipe  #: What it is set against.
    difference: Statement  #: First minus second; of recipes with the interval that holds for all pairs at once.
    adjusted: float  #: The p-value after correction within the family: Bonferroni's for recipes, Holm's for networks.
    equivalence: Equivalence | None = None  #: Whether they differ by less than the margin; recipes only.
    #: How likely a new network of the first beats one of the second; recipes only.
    superiority: Superiority | None = None
    mcnemar: McNemar | None = None  #: The exact test; networks only.

    @property
    def told_apart(self) -> bool:
        """True where the difference is significant after correction."""
        return self.adjusted < ALPHA


@dataclass(frozen=True)
class Comparisons:
    """All comparisons of one question."""

    question: str  #: ``RECIPE`` or ``NETWORK``.
    #: Recipes that take part, best on validation first (networks: by their own score there); the first is what the
    #: others are set against.
    compared: tuple[Recipe, ...]
    #: Each other one less the best. Networks' are a family of their own, since validation images alone chose the best;
    #: recipes' are part of all pairs, since the seeds that chose it are tested too.
    declared: tuple[Comparison, ...]
    pairs: tuple[Comparison, ...]  #: Every pair, the better on validation first.
    seed: int | None = None  #: The seed of the networks; None for recipes.

    @cached_property
    def letters(self) -> dict[Recipe, str]:
        """Groups over all pairs: two share a letter exactly where no difference is significant."""
        different = np.zeros((len(self.compared), len(self.compared)), dtype=bool)
        for pair in self.pairs:
            places = [self.compared.index(one) for one in (pair.first, pair.second)]
            different[places, places[::-1]] = pair.told_apart
        return dict(zip(self.compared, compact_letters(different), strict=True))


@dataclass(frozen=True)
class Effect:
    """One factor's effect on one metric."""

    contrast: FactorContrast
    measure: Measure
    difference: Statement
    adjusted: float  #: The p-value after Holm's correction within the family.

    @property
    def told_apart(self) -> bool:
        """True where the effect is significant after correction."""
        return self.adjusted < ALPHA


def compare_recipes(scores: Scores, ranked: Sequence[Recipe], margin: float) -> Comparisons:
    """Compare those of the recipes, best on validation first, that have seeds enough, over new seeds and new images."""
    chosen = tuple(recipe for recipe in ranked if scores.has_seeds(recipe))
    every = list(combinations(chosen, 2))
    pairs = {pair: _simultaneous(scores, *pair, len(every)) for pair in every}
    declared = tuple(_less_the_best(scores, pairs[chosen[0], other], margin) for other in chosen[1:])
    return Comparisons(RECIPE, chosen, declared, tuple(pairs.values()))


def _simultaneous(scores: Scores, first: Recipe, second: Recipe, pairs: int) -> Comparison:
    """Compare two of several recipes so that no claim among all pairs is false, with 95 % probability.

    The best was chosen by the networks that are compared, so that "each against the best" is a choice among all pairs
    and pays for them all. Bonferroni's correction rests on moderated variances, whose degrees of freedom reach far
    enough into the tail; a claim also needs p < 0.05 by the two recipes' own variances. The interval is the wider of
    the two intervals, so that it excludes zero exactly where there is a claim.
    """
    difference = scores.recipe_contrast({first: 1.0, second: -1.0})
    own, many = difference.estimate, difference.moderated
    if own is None or many is None or not np.isfinite(own.standard_error):
        return Comparison(first, second, difference, float("nan"))
    ends = zip(own.interval(), many.interval(1.0 - (1.0 - LEVEL) / pairs), strict=True)
    (low, wide_low), (high, wide_high) = ends
    adjusted = max(difference.p_value, min(1.0, pairs * many.p_value))
    shown = within(replace(difference, low=min(low, wide_low), high=max(high, wide_high)), (1.0, -1.0))
    return Comparison(first, second, shown, adjusted)


def _less_the_best(scores: Scores, pair: Comparison, margin: float) -> Comparison:
    """Turn a pair round, other less best, and add what is asked of the comparisons with the best only."""
    found = pair.difference
    estimate = found.estimate and replace(found.estimate, value=-found.value)
    turned = replace(found, value=-found.value, low=-found.high, high=-found.low, estimate=estimate)
    one = replace(pair, first=pair.second, second=pair.first, difference=turned)
    if estimate is None or not np.isfinite(estimate.standard_error):
        return one
    first, second = (scores.sample(scores.recipes[recipe]).values for recipe in (one.first, one.second))
    superiority = probability_of_superiority(first, second)
    return replace(one, equivalence=equivalence(estimate, margin), superiority=superiority)


def compare_networks(scores: Scores, ranked: Sequence[Recipe]) -> Comparisons:
    """Compare the networks of one seed, the one that most recipes were trained with, on new images."""
    trained = [run for recipe in ranked for run in scores.recipes[recipe] if not run.record.imported]
    seeds = Counter(run.spec.seed for run in trained)
    seed = max(sorted(seeds), key=lambda one: seeds[one]) if seeds else None
    networks = networks_of_seed(scores, ranked, seed)

    def compare(pairs: Iterable[tuple[Recipe, Recipe]]) -> tuple[Comparison, ...]:
        """Compare pairs as one family under Holm's correction."""
        found = []
        for first, second in pairs:
            one, other = networks[first], networks[second]
            difference = scores.network_contrast([(one, 1.0), (other, -1.0)])
            exact = mcnemar_exact(one.correct, other.correct, scores.clusters)
            found.append(Comparison(first, second, difference, exact.p_value, mcnemar=exact))
        adjusted = map(float, holm([one.adjusted for one in found]))
        return tuple(replace(one, adjusted=p_value) for one, p_value in zip(found, adjusted, strict=True))

    chosen = tuple(sorted(networks, key=lambda recipe: -networks[recipe].validation.accuracy))
    declared = compare((other, chosen[0]) for other in chosen[1:])
    return Comparisons(NETWORK, chosen, declared, compare(combinations(chosen, 2)), seed)


def networks_of_seed(scores: Scores, ranked: Sequence[Recipe], seed: int | None) -> dict[Recipe, ScoredRun]:
    """Return each recipe's network of a seed, where it has one; a single import, whose seed is unknown, always."""
    runs_of = {recipe: scores.recipes[recipe] for recipe in ranked}
    return {
        recipe: run
        for recipe, runs in runs_of.items()
        for run in runs
        if run.spec.seed == seed or (len(runs) == 1 and run.record.imported)
    }


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return Holm's adjusted p-values; a contrast may be claimed where its adjusted value is below the level.

    Holm, Scand. J. Statist. 6, 1979, 65-70: sort ascending, multiply the k-th of m by m - k + 1, keep the running
    maximum, cap at 1. It keeps the probability of any false claim in the family below the level, whatever the
    dependence, as contrasts that share images and recipes have. nan (not estimable) stays nan and is not counted in
    the family. P-values (contrasts,) are those of every contrast of the family, not only the promising ones.
    """
    raw = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(raw.shape, np.nan)
    known = np.flatnonzero(~np.isnan(raw))
    order = known[np.argsort(raw[known], kind="stable")]
    steps = raw[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def compact_letters(different: NDArray[np.bool_]) -> list[str]:
    """Return each recipe's letters in order, by insertion and absorption: ``a`` to ``Z``, then with a prime, ``a'`` ...

    Piepho, J. Comput. Graph. Statist. 13, 2004, 456-466: start with one letter for all; every pair that differs splits
    each letter that both carry into one without the first and one without the second; a letter whose holders
    all hold another one is absorbed. What is left are the maximal sets without a difference. "Not different" is not
    transitive, so a recipe may carry several letters. ``different`` is bool (recipes, recipes), symmetric, False on
    the diagonal, the best recipe first.

    >>> compact_letters(np.array([[False, False, True], [False, False, False], [True, False, False]]))
    ['a', 'ab', 'b']
    """
    recipes = range(len(different))
    sets = {frozenset(recipes)}
    for pair in combinations(recipes, 2):
        if different[pair]:
            holding = {members for members in sets if members.issuperset(pair)}
            split = sets - holding | {members - {one} for members in holding for one in pair}
            sets = {members for members in split if not any(members < other for other in split)}
    letters = [""] * len(different)
    for place, members in enumerate(sorted(sets, key=sorted)):
        letter = ascii_letters[place % len(ascii_letters)] + "'" * (place // len(ascii_letters))
        for recipe in members:
            letters[recipe] += letter
    return letters
