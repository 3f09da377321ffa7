"""Recipe contrasts: the variance by hand, Welch's test as a limit, duplicates, and what is not estimable."""

import numpy as np
import pytest
from scipy import stats

from study.analysis.components import variance_components
from study.analysis.contrasts import linear_contrast, recipe_difference, recipe_mean
from study.analysis.influence import linearise, linearise_mean
from study.core.errors import UsageError

GENERATOR = np.random.default_rng(8)
DIFFICULTY = GENERATOR.normal(size=200)
FIRST = 0.3 + DIFFICULTY + GENERATOR.normal(size=(3, 200))
SECOND = 0.6 * DIFFICULTY + GENERATOR.normal(size=(5, 200))


def test_a_mean_has_the_variance_of_its_components() -> None:
    recipe = linearise_mean(SECOND)
    parts, found = variance_components(recipe), recipe_mean(recipe)
    assert found.value == pytest.approx(SECOND.mean())
    assert found.standard_error**2 == pytest.approx(parts.observed_seed / 5 + parts.image / 200)
    assert sum(found.seed_variances) + found.image_variance == pytest.approx(found.standard_error**2)


def test_a_difference_adds_seeds_of_both_recipes_and_the_images_that_they_do_not_share() -> None:
    first, second = linearise_mean(FIRST), linearise_mean(SECOND)
    parts = [variance_components(one) for one in (first, second)]
    gap = FIRST.mean(axis=0) - SECOND.mean(axis=0)
    images = gap.var(ddof=1) / 200 - parts[0].interaction / 600 - parts[1].interaction / 1000
    seeds = [parts[0].observed_seed / 3, parts[1].observed_seed / 5]
    found = recipe_difference(first, second)
    assert found.value == pytest.approx(FIRST.mean() - SECOND.mean())
    assert found.image_variance == pytest.approx(images)
    assert found.standard_error**2 == pytest.approx(sum(seeds) + images)
    centred = gap - gap.mean()
    image_noise = (gap.var(ddof=1) / 200) ** 2 * np.sum(centred**4) / (2 * np.sum(centred**2) ** 2)
    degrees = (sum(seeds) + images) ** 2 / (seeds[0] ** 2 / 2 + seeds[1] ** 2 / 4 + image_noise)
    assert found.degrees_of_freedom == pytest.approx(degrees)
    interval = stats.t.interval(0.95, degrees, found.value, found.standard_error)
    assert (found.low, found.high) == pytest.approx(interval)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(found.value) / found.standard_error, degrees))


def test_where_images_add_nothing_the_test_is_welch_s_on_the_seeds() -> None:
    first, second = (np.tile(means[:, None], 50) for means in (GENERATOR.normal(size=3), GENERATOR.normal(size=5)))
    found = recipe_difference(linearise_mean(first), linearise_mean(second))
    welch = stats.ttest_ind(first[:, 0], second[:, 0], equal_var=False)
    assert found.p_value == pytest.approx(welch.pvalue)
    assert found.degrees_of_freedom == pytest.approx(welch.df)
    assert (found.low, found.high) == pytest.approx(tuple(welch.confidence_interval()))


def test_swapping_the_recipes_turns_the_sign_and_nothing_else() -> None:
    first, second = linearise_mean(FIRST), linearise_mean(SECOND)
    there, back = recipe_difference(first, second), recipe_difference(second, first)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    assert back.p_value == pytest.approx(there.p_value)


def test_copies_of_every_image_change_no_interval() -> None:
    tiled = [linearise_mean(np.tile(scores, 2)) for scores in (FIRST, SECOND)]
    once = recipe_difference(linearise_mean(FIRST), linearise_mean(SECOND))
    twice = recipe_difference(*tiled, groups=np.tile(np.arange(200), 2))
    blind = recipe_difference(*tiled)
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))
    assert blind.image_variance < 0.7 * once.image_variance


def test_an_interaction_of_four_recipes_is_the_difference_of_differences() -> None:
    recipes = [linearise_mean(FIRST + shift) for shift in (0.0, 0.1, 0.3, 0.9)]
    found = linear_contrast(recipes, [1.0, -1.0, -1.0, 1.0])
    assert found.value == pytest.approx(0.5)
    assert len(found.seed_variances) == 4
    # One set of images answered alike by all: nothing but the seeds is left.
    assert found.image_variance == 0.0


def test_a_metric_that_is_undefined_for_one_network_has_no_interval() -> None:
    labels = np.array([0, 0, 1, 1])
    probabilities = np.tile(np.eye(2)[[0, 1, 1, 1]], (3, 1, 1))
    probabilities[0] = [1.0, 0.0]
    found = recipe_mean(linearise("precision", probabilities, labels, 1))
    assert np.isnan([found.value, found.low, found.high, found.p_value]).all()


def test_a_class_that_no_seed_finds_has_an_estimate_but_no_interval() -> None:
    labels = np.array([0, 0, 1, 1])
    found = recipe_mean(linearise("recall", np.tile([1.0, 0.0], (3, 4, 1)), labels, 1))
    assert found.value == 0.0
    assert np.isnan([found.low, found.high, found.p_value]).all()


def test_misuse_is_refused_with_what_to_do() -> None:
    recipe = linearise_mean(FIRST)
    with pytest.raises(UsageError, match="at least 3 seeds, got 1"):
        recipe_mean(linearise_mean(FIRST[:1]))
    with pytest.raises(UsageError, match="one weight a recipe"):
        linear_contrast([recipe, recipe], [1.0])
    with pytest.raises(UsageError, match="same images"):
        recipe_difference(recipe, linearise_mean(FIRST[:, :-1]))
