"""Contamination: what splits share, by id and by content, for an image set and for one run, and the guards."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.datasets import fer2013
from study.datasets.division import Division
from study.datasets.image_set import ImageSet
from study.errors import DataError
from study.spec import SPLITS


@dataclass(frozen=True)
class Contamination:
    """Counts of shared and repeated images.

    Attributes:
        ids: For each pair of splits (``"test in train"``) the ids of the first that occur in the second.
        images: For each pair of splits the images of the first with an identical copy in the second.
        repeated: For each split its surplus copies: images minus different images.
        distinct: Different images in the whole set.
        groups: Groups of two or more identical images.
        conflicting: Groups whose copies have different labels.
    """

    ids: dict[str, int]
    images: dict[str, int]
    repeated: dict[str, int]
    distinct: int
    groups: int
    conflicting: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data, as records keep it."""
        return asdict(self)


def measure(data: ImageSet) -> Contamination:
    """Count what the splits of a set share and what it repeats."""
    rows = {split: data.indices(split) for split in SPLITS}
    pairs = [("selection", "train"), ("test", "train"), ("test", "selection")]
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
        raise DataError(f"{data.name}: expected splits without common ids, found {what}. Split the data anew.")
    if data.name == fer2013.NAME:
        for split, counts in data.counts().items():
            if tuple(counts) != fer2013.OFFICIAL_COUNTS[split]:
                raise DataError(
                    f"{data.name}: expected FER-2013's {split} counts {fer2013.OFFICIAL_COUNTS[split]}, found "
                    f"{tuple(counts)}: a swapped, merged or changed split. Use the official split or rename the data."
                )
    return found


#: What ``seen_in_training`` says of an image: trained on itself, or an image of identical content was.
SEEN_ID, SEEN_CONTENT = 1, 2


def seen_in_training(data: ImageSet, division: Division) -> NDArray[np.uint8]:
    """Return for each scored image, uint8, whether the run trained on it (``SEEN_ID``) or on its like, added up.

    A changed copy of an image has the image's id: training on it is training on the image. Its content is another.
    """
    trained = division.origins(division.train)
    unchanged = division.train[division.train < division.images]
    by_id = np.isin(data.ids[division.scored], data.ids[trained])
    by_content = np.isin(data.hashes[division.scored], data.hashes[unchanged])
    return (SEEN_ID * by_id + SEEN_CONTENT * by_content).astype(np.uint8)


def measure_run(data: ImageSet, division: Division, declared: bool) -> dict[str, Any]:
    """Return the contamination of one run, as records keep it: computed from what the run uses, whatever it is called.

    Args:
        data: The image set.
        division: The run's splits.
        declared: Whether the protocol says itself that it leaks.

    Returns:
        ``trained_on_test_ids``, ``test_copies_in_train``, ``selection_copies_in_train`` (images),
        ``selected_on_test`` and ``leaky`` (bool).
    """
    seen = seen_in_training(data, division)
    by_id = int((seen & SEEN_ID > 0).sum())
    unchanged = division.train[division.train < division.images]
    selection = np.unique(division.origins(division.selection))
    chosen = np.isin(data.ids[division.origins(division.chosen_on)], data.ids[division.scored])
    return {
        "trained_on_test_ids": by_id,
        "test_copies_in_train": int((seen & SEEN_CONTENT > 0).sum()),
        "selection_copies_in_train": int(np.isin(data.hashes[selection], data.hashes[unchanged]).sum()),
        "selected_on_test": bool(chosen.any()),
        "leaky": declared or by_id > 0 or bool(chosen.any()),
    }


def guard_run(data: ImageSet, division: Division, declared: bool) -> None:
    """Refuse a run whose splits share images, unless its protocol declares the leak.

    Raises:
        DataError: splits that share ids, or data that break the rules of ``guard``.
    """
    guard(data)
    if declared:
        return
    ids = {split: data.ids[division.origins(getattr(division, split))] for split in SPLITS}
    pairs = [("selection", "train"), ("test", "train"), ("test", "selection")]
    shared = {pair: int(np.isin(ids[pair[0]], ids[pair[1]]).sum()) for pair in pairs}
    found = [f"{count} ids of {one} are in {other}" for (one, other), count in shared.items() if count]
    if found:
        raise DataError(
            f"{data.name}: expected splits without common ids, found {', '.join(found)}. "
            "Only a protocol that declares its leak may train or choose on test images."
        )
