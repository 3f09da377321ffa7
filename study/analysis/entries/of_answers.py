"""What follows from the answers: accuracy, balanced accuracy, macro-F1; precision, recall and F1 of each class.

Averages over classes take the classes that occur among the labels. A class without images has no scores (nan), and one
that is never predicted no precision.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.metric import Array, Metric, confusion_cells, register


def _margins(sums: NDArray[Any]) -> tuple[Array, Array, Array]:
    """Return the diagonal of the confusion matrix, its row sums and its column sums, (..., classes) each."""
    classes = round(sums.shape[-1] ** 0.5)
    confusion = sums.reshape(*sums.shape[:-1], classes, classes)
    return np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-1), confusion.sum(axis=-2)


def _accuracy(sums: Array, images: Any) -> Array:
    return np.asarray(_margins(sums)[0].sum(axis=-1) / images)


def _accuracy_slopes(sums: Array, images: Any) -> tuple[Array, Array]:
    classes = round(sums.shape[-1] ** 0.5)
    return np.broadcast_to(np.eye(classes).reshape(-1) / images, sums.shape), -_accuracy(sums, images) / images


#: A class's score is factor * hits / (by_row * its images + by_column * answers of it).
_SHAPES = {"recall": (1.0, 1.0, 0.0), "precision": (1.0, 0.0, 1.0), "f1": (2.0, 1.0, 1.0)}


def _of_classes(kind: str, sums: Array, images: Any) -> Array:
    hits, actual, predicted = _margins(sums)
    factor, by_row, by_column = _SHAPES[kind]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(actual > 0, factor * hits / (by_row * actual + by_column * predicted), np.nan)


def _of_classes_slopes(kind: str, sums: Array, images: Any) -> tuple[Array, Array]:
    hits, actual, predicted = _margins(sums)
    factor, by_row, by_column = _SHAPES[kind]
    below = by_row * actual + by_column * predicted
    scale = np.divide(1.0, below, out=np.zeros_like(below), where=below > 0)
    fall = scale * np.divide(factor * hits, below, out=np.zeros_like(below), where=below > 0)
    one = np.eye(hits.shape[-1])
    slopes = (one[:, :, None] * one[:, None, :]) * (factor * scale)[..., None, None]
    slopes = slopes - by_row * one[:, :, None] * fall[..., None, None]
    slopes = slopes - by_column * one[:, None, :] * fall[..., None, None]
    return slopes.reshape(*hits.shape, -1), np.zeros(hits.shape)


def _average(kind: str, sums: Array, images: Any) -> Array:
    present = _margins(sums)[1] > 0
    each = np.where(present, _of_classes(kind, sums, images), 0.0)
    return np.asarray(each.sum(axis=-1) / present.sum(axis=-1))


def _average_slopes(kind: str, sums: Array, images: Any) -> tuple[Array, Array]:
    present = _margins(sums)[1] > 0
    weight = present / present.sum(axis=-1, keepdims=True)
    slopes, _ = _of_classes_slopes(kind, sums, images)
    return np.einsum("...k,...kc->...c", weight, slopes), np.zeros(sums.shape[:-1])


_add = functools.partial(register, file=__file__)
_add(Metric("accuracy", "accuracy", confusion_cells, _accuracy, _accuracy_slopes, with_effects=True, place=0))
for _kind, _name, _title, _heading, _place in (
    ("recall", "balanced_accuracy", "balanced accuracy", "balanced acc.", 20),
    ("f1", "macro_f1", "macro-F1", "macro-F1", 10),
):
    _functions = functools.partial(_average, _kind), functools.partial(_average_slopes, _kind)
    _add(Metric(_name, _title, confusion_cells, *_functions, heading=_heading, with_effects=True, place=_place))
for _place, (_kind, _title) in enumerate((("precision", "precision"), ("recall", "recall"), ("f1", "F1"))):
    _functions = functools.partial(_of_classes, _kind), functools.partial(_of_classes_slopes, _kind)
    _more: dict[str, Any] = {"each_class": True, "on_leaderboard": False, "place": _place}
    _add(Metric(_kind, _title, confusion_cells, *_functions, **_more))
