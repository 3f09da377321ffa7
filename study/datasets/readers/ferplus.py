"""FER+: reading fer2013new.csv, ten taggers' votes for each image of fer2013.csv, in that file's row order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.core.errors import DataError
from study.datasets.readers import fer2013
from study.datasets.readers.names import emotion
from study.datasets.readers.place import Place
from study.datasets.readers.tables import Table

#: The file's columns of votes (Barsoum et al. 2016, arXiv:1608.01041; github.com/microsoft/FERPlus).
VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
USAGE = "Usage"
#: Share of images whose FER+ label must be the set's own. In the right order about two thirds agree, in any other a
#: fifth.
LEAST_AGREEMENT = 0.5
_MOST_DIGITS = 6  # nobody has a million taggers
_MOST_ROWS = 1_000_000


def read_ferplus(
    path: Path, labels: NDArray[np.int64], splits: NDArray[np.uint8], classes: Sequence[str]
) -> NDArray[np.int64]:
    """Return the class that FER+ (fer2013new.csv) gives each image of a set, int64 (n,), -1 where none of the set's.

    An image's class is the one with the most votes; with a tie, or where contempt, unknown or "no face" has the most,
    it has none. Labels, splits (index into ``SPLITS``) and classes are the set's own.

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
    place = {name: code for code, name in enumerate(classes)}
    codes = np.array([place.get(emotion(name), -1) for name in VOTES], dtype=np.int64)
    clear = (votes == votes.max(axis=1, initial=0, keepdims=True)).sum(axis=1) == 1
    found = np.where(clear, codes[votes.argmax(axis=1)], -1)
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
    usages, votes = [], []
    try:
        with Table(Place(path)) as table:
            columns = [table.column(name.lower()) for name in (USAGE, *VOTES)]
            missing = [name for name, column in zip((USAGE, *VOTES), columns, strict=True) if column is None]
            if missing:
                raise DataError(
                    f"{path}: expected the columns of fer2013new.csv, missing {', '.join(missing)}. Give FER+'s file."
                )
            for fields in table.rows():
                usage, *words = (fields[column] for column in columns if column is not None)
                if not all(word.isascii() and word.isdecimal() and len(word) <= _MOST_DIGITS for word in words):
                    table.refuse("whole numbers of votes", ascii(words)[:200])
                usages.append(usage)
                votes.append([int(word) for word in words])
                if len(votes) > _MOST_ROWS:
                    raise DataError(
                        f"{path}: expected fer2013new.csv of about 36,000 rows, found more. Give FER+'s file."
                    )
    except OSError as error:
        raise DataError(f"{path}: not readable ({error.strerror or error}). Give FER+'s fer2013new.csv.") from error
    return usages, np.array(votes, dtype=np.int64).reshape(len(usages), len(VOTES))
