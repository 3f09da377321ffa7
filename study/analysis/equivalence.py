"""Equivalence: whether two recipes differ by less than a margin (TOST), and the smallest margin supported."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.analysis.contrasts import Estimate
from study.core.errors import UsageError

#: Two points: the default of the flag, on the scale of shares.
MARGIN = 0.02
ALPHA = 0.05


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests of one difference.

    Attributes:
        margin: Differences below it in size count as none.
        p_value: The larger of the two one-sided p-values; equivalent where it is below alpha.
        smallest_margin: The smallest margin for which the data would say "equivalent" at alpha.
        equivalent: Whether they do at ``margin``.
    """

    margin: float
    p_value: float
    smallest_margin: float
    equivalent: bool


def equivalence(difference: Estimate, margin: float = MARGIN, alpha: float = ALPHA) -> Equivalence:
    """Test whether a difference lies within +/- margin.

    Schuirmann, J. Pharmacokin. Biopharm. 15, 1987, 657-680: reject both "difference <= -margin" and
    "difference >= margin" by one-sided t tests at alpha, with the difference's own standard error and degrees of
    freedom. This is the same as the 1 - 2 alpha interval lying within the margins, so its farther end is the smallest
    margin supported. The margin must be chosen before looking; "not different" alone never means "equivalent", and
    where nothing can be estimated nothing is equivalent.

    Args:
        difference: From ``recipe_difference`` or another contrast.
        margin: Above zero, on the metric's scale.
        alpha: Level of the claim.

    Raises:
        UsageError: a margin that is not above zero.
    """
    from scipy.special import stdtr, stdtrit

    if not margin > 0.0:
        raise UsageError(f"the equivalence margin must be above 0, got {margin}. 0.02 means two points.")
    value, error, degrees = difference.value, difference.standard_error, difference.degrees_of_freedom
    if not np.isfinite(error):
        return Equivalence(margin, float("nan"), float("nan"), False)
    p_value = float(stdtr(degrees, (abs(value) - margin) / error))
    smallest = abs(value) + error * float(stdtrit(degrees, 1.0 - alpha))
    return Equivalence(margin, p_value, smallest, p_value < alpha)
