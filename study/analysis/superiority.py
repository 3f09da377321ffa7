"""Probability that recipe A beats recipe B when each is trained once more with a new seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.contrasts import LEVEL, MINIMUM_SEEDS
from study.core.errors import UsageError

DRAWS = 10_000


@dataclass(frozen=True)
class Superiority:
    """How likely a new network of the first recipe beats a new one of the second on this split.

    Attributes:
        probability: Under normal seeds; nan where nothing varies and nothing differs.
        low: Lower end of the interval.
        high: Upper end of the interval.
        observed: Share of the observed pairs of networks in which the first is better, a tie counting one half.
        level: Coverage of the interval.
    """

    probability: float
    low: float
    high: float
    observed: float
    level: float


def probability_of_superiority(
    first: NDArray[Any], second: NDArray[Any], level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> Superiority:
    """Estimate P(a new network of the first recipe scores higher than a new one of the second on this split).

    With scores normal over seeds, P = Phi((mean difference) / sqrt(var_1 + var_2)), the stress-strength problem with
    unequal variances. The interval holds generalised pivots: each variance is replaced by its estimate times
    (S - 1) / chi-square(S - 1), each mean by a draw about its estimate with that variance (Weerahandi and Johnson,
    Technometrics 34, 1992, 83-91). ``observed`` is the Mann-Whitney share without any model, as recommended by
    Bouthillier et al., "Accounting for variance in machine learning benchmarks", MLSys 2021. The images are those of
    the split: what new images add belongs to their contrast. With three seeds the interval is wide.

    Args:
        first: (seeds,), each network's score, more being better.
        second: (seeds,), the other recipe's; seeds are independent.
        level: Coverage of the interval.
        draws: Number of pivots.
        seed: The same seed gives the same interval.

    Raises:
        UsageError: fewer than 3 seeds.
    """
    from scipy.special import ndtr

    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    ahead = np.sign(first[:, None] - second[None, :])
    observed = float((ahead.mean() + 1.0) / 2.0)
    generator = np.random.default_rng(seed)
    means, variances, pivots = [], [], []
    for scores in (first, second):
        seeds = len(scores)
        if seeds < MINIMUM_SEEDS:
            raise UsageError(f"a probability over new seeds needs at least {MINIMUM_SEEDS} seeds, got {seeds}.")
        means.append(float(scores.mean()))
        variances.append(float(scores.var(ddof=1)))
        drawn_variance = variances[-1] * (seeds - 1) / generator.chisquare(seeds - 1, size=draws)
        drawn_mean = means[-1] + generator.standard_normal(draws) * np.sqrt(drawn_variance / seeds)
        pivots.append((drawn_mean, drawn_variance))
    spread = np.sqrt(sum(variances))
    if not spread > 0.0:
        return Superiority(observed, float("nan"), float("nan"), observed, level)
    drawn = ndtr((pivots[0][0] - pivots[1][0]) / np.sqrt(pivots[0][1] + pivots[1][1]))
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return Superiority(float(ndtr((means[0] - means[1]) / spread)), float(low), float(high), observed, level)
