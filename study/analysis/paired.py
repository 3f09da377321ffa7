"""Paired scores: two sets of answers by the same seeds to the same images, and what lies between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.analysis.clusters import Clusters
from study.analysis.contrasts import Sample
from study.analysis.influence import Linearised, linearise
from study.analysis.scores import Measure, Statement, bounded, stated, within

Answers = NDArray[np.integer]


class PairedScores:
    """Scores of answers to the same images, with intervals.

    With three seeds or more statements are on recipes: the difference is taken seed by seed, since both networks of a
    seed start alike, and the seeds are the sample. With fewer they are on the trained networks, over new images.

    Args:
        labels: int (images,).
        classes: Number of classes.
        groups: (images,) ids equal for images of equal content, or None where that is not known.
    """

    def __init__(self, labels: NDArray[np.integer], classes: int, groups: ArrayLike | None) -> None:
        self.labels = np.asarray(labels, dtype=np.int64)
        self.classes = classes
        self.clusters = Clusters.of(groups, len(self.labels))

    def score(self, metric: str, answers: Answers) -> Statement:
        """Return the mean of a metric over seeds, for answers of shape (seeds, images)."""
        return bounded(
            stated(Sample.of(self._linearised(metric, answers), self.clusters)), self.labels, Measure(metric)
        )

    def difference(self, metric: str, first: Answers, second: Answers) -> Statement:
        """Return first less second; row by row they are of the same seed."""
        one, other = self._linearised(metric, first), self._linearised(metric, second)
        guard = np.concatenate([one.guard, other.guard], axis=1)
        apart = Linearised(one.values - other.values, one.influence - other.influence, guard)
        return within(stated(Sample.of(apart, self.clusters)), (1.0, -1.0), Measure(metric))

    def value(self, metric: str, answers: Answers) -> float:
        """Return the mean of a metric over seeds without an interval."""
        return float(self._linearised(metric, answers).values.mean())

    def _linearised(self, metric: str, answers: Answers) -> Linearised:
        certain = np.eye(self.classes, dtype=np.float32)[answers]  # metrics of the confusion matrix look at no more
        return linearise(metric, certain, self.labels)
