"""The probability that A beats B on a new seed: by hand, symmetric, and its interval by simulation."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from study.analysis.pairs import probability_of_superiority
from study.core.errors import UsageError

FIRST, SECOND = np.array([0.61, 0.62, 0.63]), np.array([0.60, 0.615, 0.61, 0.605])


def test_the_probability_is_the_normal_one_of_the_standardised_gap() -> None:
    gap = (FIRST.mean() - SECOND.mean()) / np.sqrt(FIRST.var(ddof=1) + SECOND.var(ddof=1))
    assert probability_of_superiority(FIRST, SECOND).probability == pytest.approx(norm.cdf(gap))


def test_the_observed_share_is_mann_whitney_s_u_over_all_pairs() -> None:
    expected = mannwhitneyu(FIRST, SECOND).statistic / 12
    assert probability_of_superiority(FIRST, SECOND).observed == pytest.approx(expected)


def test_equal_recipes_win_half_of_the_time() -> None:
    found = probability_of_superiority(FIRST, FIRST)
    assert (found.probability, found.observed) == pytest.approx((0.5, 0.5))
    assert found.low < 0.5 < found.high


def test_the_same_seed_gives_the_same_interval() -> None:
    assert probability_of_superiority(FIRST, SECOND) == probability_of_superiority(FIRST, SECOND)


def test_without_any_spread_there_is_no_interval() -> None:
    found = probability_of_superiority(np.ones(3), np.zeros(3))
    assert found.probability == 1.0
    assert np.isnan(found.low)


def test_two_seeds_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 3 seeds"):
        probability_of_superiority(FIRST[:2], SECOND)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(("gap", "spread"), [(0.0, 1.0), (1.0, 1.0), (2.0, 0.5)])
def test_nominal_95_percent_intervals_hold_the_truth(seeds: int, gap: float, spread: float) -> None:
    generator = np.random.default_rng(seeds)
    truth = norm.cdf(gap / np.sqrt(1.0 + spread**2))
    held = []
    for study in range(250):
        first, second = gap + generator.normal(size=seeds), spread * generator.normal(size=seeds)
        found = probability_of_superiority(first, second, draws=800, seed=study)
        held.append(found.low <= truth <= found.high)
    assert np.mean(held) >= 0.93 - 2 * np.sqrt(0.95 * 0.05 / 250)
