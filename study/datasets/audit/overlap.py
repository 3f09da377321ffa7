"""Overlap: which images have a copy where, counted by split pair and by class, and copies whose labels conflict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from study.core.spec import SPLITS
from study.datasets.image_set import ImageSet


@dataclass(frozen=True)
class ClassOverlap:
    """The images of one class in one split that have a copy in another split, or elsewhere in the same one."""

    label: int
    split: str
    other: str  #: Split of the copies.
    images: int  #: Images of the class in the split.
    copied: int  #: Of these, the images with a copy in the other split.
    relabelled: int  #: Of these, the images with a copy there that has another label.


def overlaps(data: ImageSet, groups: NDArray[np.int64]) -> list[ClassOverlap]:
    """Count copies, images of equal groups (n,), for every ordered pair of splits (one with itself too) and class."""
    _, codes = np.unique(groups, return_inverse=True)
    width = len(data.classes)
    each = np.zeros((len(SPLITS), codes.max(initial=0) + 1, width), np.int64)
    np.add.at(each, (data.splits, codes, data.labels), 1)
    found = []
    for one, split in enumerate(SPLITS):
        rows = data.indices(split)
        own = codes[rows], data.labels[rows]
        for two, other in enumerate(SPLITS):
            there = each[two].sum(axis=1)[own[0]] - (one == two)
            alike = each[two][own] - (one == two)
            for label in range(width):
                mine = own[1] == label
                copied = mine & (there > 0)
                found.append(
                    ClassOverlap(
                        label=label,
                        split=split,
                        other=other,
                        images=int(mine.sum()),
                        copied=int(copied.sum()),
                        relabelled=int((copied & (there > alike)).sum()),
                    )
                )
    return found


def total(found: Sequence[ClassOverlap], split: str, other: str) -> ClassOverlap:
    """Return the sum over classes for one ordered pair of splits; its label is -1."""
    chosen = [one for one in found if (one.split, one.other) == (split, other)]
    images, copied, relabelled = (
        sum(getattr(one, name) for one in chosen) for name in ("images", "copied", "relabelled")
    )
    return ClassOverlap(-1, split, other, images, copied, relabelled)


def conflicting(data: ImageSet, groups: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """Return those of the groups (rows of copies) whose copies have different labels."""
    return [rows for rows in groups if len(np.unique(data.labels[rows])) > 1]


def conflicts(data: ImageSet, groups: Sequence[NDArray[np.int64]]) -> list[tuple[int, int, int]]:
    """Return (label, label, groups in which both occur) for every pair of classes in conflict, most frequent first."""
    pairs = Counter(pair for rows in groups for pair in combinations(np.unique(data.labels[rows]).tolist(), 2))
    return sorted(((*pair, count) for pair, count in pairs.items()), key=lambda one: (-one[2], one))
