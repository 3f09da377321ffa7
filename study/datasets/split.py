"""Settling the split: what the source gives is kept, what is missing is drawn, identical images together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from study.core.errors import DataError
from study.core.spec import SPLITS, derive_seed
from study.datasets.readers.entry import NO_SPLIT

TRAIN, VALIDATION, TEST = range(3)
SHARE = 0.1
"""Share of the divided images that each drawn split (validation, test) gets; train keeps the rest."""


def settle(
    given: NDArray[np.uint8],
    labels: NDArray[np.int64],
    hashes: NDArray[np.bytes_],
    classes: tuple[str, ...],
    given_by: str,
    seed: int,
) -> tuple[NDArray[np.uint8], str, bool]:
    """Complete a split.

    Images without a split, or train alone, are divided 80/10/10; with train and test given, validation is carved out of
    train, and test likewise where only validation is given.

    Args:
        given: uint8 (n,), index into ``SPLITS`` or ``NO_SPLIT``.
        labels: int64 (n,), index into ``classes``.
        hashes: bytes (n,), equal for identical images.
        classes: Class names, for messages.
        given_by: What the given split rests on.
        seed: Seed of what is drawn; equal contents and seed give equal splits in any order of files.

    Returns:
        uint8 (n,) index into ``SPLITS``; one sentence that says where the split comes from; whether anything was drawn.

    Raises:
        DataError: no training images, or a class with too few different images to be divided.
    """
    present = {code for code in range(len(SPLITS)) if np.any(given == code)}
    if present and TRAIN not in present:
        names = ", ".join(SPLITS[code] for code in sorted(present))
        raise DataError(f"expected training images, found only {names} (given by {given_by}). Add the train split.")
    for label, name in enumerate(classes):
        if not np.any((labels == label) & ((given == TRAIN) | (not present))):
            raise DataError(
                f"expected training images of every class, found none of {name}. Add some or drop the class."
            )
    if present == {TRAIN, VALIDATION, TEST}:
        return given.copy(), f"The split is given by {given_by}.", False
    pool = given == TRAIN
    wanted: tuple[int, ...]
    if not present or present == {TRAIN}:
        pool, wanted = np.ones(len(given), bool), (VALIDATION, TEST)
    else:
        wanted = (VALIDATION,) if VALIDATION not in present else (TEST,)
    splits = np.where(given == NO_SPLIT, TRAIN, given).astype(np.uint8)
    splits[pool] = _draw(labels[pool], hashes[pool], classes, wanted, seed)
    how = f"stratified by class, identical images together, seed {seed}"
    names = " and ".join(SPLITS[code] for code in wanted)
    if len(wanted) == 2:
        return splits, f"No split is given: train, validation and test are drawn 80/10/10, {how}.", True
    kept = SPLITS[TEST if wanted == (VALIDATION,) else VALIDATION]
    return splits, f"Train and {kept} are given by {given_by}; {names} is {SHARE:.0%} of train, drawn {how}.", True


def _draw(
    labels: NDArray[np.int64], hashes: NDArray[np.bytes_], classes: tuple[str, ...], wanted: tuple[int, ...], seed: int
) -> NDArray[np.uint8]:
    """Divide images between train and the wanted splits, class by class, in whole groups of identical images."""
    _, group_of, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    group_label = np.full(len(sizes), len(classes))
    np.minimum.at(group_label, group_of, labels)  # a group with conflicting labels counts for the first of its classes
    group_split = np.full(len(sizes), TRAIN, np.uint8)
    for label, name in enumerate(classes):
        groups = np.flatnonzero(group_label == label)  # sorted by content: the order of files is without effect
        if len(groups) <= len(wanted):
            raise DataError(
                f"class {name}: expected at least {len(wanted) + 1} different images, to divide them between train and "
                f"{' and '.join(SPLITS[code] for code in wanted)}, found {len(groups)}. Add images or drop the class."
            )
        rng = np.random.default_rng(derive_seed(seed, "split", name))
        groups = rng.permutation(groups)
        target = max(1, round(SHARE * int(sizes[groups].sum())))
        spare = len(groups) - len(wanted) - 1  # how many groups may be taken beyond one for each split and train
        for code in wanted:
            free = groups[group_split[groups] == TRAIN]
            fitting = free[sizes[free] <= target]
            first = fitting[0] if len(fitting) else free[np.argmin(sizes[free])]
            group_split[first] = code
            filled = sizes[first]
            for group in fitting[1:]:
                if filled >= target or not spare:
                    break
                if filled + sizes[group] <= target:
                    group_split[group] = code
                    filled += sizes[group]
                    spare -= 1
    return group_split[group_of]
