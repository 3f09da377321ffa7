"""Contrasts: variance components against statsmodels, critical values by hand, pairing, floors, duplicates, misuse."""

import numpy as np
import pytest
from scipy import stats

from study.analysis.contrasts import Estimate, Family, Sample, SeedVariances, reach, tail
from study.analysis.influence import linearise, linearise_mean
from study.core.errors import UsageError

GENERATOR = np.random.default_rng(8)
DIFFICULTY = GENERATOR.normal(size=200)
FIRST = 0.3 + DIFFICULTY + GENERATOR.normal(size=(3, 200))
SECOND = 0.6 * DIFFICULTY + GENERATOR.normal(size=(5, 200))


def sample(scores, groups=None, seeds=(), start=""):
    return Sample.of(linearise_mean(scores, (scores.mean(), scores.mean())), groups, seeds, start)


def test_components_are_the_mean_squares_of_the_two_way_layout():
    pytest.importorskip("statsmodels")
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    seeds, images = SECOND.shape
    table = pd.DataFrame({"score": SECOND.ravel(), "seed": np.repeat(np.arange(seeds), images)})
    table["image"] = np.tile(np.arange(images), seeds)
    layout = anova_lm(ols("score ~ C(seed) + C(image)", table).fit())
    square = layout["sum_sq"] / layout["df"]
    found, one = Family([sample(SECOND)]).contrast([1.0]), sample(SECOND)
    assert one.interaction == pytest.approx(square["Residual"] / images)
    assert found.image_variance == pytest.approx((square["C(image)"] - square["Residual"]) / seeds / images)
    assert found.seed_variance == pytest.approx(max(square["C(seed)"], square["Residual"]) / images / seeds)


def test_seeds_vary_at_least_by_the_interaction():
    """Three networks that happen to score alike do not show that seeds do not matter."""
    scores = FIRST - FIRST.mean(axis=1, keepdims=True)
    one = sample(scores)
    assert Family([one]).contrast([1.0]).seed_variance == pytest.approx(one.interaction / 3)


def test_with_seeds_alone_the_interval_of_a_mean_is_student_s():
    expected = stats.t.ppf(0.975, 2) * np.sqrt(0.3)
    assert reach(0.025, 0.3, 2, 0.0) == pytest.approx(expected)
    assert reach(0.025, 0.0, 1, 0.3) == pytest.approx(stats.norm.ppf(0.975) * np.sqrt(0.3))


def test_critical_values_are_averaged_by_variance():
    quantile = (0.2 * stats.t.ppf(0.995, 3) + 0.6 * stats.t.ppf(0.995, 50)) / 0.8
    assert reach(0.005, 0.2, 3, 0.6, 50) == pytest.approx(quantile * np.sqrt(0.8))


@pytest.mark.parametrize("area", [0.4, 0.025, 0.0005, 1e-9])
def test_a_tail_is_the_inverse_of_its_reach(area):
    assert tail(reach(area, 0.2, 3, 0.6, 50), 0.2, 3, 0.6, 50) == pytest.approx(area)


def test_a_p_value_is_below_the_level_exactly_where_the_interval_excludes_zero():
    for value in np.linspace(-4, 4, 41):
        found = Estimate(value, 0.4, 2.5, 0.2, 100)
        low, high = found.interval()
        assert (found.p_value < 0.05) == (low > 0 or high < 0)


def test_degrees_of_freedom_lie_halfway_to_those_of_equal_parts():
    values = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    equal = SeedVariances.of(values, np.zeros(2), np.eye(2, dtype=bool)).of_contrasts([1.0, -1.0])[1]
    assert equal == pytest.approx(0.5 * 2 * (1 + 2))
    one_wild = SeedVariances.of(values * [[1], [100]], np.zeros(2), np.eye(2, dtype=bool)).of_contrasts([1.0, -1.0])[1]
    assert one_wild == pytest.approx(2, abs=0.01)


def test_seeds_that_rise_and_fall_together_are_paired_and_others_are_not():
    base = np.array([0.0, 1.0, 2.0])
    same = np.ones((2, 2), dtype=bool)
    alike = SeedVariances.of(np.stack([base, base]), np.zeros(2), same)
    assert alike.of_contrasts([1.0, -1.0])[0] == pytest.approx(2 / 3 * (1 - 0.5)), "shrunk by half with two recipes"
    apart = np.full((2, 6), np.nan)
    apart[0, :3], apart[1, 3:] = base, base
    assert SeedVariances.of(apart, np.zeros(2), same).of_contrasts([1.0, -1.0])[0] == pytest.approx(2 / 3)


def test_recipes_of_one_start_have_a_correlation_of_their_own():
    generator = np.random.default_rng(0)
    blocks = np.repeat(generator.normal(size=(2, 1, 400)), 2, axis=1).reshape(4, 400)
    values = blocks + 0.5 * generator.normal(size=(4, 400))
    start = np.array([0, 0, 1, 1])
    found = SeedVariances.of(values, np.zeros(4), start[:, None] == start).correlation
    assert found[0, 1] == pytest.approx(0.8, abs=0.05)
    assert found[0, 2] == pytest.approx(0.0, abs=0.1)


def test_moderation_pulls_towards_the_mean_of_all_and_leaves_two_recipes_alone():
    values = np.array([[0.0, 1.0, 2.0], [0.0, 2.0, 4.0], [0.0, 3.0, 6.0], [0.0, 4.0, 8.0]])
    four = SeedVariances.of(values, np.zeros(4), np.eye(4, dtype=bool))
    assert four.moderated().variances[0] == pytest.approx((2 * 1 + 2 * 7.5) / 4)
    assert four.moderated().degrees == pytest.approx(4)
    two = SeedVariances.of(values[:2], np.zeros(2), np.eye(2, dtype=bool))
    assert two.moderated().variances == pytest.approx(two.variances)


def test_many_studies_at_once_give_what_each_gives_alone():
    values = np.random.default_rng(3).normal(size=(5, 4, 3))
    floors, same = np.full((5, 4), 0.1), np.ones((4, 4), dtype=bool)
    weights = np.array([[1.0, -1.0, 0.0, 0.0], [0.5, 0.5, -0.5, -0.5]])
    together = SeedVariances.of(values, floors, same).moderated().of_contrasts(weights)
    for place in range(5):
        alone = SeedVariances.of(values[place], floors[place], same).moderated().of_contrasts(weights)
        assert together[0][place] == pytest.approx(alone[0]) and together[1][place] == pytest.approx(alone[1])


def test_swapping_the_recipes_turns_the_sign_and_nothing_else():
    family = Family([sample(FIRST), sample(SECOND)])
    there, back = family.contrast([1.0, -1.0]), family.contrast([-1.0, 1.0])
    assert back.interval() == pytest.approx(tuple(-end for end in reversed(there.interval())))
    assert back.p_value == pytest.approx(there.p_value)


def test_copies_of_every_image_change_no_interval():
    tiled = [np.tile(scores, 2) for scores in (FIRST, SECOND)]
    once = Family([sample(FIRST), sample(SECOND)]).contrast([1.0, -1.0])
    twice = Family([sample(one, np.tile(np.arange(200), 2)) for one in tiled]).contrast([1.0, -1.0])
    blind = Family([sample(one) for one in tiled]).contrast([1.0, -1.0])
    assert twice.interval() == pytest.approx(once.interval())
    assert blind.image_variance < 0.7 * once.image_variance


def test_fixed_networks_vary_by_images_alone():
    found = Family([sample(FIRST[:1]), sample(SECOND[:1])]).of_networks([1.0, -1.0])
    paired = stats.ttest_rel(FIRST[0], SECOND[0])
    assert found.value == pytest.approx(FIRST[0].mean() - SECOND[0].mean())
    assert found.standard_error == pytest.approx(found.value / paired.statistic)


def test_a_class_of_which_few_images_are_known_has_an_interval_that_says_so():
    labels = np.repeat([0, 1], [3, 300])
    wrong = np.tile(np.eye(2)[1], (3, 303, 1))
    found = Family([Sample.of(linearise("recall", wrong, labels, 0))]).contrast([1.0])
    assert found.value == 0.0 and found.interval()[1] > 0.5
    many = Family([Sample.of(linearise("recall", wrong, 1 - labels, 0))]).contrast([1.0])
    assert many.interval()[1] < 0.03


def test_a_metric_that_is_undefined_for_one_network_has_no_interval():
    labels = np.array([0, 0, 1, 1])
    probabilities = np.tile(np.eye(2)[[0, 1, 1, 1]], (3, 1, 1))
    probabilities[0] = [1.0, 0.0]
    found = Family([Sample.of(linearise("precision", probabilities, labels, 1))]).contrast([1.0])
    assert np.isnan([found.value, *found.interval(), found.p_value]).all()


def test_misuse_is_refused_with_what_to_do():
    with pytest.raises(UsageError, match="at least 3 seeds, got 1"):
        Family([sample(FIRST[:1])]).contrast([1.0])
    with pytest.raises(UsageError, match="one weight a recipe"):
        Family([sample(FIRST), sample(SECOND)]).contrast([1.0])
    with pytest.raises(UsageError, match="same images"):
        Family([sample(FIRST), sample(FIRST[:, :-1])])
