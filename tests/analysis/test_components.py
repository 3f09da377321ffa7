"""Variance components: against the analysis of variance of statsmodels, a case by hand, and duplicates."""

import numpy as np
import pytest

from study.analysis.components import variance_components
from study.analysis.influence import linearise_mean
from study.core.errors import UsageError

SCORES = np.random.default_rng(2).normal(size=(4, 30)) + np.random.default_rng(3).normal(size=30)


def test_components_are_the_mean_squares_of_the_two_way_layout() -> None:
    pytest.importorskip("statsmodels")
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    seeds, images = SCORES.shape
    table = pd.DataFrame({"score": SCORES.ravel(), "seed": np.repeat(np.arange(seeds), images)})
    table["image"] = np.tile(np.arange(images), seeds)
    layout = anova_lm(ols("score ~ C(seed) + C(image)", table).fit())
    square = layout["sum_sq"] / layout["df"]
    found = variance_components(linearise_mean(SCORES))
    assert found.interaction == pytest.approx(square["Residual"])
    assert found.image == pytest.approx((square["C(image)"] - square["Residual"]) / seeds)
    assert found.seed == pytest.approx(max((square["C(seed)"] - square["Residual"]) / images, 0.0))
    assert found.observed_seed == pytest.approx(square["C(seed)"] / images)


def test_three_seeds_that_differ_by_a_constant_have_no_interaction() -> None:
    # Image scores 0 and 1 have variance 1/2; seeds add 0, 1 and 2, variance 1.
    found = variance_components(linearise_mean(np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]])))
    assert (found.seed, found.image, found.interaction) == pytest.approx((1.0, 0.5, 0.0))
    assert (found.seeds, found.images) == (3, 2)


def test_copies_of_every_image_add_no_information() -> None:
    once = variance_components(linearise_mean(SCORES))
    twice = variance_components(linearise_mean(np.tile(SCORES, 2)), np.tile(np.arange(SCORES.shape[1]), 2))
    assert twice.seed == pytest.approx(once.seed)
    assert twice.image / twice.images == pytest.approx(once.image / once.images)
    assert twice.interaction / twice.images == pytest.approx(once.interaction / once.images)


def test_two_seeds_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 3 seeds, got 2"):
        variance_components(linearise_mean(SCORES[:2]))
