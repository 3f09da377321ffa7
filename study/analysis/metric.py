"""Metrics, each registered in a file of ``study/analysis/entries`` or of a plugin; nothing else needs editing.

A metric is a function of sums: every image adds one amount to one cell (a confusion cell, a calibration bin, or a plain
total), and the metric follows from the cells' sums and the number of images. Intervals and tests need no more:
``study.analysis.influence`` takes the influence of every image from the function's slopes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError
from study.core.registry import Registry

Array = NDArray[np.float64]
#: Cell of each image, amount that it adds, and number of cells, from probabilities (..., images, classes) and labels.
Contributions = tuple[NDArray[np.int64], Array, int]
#: Step in images by which slopes are measured: small beside a count, large beside rounding.
STEP = 1e-3
#: Numbers that are held at once to measure slopes.
_MOST_NUMBERS = 1 << 22


@dataclass(frozen=True)
class Metric:
    """A metric and where it is shown."""

    name: str  #: In tables and CSV: lower-case letters, digits and ``_``.
    title: str  #: In a sentence (``macro-F1``).
    contributions: Callable[[NDArray[Any], NDArray[Any]], Contributions]  #: What each image adds to which cell.
    #: ``(sums (..., cells), images (...)) -> (...)``, or (..., classes) of a metric of each class.
    of_sums: Callable[[Array, Any], Array]
    #: ``(sums, images) ->`` derivatives by the sums, (..., cells) or (..., classes, cells), and by the number of
    #: images; None has them measured.
    slopes: Callable[[Array, Any], tuple[Array, Array]] | None = None
    each_class: bool = False  #: Whether it is a number of each class.
    confusion: bool = True  #: Whether the answers alone matter, not the probabilities.
    share: bool = True  #: Whether it is shown in percent, and an interval kept within ``lowest`` and 1.
    lowest: float = 0.0  #: What a share cannot fall below: 0, or -1.
    heading: str = ""  #: Of its column in the leaderboard; empty keeps it to ``tables/leaderboard.csv``.
    on_leaderboard: bool = True  #: Whether it has a column there at all.
    with_effects: bool = False  #: Whether factor effects on it are tested, as a family of their own.
    place: int = 100  #: Its place among the metrics of a table.

    def gradient(self, sums: Array, images: float) -> tuple[Array, Array]:
        """Return the derivatives by the cells' sums and by the number of images, measured where none are given.

        A row of the confusion matrix without images has no slopes: nothing can be said of a class that is not there.
        """
        if self.slopes is not None:
            return self.slopes(sums, images)
        cells = sums.shape[-1]
        steps = STEP * np.eye(cells)
        parts = []
        at_once = max(1, _MOST_NUMBERS // max(1, sums.size))
        with np.errstate(invalid="ignore", divide="ignore"):
            for first in range(0, cells, at_once):
                moved = steps[first : first + at_once].reshape(-1, *(1,) * (sums.ndim - 1), cells)
                up, down = (self.of_sums(sums + sign * moved, images) for sign in (1.0, -1.0))
                parts.append((up - down) / (2.0 * STEP))
            by_count = self.of_sums(sums, images + STEP) - self.of_sums(sums, images - STEP)
        slopes = np.moveaxis(np.concatenate(parts), 0, -1)
        if self.confusion:
            classes = round(cells**0.5)
            present = np.repeat(sums.reshape(*sums.shape[:-1], classes, classes).sum(axis=-1) > 0.0, classes, axis=-1)
            slopes = np.where(present[..., None, :] if self.each_class else present, slopes, 0.0)
        return slopes, by_count / (2.0 * STEP)


METRICS: Registry[Metric] = Registry("metric", package="study.analysis.entries")


def ordered(chosen: Callable[[Metric], bool] = lambda one: True) -> list[Metric]:
    """Return the registered metrics that are chosen, in the order of every table."""
    return sorted((one for one in METRICS if chosen(one)), key=lambda one: (one.place, one.name))


def register(metric: Metric, file: str) -> Metric:
    """Register a metric.

    Raises:
        UsageError: a malformed or taken name.
    """
    if not metric.name.isidentifier() or metric.name != metric.name.lower():
        raise UsageError(f"a metric's name takes lower-case letters, digits and '_', got {metric.name!r}.")
    METRICS.add(metric.name, metric, file)
    return metric


def of_confusion(name: str, **more: Any) -> Callable[[Callable[[Array], Array]], Callable[[Array], Array]]:
    """Register the decorated function of the confusion matrix as a metric.

    It takes float64 counts (..., true classes, predicted classes) and returns (...), or (..., classes) with
    ``each_class``. It must not change where all counts are multiplied. Further fields of ``Metric`` follow the name,
    which is the title unless another is given.
    """

    def add(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
        def of_sums(sums: Array, images: Any) -> Array:
            classes = round(sums.shape[-1] ** 0.5)
            return function(sums.reshape(*sums.shape[:-1], classes, classes))

        fields = {"title": name.replace("_", " "), **more}
        metric = Metric(name, contributions=confusion_cells, of_sums=of_sums, **fields)
        register(metric, inspect.getsourcefile(function) or "?")
        return function

    return add


def of_images(name: str, **more: Any) -> Callable[[Callable[[Array, NDArray[Any]], Array]], Any]:
    """Register the decorated score of each image as a metric: its mean over the images.

    It takes probabilities (..., images, classes) and labels int (images,) and returns (..., images). Further fields of
    ``Metric`` follow the name, which is the title unless another is given.
    """

    def add(function: Callable[[Array, NDArray[Any]], Array]) -> Any:
        def contributions(probabilities: NDArray[Any], labels: NDArray[Any]) -> Contributions:
            scores = np.asarray(function(probabilities, labels), np.float64)
            return np.zeros(scores.shape, np.int64), scores, 1

        fields = {"title": name.replace("_", " "), "confusion": False, **more}
        metric = Metric(name, contributions=contributions, of_sums=_mean, slopes=_mean_slopes, **fields)
        register(metric, inspect.getsourcefile(function) or "?")
        return function

    return add


def confusion_cells(probabilities: NDArray[Any], labels: NDArray[Any]) -> Contributions:
    """Return the confusion cell of each image, row by row."""
    classes, answers = probabilities.shape[-1], probabilities.argmax(axis=-1)
    return labels * classes + answers, np.ones(answers.shape), classes * classes


def _mean(sums: Array, images: Any) -> Array:
    return np.asarray(sums[..., 0] / images)


def _mean_slopes(sums: Array, images: Any) -> tuple[Array, Array]:
    return np.ones(sums.shape) / images, -_mean(sums, images) / images
