"""Compact letters for groups: two recipes share a letter exactly where they are not called different."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError


def compact_letters(different: NDArray[Any], order: Sequence[int] | None = None) -> list[str]:
    """Return the letters of each recipe by insertion and absorption.

    Piepho, J. Comput. Graph. Statist. 13, 2004, 456-466: start with one letter for all; every pair that differs splits
    each letter that both carry into one without the first and one without the second; a letter whose holders
    all hold another one is absorbed. What is left are the maximal sets without a difference. "Not different" is not
    transitive, so a recipe may carry several letters.

    Args:
        different: bool (recipes, recipes), symmetric, False on the diagonal.
        order: Recipes from best to worst, so that the best carries ``a``. Default: as they come.

    Returns:
        For each recipe its letters in order: ``a`` to ``z``, ``A`` to ``Z``, then the same with a prime, ``a'`` ...

    Raises:
        UsageError: a matrix that is not square, symmetric and False on its diagonal, or an order that names not
            each recipe once.

    >>> compact_letters(np.array([[False, False, True], [False, False, False], [True, False, False]]))
    ['a', 'ab', 'b']
    """
    different = np.asarray(different, dtype=bool)
    recipes = len(different)
    ranked = list(range(recipes)) if order is None else [int(item) for item in order]
    if different.shape != (recipes, recipes) or (different != different.T).any() or different.diagonal().any():
        raise UsageError("letters need a symmetric square matrix of differences with False on its diagonal.")
    if sorted(ranked) != list(range(recipes)):
        raise UsageError(f"the order must name each of {recipes} recipes once, got {ranked}.")
    sets = [frozenset(range(recipes))] if recipes else []
    for first in range(recipes):
        for second in range(first + 1, recipes):
            if different[first, second]:
                sets = _absorb(_split(sets, first, second))
    rank = {recipe: place for place, recipe in enumerate(ranked)}
    sets.sort(key=lambda members: sorted(rank[member] for member in members))
    names = [_letter(place) for place in range(len(sets))]
    carried = list(zip(names, sets, strict=True))
    return ["".join(name for name, members in carried if one in members) for one in range(recipes)]


def _split(sets: list[frozenset[int]], first: int, second: int) -> list[frozenset[int]]:
    pair = {first, second}
    apart = []
    for members in sets:
        apart += [members - {first}, members - {second}] if pair <= members else [members]
    return apart


def _absorb(sets: list[frozenset[int]]) -> list[frozenset[int]]:
    kept: list[frozenset[int]] = []
    for members in sorted(sets, key=len, reverse=True):
        if not any(members <= other for other in kept):
            kept.append(members)
    return kept


def _letter(place: int) -> str:
    return ascii_letters[place % len(ascii_letters)] + "'" * (place // len(ascii_letters))
