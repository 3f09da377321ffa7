"""Proof by simulation: errors, coverage and power of the statements on studies whose truth is known.

The slow form is a fixed part of the table of ``docs/statistics.md``: ``pytest -m slow -s
tests/analysis/test_simulations.py`` prints its rates.
"""

from __future__ import annotations

import numpy as np
import pytest

from study.analysis.comparisons import holm
from study.analysis.contrasts import Clusters, Family, Sample
from study.analysis.influence import linearise_mean
from study.analysis.pairs import MARGIN, equivalence, mcnemar_exact
from tests.analysis import simulations
from tests.analysis.simulated_studies import (
    INTERACTION,
    OWN,
    SHARES,
    ClassDesign,
    Design,
    Study,
    studies,
)
from tests.analysis.simulations import LEVELS, most

SHORT, FULL = 200, 2000
SIZES = [
    pytest.param(SHORT, id="short"),
    pytest.param(FULL, id="full", marks=[pytest.mark.slow, pytest.mark.timeout(1200)]),
]
LONG = [pytest.mark.slow, pytest.mark.timeout(1200)]
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


def contrast(answers, clusters, weights=(1.0, -1.0)):
    return Family([Sample.of(linearise_mean(one), clusters) for one in answers]).contrast(weights)


def covers(share: float, count: int) -> None:
    """Check a coverage of at least 93 %, less two standard errors."""
    assert share >= 0.93 - 2.0 * float(np.sqrt(0.93 * 0.07 / count))


def test_the_simulated_networks_are_as_accurate_and_as_discordant_as_designed():
    answers = np.stack(list(studies(Design(between=0.21, copies=0), 3, 150, seed=2)))
    first, second = answers[:, 0], answers[:, 1]
    assert answers.mean() == pytest.approx(SAME.accuracy, abs=0.003)
    assert np.mean(first[:, 0] != first[:, 1]) == pytest.approx(SAME.within, abs=0.003)
    assert np.mean(first[:, 0] != second[:, 1]) == pytest.approx(0.21, abs=0.003)
    spread = np.sqrt(answers.mean(axis=-1).var(axis=-1, ddof=1).mean())
    assert spread == pytest.approx(SAME.seed_spread, rel=0.1)


def test_a_study_of_accuracies_is_like_one_of_answers():
    """What ``Study`` draws has the variances that image by image come out, estimated by the project's own code."""
    clusters = Clusters.of(None, OTHER.images)
    design = Design(between=0.21, copies=0)
    found = [contrast(answers, clusters) for answers in studies(design, 3, 300, seed=3)]
    values, _ = Study(2, 3).draw(20_000, seed=3)
    gap = values.mean(axis=-1) @ np.array([1.0, -1.0])
    assert np.std([one.value for one in found]) == pytest.approx(gap.std(), rel=0.1)
    samples = [Sample.of(linearise_mean(answers[0]), clusters) for answers in studies(design, 3, 100, seed=4)]
    assert np.mean([one.interaction for one in samples]) == pytest.approx(INTERACTION, rel=0.05)
    assert np.mean([one.image_variance for one in found]) == pytest.approx(2 * OWN, rel=0.15)
    spread = np.sqrt(values.var(axis=-1, ddof=1).mean())
    assert np.sqrt(np.mean([one.values.var(ddof=1) for one in samples])) == pytest.approx(spread, rel=0.1)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("seeds", SEEDS)
def test_recipes_of_equal_accuracy_are_rarely_called_different_and_intervals_cover(seeds, count):
    for name in ("same recipe", "other recipe of equal accuracy") if count == SHORT else DESIGNS:
        design = DESIGNS[name]
        clusters = Clusters.of(design.groups, design.images)
        rejected, held = [], []
        for answers in studies(design, seeds, count, seed=11):
            rejected.append(contrast(answers, clusters).p_value < 0.05)
            low, high = contrast(answers[1:], clusters, (1.0,)).interval()
            held.append(low <= design.accuracy <= high)
        assert np.mean(rejected) <= most(0.05, count), name
        covers(float(np.mean(held)), count)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("seeds", SEEDS)
def test_fixed_networks_of_equal_accuracy_are_rarely_called_different(seeds, count):
    design = Design(between=0.21, seed_spread=0.0, copies=120)
    clusters = Clusters.of(design.groups, design.images)
    single, any_claim, by_interval = [], [], []
    for first, second in studies(design, seeds, count, seed=5):
        p_values = [mcnemar_exact(*pair, clusters).p_value for pair in zip(first, second, strict=True)]
        single += [p_value < 0.05 for p_value in p_values]
        any_claim.append(holm(p_values).min() < 0.05)
        networks = [Sample.of(linearise_mean(one[:1]), clusters) for one in (first, second)]
        by_interval.append(Family(networks).of_networks([1.0, -1.0]).p_value < 0.05)
    for claims in (single, any_claim, by_interval):
        assert np.mean(claims) <= most(0.05, count)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("seeds", SEEDS)
def test_recipes_that_differ_by_the_margin_are_rarely_called_equivalent(seeds, count):
    design = SAME.with_effect(MARGIN)
    clusters = Clusters.of(design.groups, design.images)
    claimed = [equivalence(contrast(answers, clusters)).equivalent for answers in studies(design, seeds, count, seed=7)]
    assert np.mean(claimed) <= most(0.05, count)


TWO = list(simulations.grid((2,)))
SEVERAL = [
    Study(recipes, seeds, spread, pattern, shared)
    for recipes in (4, 10, 20)
    for seeds in SEEDS
    for spread, pattern, shared in (
        (0.0065, "equal", 0.0),
        (0.0065, "equal", 0.5),
        (0.0065, "first", 0.0),
        (0.0065, "half", 0.5),
        (0.013, "first", 0.5),
        (0.013, "all but one", 0.0),
    )
]


def check_levels(study, count):
    cell = simulations.levels(study, count)
    print(cell)
    for level in LEVELS:
        assert cell.found[f"p < {level:g}"] <= most(level, count), cell


def check_family(study, count):
    cell = simulations.family_wise(study, count)
    print(cell)
    assert cell.found["any pair"] <= most(0.05, count), cell
    assert cell.found["any against the best"] <= most(0.05, count), cell
    covers(cell.found["coverage against the best"], count)
    covers(cell.found["coverage of one pair, least"], count)


@pytest.mark.parametrize(("studies_each", "chosen"), [(4000, TWO[:3]), pytest.param(20_000, TWO, marks=LONG)])
def test_two_recipes_without_a_difference_keep_the_level_far_into_the_tail(studies_each, chosen):
    for study in chosen:
        check_levels(study, studies_each)


@pytest.mark.parametrize(("count", "chosen"), [(400, SEVERAL[:2]), pytest.param(FULL, SEVERAL, marks=LONG)])
def test_among_several_recipes_without_a_difference_nothing_is_claimed_in_19_of_20_studies(count, chosen):
    for study in chosen:
        check_family(study, count)


def test_the_simulation_notices_the_statistics_of_before():
    """Satterthwaite's degrees of freedom without a floor, and Holm's correction against the best alone."""
    cell = simulations.earlier_levels(Study(2, 3), 20_000)
    assert cell.found["p < 0.001"] > 2 * 0.001
    assert simulations.earlier_levels(Study(2, 3, pattern="first"), 20_000).found["p < 0.05"] > most(0.05, 20_000)
    cell = simulations.earlier_family_wise(Study(20, 3), 1000)
    assert min(cell.found["any pair"], cell.found["any against the best"]) > most(0.05, 1000)


@pytest.mark.parametrize("count", SIZES)
def test_factor_effects_without_a_difference_are_rarely_claimed(count):
    for study in (Study(4, 3), Study(8, 3, pattern="half"), Study(20, 5, shared=0.5), Study(8, 5, pattern="first")):
        cell = simulations.effects(study, count)
        print(cell)
        assert cell.found["any effect"] <= most(0.05, count), cell
        covers(cell.found["coverage, least"], count)


@pytest.mark.parametrize("count", SIZES)
def test_the_best_recipe_s_score_is_not_flattered_by_its_choice(count):
    for study in (
        Study(10, 3, 0.013),
        Study(20, 5, 0.013),
        Study(4, 3, pattern="first"),
        Study(10, 5, 0.013, lead=0.02),
        Study(20, 3, 0.013, "first", lead=0.02),
    ):
        cell = simulations.winner(study, count)
        print(cell)
        covers(cell.found["coverage"], count)
        if study.pattern == "equal":
            assert abs(cell.found["bias, points"]) < 0.2 + 2.0 / np.sqrt(count)
    plain = simulations.winner(Study(20, 5, 0.013), count).found
    assert plain["bias of the plain mean"] > 0.7 and plain["coverage of the plain interval"] < 0.91, "the fault"


@pytest.mark.parametrize("count", [pytest.param(60, id="short"), pytest.param(600, id="full", marks=LONG)])
@pytest.mark.parametrize("images", [250, 500, 1000, 3589])
def test_scores_of_rare_classes_and_of_few_images_are_held_by_their_intervals(images, count):
    for seeds in (1, 3, 5):
        cell = simulations.scores_of_classes(images, seeds, count)
        print(cell)
        for share in cell.found.values():
            covers(share, count)


def test_a_training_that_diverges_one_time_in_ten_is_not_held_and_the_table_says_so():
    assert simulations.mean_of_one(Study(1, 3, diverges=0.1), 1000).found["coverage"] < 0.6


def test_classes_are_as_frequent_and_as_often_found_as_designed():
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
