"""Each metric as a function of sums over images, with the influence of every image on it (delta method).

A metric is a function of the sums of what images add to cells, and of the number of images (``study.analysis.metric``).
Resampling therefore means reweighting the sums, and the influence of image i is n times the metric's gradient along
what the image adds: the infinitesimal jackknife (Jaeckel 1972, Bell Laboratories memorandum MM72-1215-11; Efron and
Tibshirani, "An introduction to the bootstrap", 1993, chapter 21). The influences of a network average to zero, and the
variance of their mean is the metric's variance over new images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.metric import METRICS
from study.core.errors import UsageError


@dataclass(frozen=True)
class Linearised:
    """One recipe's metric, seed by seed, with the influence of each image."""

    #: float64 (seeds,), the metric of each network on the whole split; nan where it is not defined.
    values: NDArray[np.float64]
    #: float64 (seeds, images), mean zero in each row; the metric moves by influence / images where one more copy of the
    #: image is scored.
    influence: NDArray[np.float64]
    #: float64 (seeds, guards), the influences of one more right and one more wrong image of each class. A few images
    #: that all were found, or none, say nothing of how far the next ones vary; with the guards they do, as in Agresti
    #: and Coull (Amer. Statist. 52, 1998, 119-126). Beside hundreds of images they do not matter.
    guard: NDArray[np.float64]


def linearise(
    metric: str, probabilities: NDArray[Any], labels: NDArray[Any], class_index: int | None = None
) -> Linearised:
    """Return a registered metric for each seed and the influence of each image on it.

    Probabilities are (seeds, images, classes), labels int (images,); metrics of one class need ``class_index``.
    For accuracy, log loss and Brier score the linearisation is exact; for the others it is the first-order term. ECE's
    takes bins as fixed and has no derivative where a bin's accuracy equals its confidence, so its intervals hold for
    networks that are visibly over- or underconfident, not for nearly calibrated ones.

    Raises:
        UsageError: an unknown metric, a class metric without its class, or shapes that do not fit.
    """
    if probabilities.ndim != 3:
        raise UsageError(f"probabilities must have shape (seeds, images, classes), got {probabilities.shape}.")
    found, labels, classes = METRICS.get(metric), np.asarray(labels), probabilities.shape[-1]
    if labels.shape != probabilities.shape[1:2] or (len(labels) and not 0 <= labels.min() <= labels.max() < classes):
        raise UsageError(
            f"labels must be one class index below {classes} for each of {probabilities.shape[1]} images, "
            f"got shape {labels.shape}. Pass labels and probabilities of the same split."
        )
    cell, amount, cells = found.contributions(probabilities, labels)
    seeds, images = cell.shape
    offset = cell + cells * np.arange(seeds)[:, None]
    counted = np.bincount(offset.ravel(), weights=amount.ravel(), minlength=seeds * cells)
    sums = counted.reshape(seeds, cells).astype(np.float64)
    values, (slopes, count_slope) = found.of_sums(sums, float(images)), found.gradient(sums, float(images))
    if found.each_class:
        if class_index is None or not 0 <= class_index < classes:
            raise UsageError(
                f"{metric} belongs to one class: class_index must be 0 to {classes - 1}, got {class_index}."
            )
        values, slopes, count_slope = (part[:, class_index] for part in (values, slopes, count_slope))
    influence = images * (np.take_along_axis(slopes, cell, axis=1) * amount + count_slope[:, None])
    guards = _guards(images * (slopes + count_slope[:, None]), sums) if found.confusion else np.zeros((seeds, 0))
    return Linearised(np.asarray(values), influence, guards)


def linearise_mean(per_image: NDArray[Any], ends: tuple[float, float] = (0.0, 1.0)) -> Linearised:
    """Return the mean of a score of each image (seeds, images), such as correctness, with its exact influences.

    Guards lie at the ends: the least and the largest score that an image can have.
    """
    scores = np.asarray(per_image, dtype=np.float64)
    values = scores.mean(axis=1, keepdims=True)
    return Linearised(values[:, 0], scores - values, np.asarray(ends) - values)


def _guards(by_cell: NDArray[np.float64], sums: NDArray[Any]) -> NDArray[np.float64]:
    """Return what one more right and one more wrong image of each class would add, from (seeds, cells) of each."""
    seeds, classes = len(sums), round(sums.shape[1] ** 0.5)
    influence, counts = by_cell.reshape(seeds, classes, classes), sums.reshape(seeds, classes, classes)
    support = counts.sum(axis=2)
    mean = (influence * counts).sum(axis=2) / np.maximum(support, 1.0)
    apart = influence - mean[:, :, None]
    right = np.einsum("scc->sc", apart)
    wrong = np.sqrt((np.sum(apart**2, axis=2) - right**2) / max(classes - 1, 1))  # of whichever wrong class
    return np.where(np.tile(support > 0, 2), np.concatenate([right, wrong], axis=1), 0.0)
