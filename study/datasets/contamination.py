"""Contamination: what the splits of an image set share, by id and by content, and the guard against it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from study.core.errors import DataError
from study.core.spec import SPLITS
from study.datasets.image_set import ImageSet
from study.datasets.readers import fer2013


@dataclass(frozen=True)
class Contamination:
    """Counts of shared and repeated images."""

    ids: dict[str, int]  #: For each pair of splits (``"test in train"``) the ids of the first that occur in the second.
    images: dict[str, int]  #: For each pair of splits the images of the first with an identical copy in the second.
    repeated: dict[str, int]  #: For each split its surplus copies: images minus different images.
    distinct: int  #: Different images in the whole set.
    groups: int  #: Groups of two or more identical images.
    conflicting: int  #: Groups whose copies have different labels.

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data, as records keep it."""
        return asdict(self)


def measure(data: ImageSet) -> Contamination:
    """Count what the splits of a set share and what it repeats."""
    rows = {split: data.indices(split) for split in SPLITS}
    pairs = [("validation", "train"), ("test", "train"), ("test", "validation")]
    _, group_of, sizes = np.unique(data.hashes, return_inverse=True, return_counts=True)
    lowest = np.full(len(sizes), len(data.classes))
    highest = np.full(len(sizes), -1)
    np.minimum.at(lowest, group_of, data.labels)
    np.maximum.at(highest, group_of, data.labels)
    return Contamination(
        ids={f"{one} in {two}": int(np.isin(data.ids[rows[one]], data.ids[rows[two]]).sum()) for one, two in pairs},
        images={f"{one} in {two}": int(np.isin(group_of[rows[one]], group_of[rows[two]]).sum()) for one, two in pairs},
        repeated={split: len(where) - len(np.unique(group_of[where])) for split, where in rows.items()},
        distinct=len(sizes),
        groups=int((sizes > 1).sum()),
        conflicting=int((lowest != highest).sum()),
    )


def guard(data: ImageSet) -> Contamination:
    """Return the contamination of a set, or refuse it: the split guard that every honest run passes.

    Raises:
        DataError: splits that share ids, or a set named ``fer2013`` without FER-2013's counts.
    """
    found = measure(data)
    shared = {pair: count for pair, count in found.ids.items() if count}
    if shared:
        what = ", ".join(f"{count} ids of {pair.replace(' in ', ' are in ')}" for pair, count in shared.items())
        raise DataError(f"{data.name}: expected splits without common ids, found {what}. Split the data again.")
    if data.name == fer2013.NAME:
        for split, counts in data.counts().items():
            if tuple(counts) != fer2013.OFFICIAL_COUNTS[split]:
                raise DataError(
                    f"{data.name}: expected FER-2013's {split} counts {fer2013.OFFICIAL_COUNTS[split]}, found "
                    f"{tuple(counts)}: a swapped, merged or changed split. Use the official split or rename the data."
                )
    return found
