"""Questions to a pair: McNemar's exact test of two networks, equivalence and superiority of two recipes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.analysis.contrasts import LEVEL, MINIMUM_SEEDS, Clusters, Estimate
from study.core.errors import UsageError

#: Two points: the default margin of equivalence, on the scale of shares.
MARGIN = 0.02
ALPHA = 0.05


@dataclass(frozen=True)
class McNemar:
    """Duplicate groups on which one network has more right answers than the other; p-value for both equally likely."""

    only_first: int
    only_second: int
    p_value: float


def mcnemar_exact(
    first_correct: NDArray[Any], second_correct: NDArray[Any], groups: ArrayLike | Clusters | None = None
) -> McNemar:
    """Test whether two trained networks are equally often right on the same images.

    McNemar (Psychometrika 12, 1947, 153-157): given the discordant units, each favours the first network with
    probability one half. The test counts independent units, and copies of one image are none: each duplicate group is
    one unit that votes for the network with more right answers in it, and ties drop out. ``*_correct`` are bool
    (images,), groups (images,) ids equal for images of equal content, or None.

    Raises:
        UsageError: not two networks on the same images; seeds are never pooled, since they answer the same images.

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
    lead = first_correct.astype(np.int64) - second_correct
    votes = np.sign(Clusters.of(groups, len(lead)).sums(lead))
    only_first, only_second = int(np.sum(votes > 0)), int(np.sum(votes < 0))
    discordant = only_first + only_second
    return McNemar(only_first, only_second, float(binomtest(only_first, discordant).pvalue) if discordant else 1.0)


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests of one difference."""

    margin: float  #: Differences below it in size count as none.
    p_value: float  #: The larger of the two one-sided p-values; equivalent where it is below ``ALPHA``.
    probability: float  #: That the difference lies within the margin, the region of practical equivalence.
    smallest_margin: float  #: The smallest margin for which the data would say "equivalent".
    equivalent: bool  #: Whether they do at ``margin``.


def equivalence(difference: Estimate, margin: float = MARGIN) -> Equivalence:
    """Test whether a difference lies within +/- margin.

    Schuirmann, J. Pharmacokin. Biopharm. 15, 1987, 657-680: reject both "difference <= -margin" and
    "difference >= margin" at alpha. This is the same as the 1 - 2 alpha interval lying within the margins, so its
    farther end is the smallest margin supported. The margin must be chosen before looking; "not different" alone never
    means "equivalent", and where nothing can be estimated nothing is equivalent. The probability is that of the region
    of practical equivalence (Benavoli et al., J. Mach. Learn. Res. 18, 2017, article 77) by the difference's confidence
    distribution.

    Raises:
        UsageError: a margin that is not above zero.
    """
    if not margin > 0.0:
        raise UsageError(f"the equivalence margin must be above 0, got {margin}. 0.02 means two points.")
    if not np.isfinite(difference.standard_error):
        return Equivalence(margin, np.nan, np.nan, np.nan, False)
    above, below = (difference.tail(end) for end in (margin, -margin))  # beyond an end on the estimate's other side
    inside = abs(difference.value) < margin
    p_value = max(above, below) if inside else 1.0 - max(above, below)
    probability = 1.0 - above - below if inside else abs(above - below)
    smallest = min(1.0, max(abs(end) for end in difference.interval(1.0 - 2.0 * ALPHA)))  # shares differ by 1 at most
    return Equivalence(margin, p_value, probability, smallest, p_value < ALPHA)


@dataclass(frozen=True)
class Superiority:
    """How likely a new network of the first recipe beats a new one of the second on this split."""

    probability: float  #: Under normal seeds, with its 95 % interval; nan ends where nothing varies.
    low: float
    high: float
    observed: float  #: Share of the observed pairs of networks in which the first is better, a tie counting one half.


def probability_of_superiority(
    first: NDArray[Any], second: NDArray[Any], draws: int = 10_000, seed: int = 0
) -> Superiority:
    """Estimate P(a new network of the first recipe scores higher than a new one of the second on this split).

    With scores normal over seeds, P = Phi((mean difference) / sqrt(var_1 + var_2)), the stress-strength problem with
    unequal variances. The interval holds generalised pivots: each variance is replaced by its estimate times
    (S - 1) / chi-square(S - 1), each mean by a draw about its estimate with that variance (Weerahandi and Johnson,
    Technometrics 34, 1992, 83-91). ``observed`` is the Mann-Whitney share without any model, as recommended by
    Bouthillier et al., "Accounting for variance in machine learning benchmarks", MLSys 2021. The images are those of
    the split: what new images add belongs to their contrast. With three seeds the interval is wide. Scores are
    (seeds,) each, more being better; seeds are independent.

    Raises:
        UsageError: fewer than 3 seeds.
    """
    from scipy.special import ndtr

    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if (seeds := min(len(first), len(second))) < MINIMUM_SEEDS:
        raise UsageError(f"a probability over new seeds needs at least {MINIMUM_SEEDS} seeds, got {seeds}.")
    observed = float((np.sign(first[:, None] - second[None, :]).mean() + 1.0) / 2.0)
    generator = np.random.default_rng(seed)
    gap, variance = first.mean() - second.mean(), first.var(ddof=1) + second.var(ddof=1)
    if not variance > 0.0:
        return Superiority(observed, float("nan"), float("nan"), observed)

    def pivots(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw means and variances, (draws,) each."""
        seeds = len(scores)
        variances = scores.var(ddof=1) * (seeds - 1) / generator.chisquare(seeds - 1, size=draws)
        return scores.mean() + generator.standard_normal(draws) * np.sqrt(variances / seeds), variances

    (one, one_variance), (other, other_variance) = pivots(first), pivots(second)
    drawn = ndtr((one - other) / np.sqrt(one_variance + other_variance))
    tail = (1.0 - LEVEL) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return Superiority(float(ndtr(gap / np.sqrt(variance))), float(low), float(high), observed)
