"""Held-out predictions: what a study's networks say about images that they were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.recipes import is_leaky
from study.core.record import Record
from study.core.spec import SPLITS

_TEST = SPLITS.index("test")


@dataclass(frozen=True)
class HeldOut:
    """Predictions for some images of a set.

    Attributes:
        rows: int64 (images,), positions in the image set, ascending.
        probabilities: float64 (images, classes), mean over the networks that held the image out.
        runs: Keys of these networks' runs.
        whole: Whether images of the training split are among them (from runs with splits of their own, such as folds).
    """

    rows: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    runs: tuple[str, ...]
    whole: bool


def held_out(records: Sequence[Record], splits: NDArray[np.uint8]) -> HeldOut | None:
    """Average what networks predict for images outside their training split; None where no run has any.

    Every run gives its validation split. Runs with splits of their own (folds, clean twins of leaky protocols) give
    their test split too, without images of which training knew an identical copy. The image set's own test split takes
    no part: its predictions choose nothing, labels neither. Left out are leaky runs, networks that diverged and
    imported predictions, of which nobody knows what they were trained on.

    Args:
        records: Finished records with their arrays.
        splits: uint8 (n,), the image set's own splits.
    """
    n = len(splits)
    total: NDArray[np.float64] | None = None
    times = np.zeros(n, np.int64)
    runs = []
    for record in records:
        if is_leaky(record) or record.imported:
            continue
        for split in ("validation", "test"):
            rows, probabilities = _predictions(record, split, splits)
            if not len(rows) or not np.isfinite(probabilities).all():
                continue
            total = np.zeros((n, probabilities.shape[1])) if total is None else total
            np.add.at(total, rows, probabilities)
            np.add.at(times, rows, 1)
            runs.append(record.key)
    if total is None:
        return None
    found = np.flatnonzero(times)
    means = total[found] / times[found, None]
    whole = bool(np.any(splits[found] == SPLITS.index("train")))
    return HeldOut(found, means / means.sum(axis=1, keepdims=True), tuple(dict.fromkeys(runs)), whole)


def _predictions(
    record: Record, split: str, splits: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """Return positions in the image set and probabilities of one split that a run held out."""
    arrays = record.arrays
    probabilities: NDArray[Any] = arrays[f"{split}_probabilities"]
    own = f"{split}_indices" not in arrays
    if own and split == "test":
        return np.empty(0, np.int64), probabilities[:0]
    rows = np.flatnonzero(splits == SPLITS.index(split)) if own else arrays[f"{split}_indices"].astype(np.int64)
    kept = rows < len(splits)  # higher numbers are changed copies
    kept[kept] = splits[rows[kept]] != _TEST
    if split == "test":
        kept &= arrays["test_seen"] == 0
    return rows[kept], probabilities[kept]
