"""The Pareto front of score against cost: what no other network beats on both."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto_front(score: ArrayLike, cost: ArrayLike) -> NDArray[np.bool_]:
    """Tell which points are on the front: none other scores at least as high at no more cost and better in one of them.

    Points that are equal in both stay together; a point without score or cost (nan) is never on the front.

    Args:
        score: (points,), more is better.
        cost: (points,), less is better.

    Returns:
        bool (points,).

    >>> pareto_front([0.6, 0.7, 0.65], [1.0, 2.0, 3.0]).tolist()
    [True, True, False]
    """
    scores, costs = np.asarray(score, dtype=np.float64), np.asarray(cost, dtype=np.float64)
    no_worse = (scores[None, :] >= scores[:, None]) & (costs[None, :] <= costs[:, None])
    better = (scores[None, :] > scores[:, None]) | (costs[None, :] < costs[:, None])
    return ~(no_worse & better).any(axis=1) & np.isfinite(scores) & np.isfinite(costs)
