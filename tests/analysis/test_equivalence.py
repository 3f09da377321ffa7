"""TOST: against statsmodels and SciPy, and the smallest margin as the edge of the claim."""

import numpy as np
import pytest
from scipy import stats

from study.analysis.contrasts import Estimate, Family, Sample
from study.analysis.influence import linearise_mean
from study.analysis.pairs import equivalence
from study.core.errors import UsageError


def estimate(value: float, error: float, degrees: float) -> Estimate:
    return Estimate(value, error**2, degrees, 0.0, 1.0)


def test_it_is_the_larger_of_two_one_sided_t_tests() -> None:
    found = equivalence(estimate(0.004, 0.006, 7.5), margin=0.02)
    above, below = stats.t.sf((0.004 + 0.02) / 0.006, 7.5), stats.t.cdf((0.004 - 0.02) / 0.006, 7.5)
    assert found.p_value == pytest.approx(max(above, below))
    assert found.equivalent


def test_it_agrees_with_statsmodels_where_images_add_nothing() -> None:
    weightstats = pytest.importorskip("statsmodels.stats.weightstats")
    first, second = np.array([0.60, 0.61, 0.603]), np.array([0.605, 0.612, 0.607])
    gaps = linearise_mean(np.tile((first - second)[:, None], 30), (0.0, 0.0))
    difference = Family([Sample.of(gaps)]).contrast([1.0])
    difference = Estimate(difference.value, difference.seed_variance, 2.0, 0.0, 1.0)  # without guards
    theirs = weightstats.ttost_paired(first, second, -0.015, 0.015)[0]
    assert equivalence(difference, margin=0.015).p_value == pytest.approx(theirs)


@pytest.mark.parametrize("value", [-0.03, -0.004, 0.0, 0.01, 0.05])
def test_the_probability_of_equivalence_is_that_of_the_difference_s_own_distribution(value: float) -> None:
    found = equivalence(estimate(value, 0.006, 7.5), margin=0.02)
    inside = stats.t.cdf((0.02 - value) / 0.006, 7.5) - stats.t.cdf((-0.02 - value) / 0.006, 7.5)
    assert found.probability == pytest.approx(inside, abs=1e-6)
    assert found.p_value == pytest.approx(1 - stats.t.cdf((0.02 - abs(value)) / 0.006, 7.5), abs=1e-6)


def test_the_smallest_margin_is_where_the_claim_begins() -> None:
    difference = estimate(-0.007, 0.004, 5.0)
    edge = equivalence(difference).smallest_margin
    assert equivalence(difference, margin=edge * 1.0001).equivalent
    assert not equivalence(difference, margin=edge * 0.9999).equivalent
    assert edge == pytest.approx(0.007 + 0.004 * stats.t.ppf(0.95, 5.0))


def test_not_different_is_not_equivalent() -> None:
    assert not equivalence(estimate(0.0, 0.02, 4.0)).equivalent


def test_what_is_not_estimable_is_not_equivalent() -> None:
    found = equivalence(estimate(0.0, np.nan, np.nan))
    assert not found.equivalent
    assert np.isnan(found.smallest_margin)


def test_a_margin_must_be_above_zero() -> None:
    with pytest.raises(UsageError, match="above 0, got 0"):
        equivalence(estimate(0.0, 0.01, 4.0), margin=0.0)
