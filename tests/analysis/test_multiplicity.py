"""Holm's correction: by hand, against statsmodels, and with contrasts that are not estimable."""

import numpy as np
import pytest

from study.analysis.comparisons import holm


def test_three_p_values_by_hand() -> None:
    # Sorted .01 .02 .04: times 3, 2, 1 gives .03 .04 .04.
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])


def test_adjusted_values_never_exceed_one() -> None:
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])


def test_it_agrees_with_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    raw = np.random.default_rng(1).random(40) ** 3
    assert holm(raw) == pytest.approx(multitest.multipletests(raw, method="holm")[1])


def test_what_is_not_estimable_stays_so_and_is_not_counted() -> None:
    found = holm([0.02, np.nan, 0.03])
    assert found[[0, 2]] == pytest.approx([0.04, 0.04])
    assert np.isnan(found[1])


def test_an_empty_family_has_no_values() -> None:
    assert holm([]).shape == (0,)
