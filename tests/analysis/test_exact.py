"""Exact statements: McNemar against SciPy and statsmodels, and duplicates."""

import numpy as np
import pytest
from scipy.stats import binomtest

from study.analysis.pairs import mcnemar_exact
from study.core.errors import UsageError


def answers(both: int, only_first: int, only_second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = [both, only_first, only_second, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


@pytest.mark.parametrize("counts", [(50, 12, 3, 35), (10, 1, 9, 0), (5, 7, 7, 2), (2000, 380, 330, 879)])
def test_mcnemar_is_the_binomial_test_of_the_discordant_images(counts: tuple[int, int, int, int]) -> None:
    found = mcnemar_exact(*answers(*counts))
    assert (found.only_first, found.only_second) == counts[1:3]
    assert found.p_value == pytest.approx(binomtest(counts[1], counts[1] + counts[2]).pvalue)


def test_mcnemar_is_statsmodels_exact_test() -> None:
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    assert mcnemar_exact(*answers(50, 12, 3, 35)).p_value == pytest.approx(
        tables.mcnemar([[50, 12], [3, 35]], exact=True).pvalue
    )


def test_networks_that_never_disagree_are_not_told_apart() -> None:
    assert mcnemar_exact(*answers(5, 0, 0, 5)).p_value == 1.0


def test_copies_of_an_image_vote_once() -> None:
    first, second = answers(10, 6, 1, 3)
    tiled = mcnemar_exact(np.tile(first, 3), np.tile(second, 3), np.tile(np.arange(20), 3))
    assert tiled == mcnemar_exact(first, second)


def test_copies_with_conflicting_labels_that_split_the_networks_drop_out() -> None:
    first, second = np.array([True, False, True, True]), np.array([False, True, True, False])
    found = mcnemar_exact(first, second, ["x", "x", "y", "z"])
    assert (found.only_first, found.only_second) == (1, 0)


def test_mcnemar_refuses_seeds() -> None:
    with pytest.raises(UsageError, match="never pooled over seeds"):
        mcnemar_exact(np.ones((3, 10)), np.ones((3, 10)))
