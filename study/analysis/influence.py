"""Each metric as a function of sums over images, with the influence of every image on it (delta method).

Every image adds one amount to one cell: a confusion cell, a calibration bin, or a plain total. A metric is a function
of the cells' sums and of the number of images. Resampling therefore means reweighting the sums, and the influence of
image i is n times the metric's gradient along what the image adds: the infinitesimal jackknife (Jaeckel 1972, Bell
Laboratories memorandum MM72-1215-11; Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 21). The
influences of a network average to zero, and the variance of their mean is the metric's variance over new images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.calibration import BINS, SMALLEST_PROBABILITY, confidence_bins
from study.core.errors import UsageError, unknown_name

#: Metrics over all classes, computed from the confusion matrix.
CONFUSION_METRICS = ("accuracy", "balanced_accuracy", "macro_f1")
#: Metrics of one class; they need ``class_index``.
CLASS_METRICS = ("precision", "recall", "f1")
#: Metrics of the probabilities: the mean negative log-likelihood (nats), the Brier score (0 to 2), the ECE (0 to 1).
PROBABILITY_METRICS = ("log_loss", "brier", "ece")
METRICS = (*CONFUSION_METRICS, *CLASS_METRICS, *PROBABILITY_METRICS)


@dataclass(frozen=True)
class Linearised:
    """One recipe's metric, seed by seed, with the influence of each image.

    Attributes:
        values: float64 (seeds,), the metric of each network on the whole split; nan where it is not defined.
        influence: float64 (seeds, images), mean zero in each row; the metric moves by influence / images
            where one more copy of the image is scored.
        guard: float64 (seeds, guards), the influences of one more right and one more wrong image of each class. A few
            images that all were found, or none, say nothing of how far the next ones vary; with the guards they do, as
            in Agresti and Coull (Amer. Statist. 52, 1998, 119-126). Beside hundreds of images they do not matter.
    """

    values: NDArray[np.float64]
    influence: NDArray[np.float64]
    guard: NDArray[np.float64]


@dataclass(frozen=True)
class Contributions:
    """What each image adds to the sums that a metric is made of.

    Attributes:
        cell: int64 (..., images), the one cell that the image adds to.
        amount: float64 (..., images), what it adds.
        cells: Number of cells.
    """

    cell: NDArray[np.int64]
    amount: NDArray[np.float64]
    cells: int


def linearise(
    metric: str, probabilities: NDArray[Any], labels: NDArray[Any], class_index: int | None = None
) -> Linearised:
    """Return a recipe's metric for each seed and the influence of each image on it.

    For accuracy, log loss and Brier score the linearisation is exact; for the others it is the first-order term. ECE's
    takes bins as fixed and has no derivative where a bin's accuracy equals its confidence, so its intervals hold for
    networks that are visibly over- or underconfident, not for nearly calibrated ones.

    Args:
        metric: One of ``METRICS``.
        probabilities: (seeds, images, classes).
        labels: int (images,).
        class_index: The class, for the metrics of one class.

    Raises:
        UsageError: an unknown metric, a class metric without its class, or shapes that do not fit.
    """
    if probabilities.ndim != 3:
        raise UsageError(f"probabilities must have shape (seeds, images, classes), got {probabilities.shape}.")
    added = contributions(metric, probabilities, labels)
    seeds, images = added.cell.shape
    offset = added.cell + added.cells * np.arange(seeds)[:, None]
    sums = np.bincount(offset.ravel(), weights=added.amount.ravel(), minlength=seeds * added.cells)
    sums = sums.reshape(seeds, added.cells)
    values = metric_of_sums(metric, sums, np.full(seeds, float(images)), class_index)
    slopes, count_slope = gradient_of_sums(metric, sums, float(images), class_index)
    influence = images * (np.take_along_axis(slopes, added.cell, axis=1) * added.amount + count_slope[:, None])
    if metric in PROBABILITY_METRICS:
        return Linearised(values, influence, np.zeros((seeds, 0)))
    by_cell = images * (slopes + count_slope[:, None])
    return Linearised(values, influence, _guards(by_cell, sums))


def linearise_mean(per_image: NDArray[Any], ends: tuple[float, float] = (0.0, 1.0)) -> Linearised:
    """Return the mean of a score of each image, such as correctness, with its exact influences.

    Args:
        per_image: (seeds, images).
        ends: The least and the largest score that an image can have; guards lie there.
    """
    scores = np.asarray(per_image, dtype=np.float64)
    values = scores.mean(axis=1, keepdims=True)
    return Linearised(values[:, 0], scores - values, np.asarray(ends) - values)


def _guards(by_cell: NDArray[np.float64], sums: NDArray[Any]) -> NDArray[np.float64]:
    """Return what one more right and one more wrong image of each class would add, less that class's mean.

    Args:
        by_cell: (seeds, cells), the influence of an image in each cell of the confusion matrix.
        sums: (seeds, cells), the images in each cell.
    """
    seeds, classes = len(sums), round(sums.shape[1] ** 0.5)
    influence, counts = by_cell.reshape(seeds, classes, classes), sums.reshape(seeds, classes, classes)
    support = counts.sum(axis=2)
    mean = (influence * counts).sum(axis=2) / np.maximum(support, 1.0)
    apart = influence - mean[:, :, None]
    right = np.einsum("scc->sc", apart)
    wrong = np.sqrt((np.sum(apart**2, axis=2) - right**2) / max(classes - 1, 1))  # of whichever wrong class
    return np.where(np.tile(support > 0, 2), np.concatenate([right, wrong], axis=1), 0.0)


def contributions(metric: str, probabilities: NDArray[Any], labels: NDArray[Any]) -> Contributions:
    """Return the cell and the amount of each image, for probabilities of shape (..., images, classes).

    Raises:
        UsageError: an unknown metric, or labels that do not fit the probabilities.
    """
    if metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)
    classes = probabilities.shape[-1]
    labels = np.asarray(labels)
    if labels.shape != probabilities.shape[-2:-1] or (len(labels) and not 0 <= labels.min() <= labels.max() < classes):
        raise UsageError(
            f"labels must be one class index below {classes} for each of {probabilities.shape[-2]} images, "
            f"got shape {labels.shape}. Pass labels and probabilities of the same split."
        )
    predicted = probabilities.argmax(axis=-1)
    if metric in CONFUSION_METRICS or metric in CLASS_METRICS:
        return Contributions(labels * classes + predicted, np.ones(predicted.shape), classes * classes)
    if metric == "ece":
        confidence = probabilities.max(axis=-1).astype(np.float64)
        return Contributions(confidence_bins(confidence), (predicted == labels) - confidence, BINS)
    true = np.take_along_axis(probabilities, np.broadcast_to(labels, predicted.shape)[..., None], axis=-1)[..., 0]
    true = true.astype(np.float64)
    if metric == "log_loss":
        loss = -np.log(np.clip(true, SMALLEST_PROBABILITY, 1.0))
    else:
        loss = (probabilities.astype(np.float64) ** 2).sum(axis=-1) - 2.0 * true + 1.0
    return Contributions(np.zeros(predicted.shape, dtype=np.int64), loss, 1)


def metric_of_sums(
    metric: str, sums: NDArray[Any], count: NDArray[Any] | float, class_index: int | None = None
) -> NDArray[np.float64]:
    """Return the metric of each row of sums.

    Averages over classes take the classes that occur among the labels. A class without images has no scores (nan), and
    one that is never predicted no precision.

    Args:
        metric: One of ``METRICS``.
        sums: (..., cells), the sums of the amounts in each cell.
        count: (...), the number of images in each row, repeated draws counted.
        class_index: The class, for the metrics of one class.
    """
    if metric in PROBABILITY_METRICS:
        return np.asarray(np.abs(sums).sum(axis=-1) / count)
    confusion, hits, actual, predicted = _margins(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric == "accuracy":
            return np.asarray(hits.sum(axis=-1) / count)
        if metric == "balanced_accuracy":
            return _mean_over_present(hits / actual, actual)
        f1 = np.where(actual > 0, 2.0 * hits / (actual + predicted), np.nan)
        if metric == "macro_f1":
            return _mean_over_present(f1, actual)
        per_class = {"recall": hits / actual, "precision": np.where(actual > 0, hits / predicted, np.nan), "f1": f1}[
            metric
        ]
    return np.asarray(per_class[..., _checked_class(metric, class_index, confusion.shape[-1])])


def gradient_of_sums(
    metric: str, sums: NDArray[Any], count: float, class_index: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the metric's derivatives by the cells' sums, (..., cells), and by the number of images, (...)."""
    value = metric_of_sums(metric, sums, count, class_index)
    if metric in PROBABILITY_METRICS:
        return np.sign(sums) / count, -value / count
    confusion, hits, actual, predicted = _margins(sums)
    classes = confusion.shape[-1]
    diagonal = np.eye(classes)
    if metric == "accuracy":
        return np.broadcast_to((diagonal / count).reshape(-1), sums.shape), -value / count
    if metric in CLASS_METRICS:
        chosen = np.arange(classes) == _checked_class(metric, class_index, classes)
        weight = np.broadcast_to(chosen.astype(np.float64), actual.shape)
    else:
        weight = (actual > 0) / (actual > 0).sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric in ("recall", "balanced_accuracy"):
            by_row, by_column, top, below = 1.0, 0.0, 1.0, actual
        elif metric == "precision":
            by_row, by_column, top, below = 0.0, 1.0, 1.0, predicted
        else:
            by_row, by_column, top, below = 1.0, 1.0, 2.0, actual + predicted
        # Each class metric is top * hits / below, where below is the class's row sum, column sum or both.
        scale = np.where(below > 0, weight / below, 0.0)
        fall = scale * np.where(below > 0, top * hits / below, 0.0)
    slopes = diagonal * (top * scale)[..., None, :] - by_row * fall[..., :, None] - by_column * fall[..., None, :]
    return slopes.reshape(sums.shape), np.zeros(sums.shape[:-1])


def _margins(sums: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return confusion (..., true, predicted), its diagonal, its row sums and its column sums."""
    classes = round(sums.shape[-1] ** 0.5)
    confusion = sums.reshape(*sums.shape[:-1], classes, classes)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return confusion, hits, confusion.sum(axis=-1), confusion.sum(axis=-2)


def _mean_over_present(per_class: NDArray[Any], actual: NDArray[Any]) -> NDArray[np.float64]:
    present = actual > 0
    return np.asarray(np.where(present, per_class, 0.0).sum(axis=-1) / present.sum(axis=-1))


def _checked_class(metric: str, class_index: int | None, classes: int) -> int:
    if class_index is None or not 0 <= class_index < classes:
        raise UsageError(f"{metric} belongs to one class: class_index must be 0 to {classes - 1}, got {class_index}.")
    return class_index
