"""Paired scores: two sets of answers by the same seeds to the same images, and what lies between them."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.analysis.bootstrap import ResampledNetwork, Resamples, bootstrap_weights, network_contrast
from study.analysis.clusters import Clusters
from study.analysis.components import MINIMUM_SEEDS
from study.analysis.contrasts import linear_contrast
from study.analysis.influence import Linearised, linearise
from study.analysis.scores import NETWORK, RECIPE, Statement

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
        return self._contrast(metric, [(answers, 1.0)])

    def difference(self, metric: str, first: Answers, second: Answers) -> Statement:
        """Return first less second; row by row they are of the same seed."""
        return self._contrast(metric, [(first, 1.0), (second, -1.0)])

    def value(self, metric: str, answers: Answers) -> float:
        """Return the mean of a metric over seeds without an interval."""
        return float(linearise(metric, self._certain(answers), self.labels).values.mean())

    def _contrast(self, metric: str, parts: list[tuple[Answers, float]]) -> Statement:
        seeds = len(parts[0][0])
        if seeds >= MINIMUM_SEEDS:
            found = [(linearise(metric, self._certain(answers), self.labels), sign) for answers, sign in parts]
            joint = Linearised(
                np.sum([sign * one.values for one, sign in found], axis=0),
                np.sum([sign * one.influence for one, sign in found], axis=0),
            )
            estimate = linear_contrast([joint], [1.0], self.clusters)
            return Statement(RECIPE, estimate.value, estimate.low, estimate.high, estimate.p_value, (), estimate)
        networks = [
            (ResampledNetwork(certain, self.labels, self._resamples), sign / seeds)
            for answers, sign in parts
            for certain in self._certain(answers)
        ]
        drawn = network_contrast(metric, [one for one, _ in networks], [weight for _, weight in networks])
        return Statement(NETWORK, drawn.value, drawn.low, drawn.high, drawn.p_value, ())

    def _certain(self, answers: Answers) -> NDArray[np.float32]:
        """Return answers as probabilities of one, which is all that metrics of the confusion matrix look at."""
        certain: NDArray[np.float32] = np.eye(self.classes, dtype=np.float32)[answers]
        return certain

    @cached_property
    def _resamples(self) -> Resamples:
        return Resamples(bootstrap_weights(len(self.labels), self.clusters))
