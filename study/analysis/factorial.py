"""Weights of factor effects and interactions over recipes, from complete strata only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError


def factorial_weights(cells: Sequence[Mapping[str, Hashable]], factors: Sequence[str]) -> NDArray[np.float64]:
    """Return the weights of a factor's effect, or of an interaction, for ``linear_contrast``.

    One factor: mean over strata of (with - without). Two: mean of the difference of differences, and so on (Yates,
    "The design and analysis of factorial experiments", 1937). A stratum holds recipes that are equal in everything but
    the factors; only strata with every combination count, so that a factor is never confounded with a model that was
    not run under all of it. Recipes outside complete strata get weight zero: leave them out of the contrast.

    Args:
        cells: For each recipe its levels by name, for example
            ``{"model": "cnn3", "oversampling": True, "augmentation": False}``; the factors' levels are True and False.
        factors: The factor, or the factors whose interaction is meant.

    Raises:
        UsageError: no factor, a missing or non-boolean level, two recipes in one cell, or no complete stratum.
    """
    strata: dict[Hashable, dict[tuple[bool, ...], int]] = defaultdict(dict)
    for place, cell in enumerate(cells):
        levels = tuple(cell.get(factor) for factor in factors)
        if not all(isinstance(level, bool) for level in levels):
            raise UsageError(f"each of {', '.join(factors)} must be True or False in every recipe, got {dict(cell)}.")
        stratum = strata[frozenset((name, level) for name, level in cell.items() if name not in factors)]
        if levels in stratum:
            raise UsageError(f"two recipes have the levels {dict(cell)}. Add what tells them apart.")
        stratum[tuple(bool(level) for level in levels)] = place
    complete = [stratum for stratum in strata.values() if len(stratum) == 2 ** len(factors)]
    if not factors or not complete:
        raise UsageError(
            f"no recipes are alike in all but {' and '.join(factors) or 'a factor'}, so nothing can be told apart from "
            "what else differs. Run the missing recipes."
        )
    weights = np.zeros(len(cells))
    for stratum in complete:
        for levels, place in stratum.items():
            weights[place] = (-1.0) ** levels.count(False) / len(complete)
    return weights
