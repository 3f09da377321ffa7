"""Proof by simulation: errors, coverage and power of the statements on studies whose truth is known.

Short forms run always; the full forms, at least 2,000 studies each, are slow: ``pytest -m slow -s
tests/analysis/test_simulations.py`` prints their rates.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pytest

from study.analysis.bootstrap import bootstrap_weights
from study.analysis.clusters import Clusters
from study.analysis.contrasts import recipe_difference, recipe_mean
from study.analysis.equivalence import MARGIN, equivalence
from study.analysis.exact import mcnemar_exact
from study.analysis.influence import linearise, linearise_mean
from study.analysis.multiplicity import holm
from study.analysis.power import detectable_effect
from tests.analysis.simulated_studies import DISGUST, SHARES, ClassDesign, Design, one_hot, studies

SHORT, FULL = 200, 2000
LONG = pytest.param(FULL, id="full", marks=[pytest.mark.slow, pytest.mark.timeout(1200)])
SIZES = [pytest.param(SHORT, id="short"), LONG]
SEEDS = [3, 5]

SAME = Design()
#: Recipes that differ in what they find hard, as two models do, and not in mean accuracy.
OTHER = Design(between=0.21)
DESIGNS = {
    "same recipe": SAME,
    "same recipe, the calmest seeds": Design(seed_spread=0.006, within=0.145, between=0.145),
    "same recipe, the wildest seeds": Design(seed_spread=0.011, within=0.20, between=0.20),
    "same recipe, a quarter of the images copies": Design(copies=900),
    "other recipe of equal accuracy": OTHER,
}


@dataclass(frozen=True)
class Rates:
    """Shares of studies that claim a difference, whose intervals hold it and the mean, that claim equivalence."""

    rejected: float
    covered: float
    mean_covered: float
    equivalent: float


def rates(design: Design, seeds: int, count: int, seed: int = 11) -> Rates:
    clusters = Clusters.of(design.groups, design.images)
    found = []
    for answers in studies(design, seeds, count, seed):
        first, second = (linearise_mean(recipe) for recipe in answers)
        difference, mean = recipe_difference(first, second, clusters), recipe_mean(second, clusters)
        found.append(
            (
                difference.p_value < 0.05,
                difference.low <= design.effect <= difference.high,
                mean.low <= design.accuracy <= mean.high,
                equivalence(difference).equivalent,
            )
        )
    return Rates(*np.mean(found, axis=0))


def at_most(share: float, count: int) -> float:
    """Return the limit for a simulated share: the nominal one and two Monte-Carlo standard errors."""
    return share + 2.0 * float(np.sqrt(share * (1.0 - share) / count))


def assert_covers(share: float, count: int) -> None:
    """Check a coverage against 93 to 97.5 %, widened by two standard errors where the simulation is short."""
    slack = 2.0 * float(np.sqrt(0.95 * 0.05 / count)) if count < FULL else 0.0
    assert 0.93 - slack <= share <= 0.975 + slack


def show(*words: object) -> None:
    print("\n" + " ".join(f"{word:.4f}" if isinstance(word, float) else str(word) for word in words), end="")


def designs(count: int) -> Iterable[str]:
    return ("same recipe", "other recipe of equal accuracy") if count == SHORT else DESIGNS


def test_the_simulated_networks_are_as_accurate_and_as_discordant_as_designed() -> None:
    answers = np.stack(list(studies(Design(between=0.21, copies=0), 3, 150, seed=2)))
    first, second = answers[:, 0], answers[:, 1]
    assert answers.mean() == pytest.approx(SAME.accuracy, abs=0.003)
    assert np.mean(first[:, 0] != first[:, 1]) == pytest.approx(SAME.within, abs=0.003)
    assert np.mean(first[:, 0] != second[:, 1]) == pytest.approx(0.21, abs=0.003)
    spread = np.sqrt(answers.mean(axis=-1).var(axis=-1, ddof=1).mean())
    assert spread == pytest.approx(SAME.seed_spread, rel=0.1)


@pytest.mark.parametrize("seeds", SEEDS)
def test_the_variance_of_a_difference_is_what_theory_gives_and_is_estimated_without_bias(seeds: int) -> None:
    clusters = Clusters.of(OTHER.groups, OTHER.images)
    found = [
        recipe_difference(*map(linearise_mean, answers), clusters) for answers in studies(OTHER, seeds, 400, seed=3)
    ]
    seed_parts, image_part = OTHER.variance_parts(seeds)
    truth = sum(seed_parts) + image_part
    assert np.var([one.value for one in found]) == pytest.approx(truth, rel=0.2)
    assert np.mean([one.standard_error**2 for one in found]) == pytest.approx(truth, rel=0.08)
    assert np.mean([one.image_variance for one in found]) == pytest.approx(image_part, rel=0.08)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("seeds", SEEDS)
def test_recipes_of_equal_accuracy_are_rarely_called_different_and_intervals_cover(seeds: int, count: int) -> None:
    for name in designs(count):
        found = rates(DESIGNS[name], seeds, count)
        show(f"{seeds} seeds, {name}: called different", found.rejected, "covered", found.covered, found.mean_covered)
        assert found.rejected <= at_most(0.05, count), name
        assert_covers(found.covered, count)
        assert_covers(found.mean_covered, count)


def test_the_simulation_would_notice_a_test_that_forgets_the_seeds() -> None:
    rejected = []
    for first, second in studies(Design(seed_spread=0.008), 3, SHORT, seed=4):
        lead = first.mean(axis=0) - second.mean(axis=0)
        rejected.append(abs(lead.mean()) > 1.96 * lead.std() / np.sqrt(len(lead)))
    assert np.mean(rejected) > 0.10


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("seeds", SEEDS)
def test_fixed_networks_of_equal_accuracy_are_rarely_called_different(seeds: int, count: int) -> None:
    design = Design(between=0.21, seed_spread=0.0, copies=120)
    clusters = Clusters.of(design.groups, design.images)
    weights = bootstrap_weights(design.images, clusters, draws=1000, seed=1)
    sizes = weights.sum(axis=1, keepdims=True)
    single, any_claim, recipe, bootstrap = [], [], [], []
    for answers in studies(design, seeds, count, seed=5):
        first, second = answers
        p_values = [mcnemar_exact(*pair, clusters).p_value for pair in zip(first, second, strict=True)]
        single += [p_value < 0.05 for p_value in p_values]
        any_claim.append(holm(p_values).min() < 0.05)
        recipe.append(recipe_difference(linearise_mean(first), linearise_mean(second), clusters).p_value < 0.05)
        # The same percentile interval as ``network_contrast``'s, for all pairs of the study at once.
        lead = first.astype(np.float32) - second
        draws = weights @ lead.T / sizes
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        bootstrap += list((low > 0.0) | (high < 0.0))
    show(
        f"{seeds} seeds, fixed networks of equal accuracy: McNemar", float(np.mean(single)), "any of the study's, Holm",
        float(np.mean(any_claim)), "bootstrap", float(np.mean(bootstrap)), "recipe contrast", float(np.mean(recipe)),
    )  # fmt: skip
    for claims in (single, any_claim, recipe, bootstrap):
        assert np.mean(claims) <= at_most(0.05, count)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("seeds", SEEDS)
def test_power_is_80_percent_where_theory_says_so(seeds: int, count: int) -> None:
    for name, design in {"same difficulty": SAME, "other difficulty": OTHER}.items():
        effect = 0.0
        for _ in range(4):  # the variance depends a little on the effect
            seed_parts, image_part = design.with_effect(effect).variance_parts(seeds)
            effect = detectable_effect(seed_parts, [seeds - 1] * 2, image_part)
        found = rates(design.with_effect(effect), seeds, count, seed=6)
        show(f"{seeds} seeds, {name}, effect", effect, "power", found.rejected, "covered", found.covered)
        slack = 0.05 if count == FULL else 0.05 + 2.0 * np.sqrt(0.16 / count)
        assert found.rejected == pytest.approx(0.80, abs=slack)
        assert_covers(found.covered, count)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("seeds", SEEDS)
def test_recipes_that_differ_by_the_margin_are_rarely_called_equivalent(seeds: int, count: int) -> None:
    found = rates(SAME.with_effect(MARGIN), seeds, count, seed=7)
    show(f"{seeds} seeds, apart by the margin: called equivalent", found.equivalent)
    assert found.equivalent <= at_most(0.05, count)


@pytest.mark.parametrize("count", [pytest.param(50, id="short"), LONG])
@pytest.mark.parametrize("seeds", SEEDS)
def test_macro_f1_and_disgust_are_held_by_their_intervals(seeds: int, count: int) -> None:
    design = ClassDesign()
    truth = {("macro_f1", None): design.true_macro_f1(), ("recall", DISGUST): design.recalls[DISGUST]}
    generator = np.random.default_rng(8)
    covered: dict[str, list[bool]] = {metric: [] for metric, _ in truth}
    rejected: dict[str, list[bool]] = {metric: [] for metric, _ in truth}
    for _ in range(count):
        predictions, labels = design.predictions(seeds, generator)
        probabilities = one_hot(predictions)
        for (metric, chosen), value in truth.items():
            first, second = (linearise(metric, recipe, labels, chosen) for recipe in probabilities)
            mean = recipe_mean(first)
            covered[metric].append(mean.low <= value <= mean.high)
            rejected[metric].append(recipe_difference(first, second).p_value < 0.05)
    for metric, name in {"macro_f1": "macro-F1", "recall": "disgust's recall (55 images)"}.items():
        coverage, null = float(np.mean(covered[metric])), float(np.mean(rejected[metric]))
        show(f"{seeds} seeds, {name}: covered", coverage, "same recipe called different", null)
        assert null <= at_most(0.05, count)
    assert_covers(float(np.mean(covered["macro_f1"])), count)
    # Reported apart: with about 55 images a recall moves in steps, and its interval may miss a little more often.
    assert np.mean(covered["recall"]) >= 0.92 - 2.0 * np.sqrt(0.05 / count)


def test_classes_are_as_frequent_and_as_often_found_as_designed() -> None:
    generator = np.random.default_rng(9)
    design = ClassDesign()
    right, labels = zip(
        *(
            (predictions[0] == truth, truth)
            for predictions, truth in (design.predictions(3, generator) for _ in range(40))
        ),
        strict=True,
    )
    found = np.concatenate(right, axis=1).mean(axis=0)
    truth = np.concatenate(labels)
    assert np.bincount(truth) / len(truth) == pytest.approx(SHARES, abs=0.005)
    assert [found[truth == label].mean() for label in range(7)] == pytest.approx(design.recalls, abs=0.03)
    assert found.mean() == pytest.approx(design.accuracy, abs=0.006)
