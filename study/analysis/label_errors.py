"""Label errors: what networks say of images that they were not trained on, and labels that this contradicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.analysis.recipes import is_leaky
from study.core.errors import UsageError
from study.core.record import Record
from study.core.store import rows_of


@dataclass(frozen=True)
class HeldOut:
    """Predictions for some images of a set."""

    rows: NDArray[np.int64]  #: int64 (images,), positions in the image set, ascending.
    probabilities: NDArray[np.float64]  #: float64 (images, classes), mean over the networks that held the image out.
    runs: tuple[str, ...]  #: Keys of these networks' runs.
    #: Whether images of the training split are among them (from runs with splits of their own, such as folds).
    whole: bool


def held_out(records: Sequence[Record], splits: NDArray[np.uint8]) -> HeldOut | None:
    """Average what networks predict for images outside their training split; None where no run has any.

    Every run gives its validation split. Runs with splits of their own (folds, clean twins of leaky protocols) give
    their test split too, without images of which training knew an identical copy. The image set's own test split takes
    no part: its predictions choose nothing, labels neither. Left out are leaky runs, networks that diverged and
    imported predictions, of which nobody knows what they were trained on. ``records`` are finished ones with their
    arrays, ``splits`` uint8 (n,) the image set's own splits.
    """
    asked = np.setdiff1d(np.arange(len(splits)), rows_of(splits, "test"))
    times = np.zeros(len(splits), np.int64)
    total: NDArray[np.float64] | None = None
    runs = []
    for record in records:
        if is_leaky(record) or record.imported:
            continue
        arrays = record.arrays
        for split in ("validation", "test"):
            rows = arrays.get(f"{split}_indices", rows_of(splits, split)).astype(np.int64)
            kept = np.isin(rows, asked)  # not numbers of n and more either: changed copies
            if split == "test" and "test_seen" in arrays:
                kept &= arrays["test_seen"] == 0
            probabilities = arrays[f"{split}_probabilities"][kept]
            if not kept.any() or not np.isfinite(probabilities).all():
                continue
            total = np.zeros((len(splits), probabilities.shape[1])) if total is None else total
            np.add.at(total, rows[kept], probabilities)
            np.add.at(times, rows[kept], 1)
            runs.append(record.key)
    if total is None:
        return None
    found = np.flatnonzero(times)
    means = total[found] / times[found, None]
    whole = bool(np.isin(found, rows_of(splits, "train")).any())
    return HeldOut(found, means / means.sum(axis=1, keepdims=True), tuple(dict.fromkeys(runs)), whole)


@dataclass(frozen=True)
class RankedLabels:
    """What predictions say about labels; images are counted as they were passed."""

    #: int64 (suspected,), images whose label is contradicted with confidence, most suspicious first.
    rows: NDArray[np.int64]
    suggested: NDArray[np.int64]  #: int64 (suspected,), the class that each of them is predicted as.
    #: float64 (suspected,), probability of the given class less that of the most probable other, -1..1.
    margin: NDArray[np.float64]
    #: float64 (classes, classes), estimated shares of images by given label (rows) and true class (columns).
    joint: NDArray[np.float64]
    #: float64 (classes,), mean probability of a class over the images labelled so; nan without images.
    thresholds: NDArray[np.float64]

    @property
    def noise(self) -> float:
        """Return the estimated share of wrong labels; the networks' own errors raise it."""
        return float(1 - np.trace(self.joint))


def rank_labels(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> RankedLabels:
    """Rank labels by how confidently held-out predictions contradict them.

    Confident learning, Northcutt, Jiang and Chuang, J. Artif. Intell. Res. 70, 2021, 1373-1411
    (https://arxiv.org/abs/1911.00068), section 3: an image counts for a class where its probability reaches that
    class's mean over the images labelled so, which allows for classes that a network is less sure of; among several it
    counts for the most probable one. Counts by given label and confident class, scaled to the number of labels, are
    the estimated joint distribution. Images off its diagonal whose label is not the most probable class either are
    suspected (the paper's method 2, as cleanlab has it) and ranked by their normalised margin. Labels are int64 (n,),
    probabilities float (n, classes), predicted by networks that were not trained on these images.

    Raises:
        UsageError: no images, shapes that differ, or probabilities that are not finite.
    """
    n, classes = probabilities.shape
    if n == 0 or n != len(labels) or not np.isfinite(probabilities).all():
        raise UsageError(
            f"suspicion needs one row of finite probabilities a label, got {n} rows for {len(labels)} labels. "
            "Leave out networks that diverged."
        )
    probabilities = probabilities.astype(np.float64)
    every = np.arange(n)
    support = np.bincount(labels, minlength=classes)
    own = probabilities[every, labels]
    with np.errstate(invalid="ignore"):
        thresholds = np.bincount(labels, weights=own, minlength=classes) / support
    confident = probabilities >= np.where(np.isnan(thresholds), np.inf, thresholds) - 1e-12
    counted = confident.any(axis=1)
    answers = np.where(confident, probabilities, -1.0).argmax(axis=1)
    counts = np.zeros((classes, classes))
    np.add.at(counts, (labels[counted], answers[counted]), 1)
    others = probabilities.copy()
    others[every, labels] = -np.inf
    margin = own - others.max(axis=1)
    suspected = np.flatnonzero(counted & (answers != labels) & (margin < 0))
    suspected = suspected[np.lexsort((suspected, margin[suspected]))].astype(np.int64)
    sums = counts.sum(axis=1, keepdims=True)
    # A label without any confident image is taken to be right.
    rows = np.divide(counts, sums, out=np.eye(classes), where=sums > 0)
    joint = rows * support[:, None] / support.sum()
    return RankedLabels(suspected, answers[suspected], margin[suspected], joint, thresholds)
