"""FER-2013's facts: class order, official counts, names of its splits, and the check of sets that claim to be it."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from study.core.errors import DataError
from study.core.spec import SPLITS

NAME = "fer2013"
CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SIDE_PX = 48
USAGES = ("Training", "PublicTest", "PrivateTest")  # in the order of study.core.spec.SPLITS
OFFICIAL_COUNTS = {
    "train": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "validation": (467, 56, 496, 895, 653, 415, 607),
    "test": (491, 55, 528, 879, 594, 416, 626),
}
TOTAL = sum(map(sum, OFFICIAL_COUNTS.values()))

_FILE_NAME = re.compile(r"(Training|PublicTest|PrivateTest)_\d+\.\w+")


def split_of_file(name: str) -> str | None:
    """Return the split that an official file name (``PublicTest_123.jpg``) states, None for any other name."""
    match = _FILE_NAME.fullmatch(name)
    return SPLITS[USAGES.index(match[1])] if match else None


def check_claim(labels: NDArray[np.int64], splits: NDArray[np.uint8], classes: tuple[str, ...], where: str) -> bool:
    """Check images that claim to be FER-2013 and return True for the complete set, False for a part of it.

    A part may hold fewer images of a class in a split than the official set, never more: so a small extract stays
    usable, while a swapped or merged split, changed labels and oversampling before the split are all noticed.

    Raises:
        DataError: more images of some class in some split than FER-2013 has.
    """
    for code, (split, official) in enumerate(OFFICIAL_COUNTS.items()):
        found = np.bincount(labels[splits == code], minlength=len(classes))
        for name, count in zip(classes, found, strict=True):
            most = official[CLASSES.index(name)]
            if count > most:
                raise DataError(
                    f"{where} claims to be FER-2013: expected at most {most} {name} images in {USAGES[code]} "
                    f"({split}), found {count}: a swapped, merged, relabelled or oversampled split. Use an untouched "
                    "copy, or, for other data, train, val and test instead of FER-2013's split names."
                )
    return len(labels) == TOTAL
