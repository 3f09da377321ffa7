"""Exact network statements on counts: McNemar's test of two networks, and the interval of one proportion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.analysis.clusters import Clusters
from study.analysis.contrasts import LEVEL
from study.core.errors import UsageError


@dataclass(frozen=True)
class McNemar:
    """McNemar's exact test of two networks on the same images.

    Attributes:
        only_first: Duplicate groups on which the first network has more right answers than the second.
        only_second: The reverse.
        p_value: Exact, two-sided, for both being equally likely.
    """

    only_first: int
    only_second: int
    p_value: float


def mcnemar_exact(
    first_correct: NDArray[Any], second_correct: NDArray[Any], groups: ArrayLike | Clusters | None = None
) -> McNemar:
    """Test whether two trained networks are equally often right on the same images.

    McNemar (Psychometrika 12, 1947, 153-157): given the discordant units, each favours the first network with
    probability one half. The test counts independent units, and copies of one image are none: each duplicate group is
    one unit that votes for the network with more right answers in it, and ties drop out. For one pair of networks only:
    seeds answer the same images, so pooling them would count each image several times.

    Args:
        first_correct: bool (images,).
        second_correct: bool (images,), the same images.
        groups: (images,) ids equal for images of equal content, or None.

    Raises:
        UsageError: not two networks on the same images.

    >>> mcnemar_exact(np.array([True] * 9 + [False]), np.array([False] * 9 + [True]))
    McNemar(only_first=9, only_second=1, p_value=0.021484375)
    """
    from scipy.stats import binomtest

    first_correct, second_correct = np.asarray(first_correct), np.asarray(second_correct)
    if first_correct.ndim != 1 or first_correct.shape != second_correct.shape:
        raise UsageError(
            f"McNemar's test compares two networks on the same images, got shapes {first_correct.shape} and "
            f"{second_correct.shape}. It is never pooled over seeds; compare recipes by Scores.recipe_contrast."
        )
    lead = first_correct.astype(np.int64) - second_correct.astype(np.int64)
    votes = np.sign(Clusters.of(groups, len(lead)).sums(lead))
    only_first, only_second = int(np.sum(votes > 0)), int(np.sum(votes < 0))
    discordant = only_first + only_second
    return McNemar(only_first, only_second, float(binomtest(only_first, discordant).pvalue) if discordant else 1.0)


def proportion_interval(successes: int, trials: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the exact interval of one network's accuracy or recall over new images: Clopper and Pearson.

    Biometrika 26, 1934, 404-413. Never of no width, and therefore the one to show where all or none was right.

    Args:
        successes: Right answers, 0 to ``trials``.
        trials: Images, at least 1.
        level: Least coverage of the interval.

    Raises:
        UsageError: counts that are no proportion.
    """
    from scipy.stats import binomtest

    if not 0 <= successes <= trials or trials < 1:
        raise UsageError(f"a proportion needs 0 <= successes <= trials and trials >= 1, got {successes} of {trials}.")
    found = binomtest(successes, trials).proportion_ci(level, "exact")
    return float(found.low), float(found.high)
