"""Holm's correction: p-values of one predeclared family, so that any false claim among them stays rare."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return Holm's adjusted p-values; a contrast may be claimed where its adjusted value is below the level.

    Holm, Scand. J. Statist. 6, 1979, 65-70: sort ascending, multiply the k-th of m by m - k + 1, keep the running
    maximum, cap at 1. It keeps the probability of any false claim in the family below the level, whatever the
    dependence, as contrasts that share images and recipes have. nan (not estimable) stays nan and is not counted in
    the family.

    Args:
        p_values: (contrasts,), every contrast of the family, not only the promising ones.
    """
    raw = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(raw.shape, np.nan)
    known = np.flatnonzero(~np.isnan(raw))
    order = known[np.argsort(raw[known], kind="stable")]
    steps = raw[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
