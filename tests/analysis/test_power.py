"""Power: exact where theory is, and the smallest effect that is found four times in five."""

import numpy as np
import pytest
from scipy import stats

from study.analysis.power import detectable_effect, power


def test_with_one_seed_variance_the_power_is_the_noncentral_t_s() -> None:
    effects = np.array([0.5, 1.0, 2.0])
    critical = stats.t.ppf(0.975, 4)
    noncentral = stats.nct(4, effects / np.sqrt(0.3))
    expected = noncentral.sf(critical) + noncentral.cdf(-critical)
    assert power(effects, [0.3], [4], 0.0) == pytest.approx(expected, abs=1e-3)


def test_with_images_alone_the_power_is_the_normal_one() -> None:
    expected = stats.norm.sf(1.96 - 2.0) + stats.norm.cdf(-1.96 - 2.0)
    assert power(2.0, [1e-9, 1e-9], [2, 2], 1.0) == pytest.approx(expected, abs=1e-3)


def test_without_an_effect_it_is_the_level_or_less_for_equal_seeds() -> None:
    assert 0.03 < power(0.0, [1.0, 1.0], [2, 2], 0.0) < 0.05


def test_the_detectable_effect_has_the_wanted_power() -> None:
    effect = detectable_effect([2e-5, 3e-5], [2, 4], 1e-5)
    assert power(effect, [2e-5, 3e-5], [2, 4], 1e-5) == pytest.approx(0.8, abs=1e-4)


def test_more_seeds_detect_smaller_effects() -> None:
    three, five = detectable_effect([1 / 3] * 2, [2, 2], 0.1), detectable_effect([1 / 5] * 2, [4, 4], 0.1)
    assert five < three
