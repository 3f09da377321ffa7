"""Power of the recipe contrast: how small an effect this many seeds and images can be expected to show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.analysis.contrasts import LEVEL

#: Points of the Latin hypercube over the seed variances' chi-square distributions.
POINTS = 4096


def power(
    effects: ArrayLike,
    seed_variances: Sequence[float],
    seed_degrees: Sequence[int],
    image_variance: float,
    level: float = LEVEL,
) -> NDArray[np.float64]:
    """Return the probability that ``linear_contrast`` calls each true effect different from zero.

    Given the seed variance estimates, s_r^2 ~ variance_r * chi-square(d_r) / d_r, the test rejects with probability
    Phi((effect - t se) / sigma) + Phi((-effect - t se) / sigma), where se and t's degrees of freedom follow from the
    estimates and sigma from the truth; the average over a Latin hypercube of chi-square quantiles (McKay, Beckman and
    Conover, Technometrics 21, 1979, 239-245) is the power. A noncentral t with Satterthwaite's degrees of freedom, the
    usual shortcut, promises up to 10 points too much at 3 seeds, because it takes the degrees of freedom as known.

    Args:
        effects: True effects, any shape.
        seed_variances: Each recipe's share of the contrast's variance, as in ``Estimate.seed_variances``.
        seed_degrees: Each recipe's number of seeds less one.
        image_variance: The share that comes from images.
        level: Coverage of the interval that must exclude zero.
    """
    reach, sigma = _reach(seed_variances, seed_degrees, image_variance, level)
    return _power(np.asarray(effects, dtype=np.float64), reach, sigma)


def detectable_effect(
    seed_variances: Sequence[float],
    seed_degrees: Sequence[int],
    image_variance: float,
    wanted: float = 0.8,
    level: float = LEVEL,
) -> float:
    """Return the smallest true effect that is called different with the wanted probability.

    With an ``Estimate``'s own parts it says what this design could have shown; it is no statement on the effect found.

    Args:
        seed_variances: As in ``power``.
        seed_degrees: As in ``power``.
        image_variance: As in ``power``.
        wanted: The probability, between 1 - level and 1.
        level: Coverage of the interval that must exclude zero.
    """
    from scipy.optimize import brentq

    reach, sigma = _reach(seed_variances, seed_degrees, image_variance, level)

    def shortfall(effect: float) -> float:
        return float(_power(np.asarray(effect), reach, sigma)) - wanted

    high = sigma
    while shortfall(high) < 0.0:
        high *= 2.0
    return float(brentq(shortfall, 0.0, high, xtol=1e-6 * sigma))


def _reach(
    seed_variances: Sequence[float], seed_degrees: Sequence[int], image_variance: float, level: float
) -> tuple[NDArray[np.float64], float]:
    """Return half the interval's width at every point of the hypercube, and the true standard error."""
    from scipy.special import chdtri, stdtrit

    generator = np.random.default_rng(0)
    upper_tails = (np.arange(POINTS) + 0.5) / POINTS
    estimated = np.full(POINTS, float(image_variance))
    noise = np.zeros(POINTS)
    for variance, degrees in zip(seed_variances, seed_degrees, strict=True):
        part = variance * generator.permutation(chdtri(degrees, upper_tails)) / degrees
        estimated += part
        noise += part**2 / degrees
    reach = stdtrit(estimated**2 / noise, (1.0 + level) / 2.0) * np.sqrt(estimated)
    return reach, float(np.sqrt(sum(seed_variances) + image_variance))


def _power(effects: NDArray[np.float64], reach: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    from scipy.special import ndtr

    effects = effects[..., None]
    rejected = ndtr((effects - reach) / sigma) + ndtr((-effects - reach) / sigma)
    return np.asarray(rejected.mean(axis=-1))
