"""FER+: reading fer2013new.csv, ten taggers' votes for each image of fer2013.csv, in that file's row order."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.core.errors import DataError
from study.datasets.readers import fer2013

#: The file's columns of votes (Barsoum et al. 2016, arXiv:1608.01041; github.com/microsoft/FERPlus).
VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
USAGE = "Usage"
#: More votes than anybody has taggers.
MOST_VOTES = 1_000_000
#: Share of images whose FER+ label must be the set's own. In the right order about two thirds agree, in any other a
#: fifth.
LEAST_AGREEMENT = 0.5
_MOST_BYTES = 1 << 26
_AS_FER2013 = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
}


def read_ferplus(
    path: Path, labels: NDArray[np.int64], splits: NDArray[np.uint8], classes: Sequence[str]
) -> NDArray[np.int64]:
    """Return the class that FER+ gives each image of a set, int64 (n,), -1 where it gives none of the set's.

    An image's class is the one with the most votes; with a tie, or where contempt, unknown or "no face" has the most,
    it has none.

    Args:
        path: fer2013new.csv.
        labels: int64 (n,), the set's own labels.
        splits: uint8 (n,), index into ``SPLITS``.
        classes: The set's class names, in label order.

    Raises:
        DataError: another file, or a set that is not in the row order of fer2013.csv.
    """
    if sorted(classes) != sorted(fer2013.CLASSES):
        raise DataError(
            f"{path}: FER+ labels images of {', '.join(fer2013.CLASSES)}; the study's classes are "
            f"{', '.join(classes)}. Leave out --ferplus."
        )
    usages, votes = _read(path)
    if usages != [fer2013.USAGES[code] for code in splits]:
        raise DataError(
            f"{path}: expected {len(splits)} rows in the study's sequence of Usage, found {len(usages)} in another. "
            "FER+ fits a set in the row order of the original fer2013.csv only, which folder copies have lost."
        )
    found = _labels(votes, classes)
    labelled = found >= 0
    agreement = float(np.mean(found[labelled] == labels[labelled])) if labelled.any() else 0.0
    if agreement < LEAST_AGREEMENT:
        raise DataError(
            f"{path}: expected FER+ to agree with {LEAST_AGREEMENT:.0%} of the study's labels or more, found "
            f"{agreement:.0%}: the images are not in the row order of the original fer2013.csv. Run the study on it."
        )
    return found


def _read(path: Path) -> tuple[list[str], NDArray[np.int64]]:
    """Return the Usage of each row and the votes, int64 (n, ``VOTES``)."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path}: expected fer2013new.csv of about 2 MB, found a larger file. Give FER+'s file.")
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            missing = [name for name in (USAGE, *VOTES) if name not in (rows.fieldnames or ())]
            if missing:
                raise DataError(
                    f"{path}: expected the columns of fer2013new.csv, missing {', '.join(missing)}. Give FER+'s file."
                )
            usages, votes = [], []
            for number, row in enumerate(rows, start=1):
                try:
                    votes.append([int(row[name]) for name in VOTES])
                    if not 0 <= min(votes[-1]) <= max(votes[-1]) <= MOST_VOTES:
                        raise ValueError("no count of taggers")
                except (TypeError, ValueError):
                    found = str([row[name] for name in VOTES])[:200]
                    raise DataError(
                        f"{path}, row {number}: expected whole numbers of votes, found {found}. Get a fresh copy."
                    ) from None
                usages.append((row[USAGE] or "").strip())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not readable as a csv ({error}). Give FER+'s fer2013new.csv.") from error
    return usages, np.array(votes, dtype=np.int64).reshape(len(usages), len(VOTES))


def _labels(votes: NDArray[np.int64], classes: Sequence[str]) -> NDArray[np.int64]:
    """Return the class with strictly the most votes of each row, -1 without one among ``classes``."""
    place = {name: code for code, name in enumerate(classes)}
    codes = np.array([place.get(_AS_FER2013.get(name, ""), -1) for name in VOTES], dtype=np.int64)
    most = votes.max(axis=1, initial=0, keepdims=True)
    clear = (votes == most).sum(axis=1) == 1
    return np.where(clear, codes[votes.argmax(axis=1)], -1)
