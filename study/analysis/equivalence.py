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
        probability: That the difference lies within the margin, the region of practical equivalence.
        smallest_margin: The smallest margin for which the data would say "equivalent" at alpha.
        equivalent: Whether they do at ``margin``.
    """

    margin: float
    p_value: float
    probability: float
    smallest_margin: float
    equivalent: bool


def equivalence(difference: Estimate, margin: float = MARGIN, alpha: float = ALPHA) -> Equivalence:
    """Test whether a difference lies within +/- margin.

    Schuirmann, J. Pharmacokin. Biopharm. 15, 1987, 657-680: reject both "difference <= -margin" and
    "difference >= margin" at alpha. This is the same as the 1 - 2 alpha interval lying within the margins, so its
    farther end is the smallest margin supported. The margin must be chosen before looking; "not different" alone never
    means "equivalent", and where nothing can be estimated nothing is equivalent. The probability is that of the region
    of practical equivalence (Benavoli et al., J. Mach. Learn. Res. 18, 2017, article 77) by the difference's confidence
    distribution.

    Args:
        difference: Of two recipes, or another contrast.
        margin: Above zero, on the metric's scale.
        alpha: Level of the claim.

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
    smallest = min(1.0, max(abs(end) for end in difference.interval(1.0 - 2.0 * alpha)))  # shares differ by 1 at most
    return Equivalence(margin, p_value, probability, smallest, p_value < alpha)
