"""Variance components of a recipe's metric: seeds, images and their interaction, seeds and images being crossed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.analysis.clusters import Clusters
from study.analysis.influence import Linearised
from study.core.errors import UsageError

#: A spread over seeds is estimated from at least this many; with fewer only statements on single networks are made.
MINIMUM_SEEDS = 3


@dataclass(frozen=True)
class Components:
    """The parts of the variance of one recipe's metric.

    Score of seed s on image i = mean + seed_s + image_i + interaction_si. The mean over S seeds and n images has
    variance seed / S + image / n + interaction / (S n), where image and interaction are per image.

    Attributes:
        seed: Variance of a network's metric on infinitely many images over seeds; not negative.
        image: Variance over images of what all seeds share (difficulty); per image, not negative.
        interaction: Variance of what is left, single seed and single image; per image.
        observed_seed: Variance of the metric over seeds on this split, = seed + interaction / images: what is seen
            as "seed spread" holds this share of chance in the images even where seeds do not differ.
        seeds: Number of seeds.
        images: Number of images.
    """

    seed: float
    image: float
    interaction: float
    observed_seed: float
    seeds: int
    images: int


def variance_components(scores: Linearised, groups: ArrayLike | Clusters | None = None) -> Components:
    """Estimate the components by the mean squares of the two-way crossed layout without replication.

    Moment estimators as in Searle, Casella and McCulloch, "Variance components", 1992, chapter 4; the layout with
    readers for seeds and cases for images is the usual one in multi-reader studies (Obuchowski and Rockette, Commun.
    Statist. Simul. 24, 1995, 285-308). With duplicates the image's unit is the group, scaled so that
    splits by the number of images gives the variance of a mean over the split.

    Args:
        scores: The metric of at least ``MINIMUM_SEEDS`` seeds with the images' influences.
        groups: (images,) ids equal for images of equal content, or None.

    Raises:
        UsageError: too few seeds, or ids that do not fit the images.
    """
    seeds, images = scores.influence.shape
    refuse_few_seeds(seeds)
    clusters = Clusters.of(groups, images)
    sums = clusters.sums(scores.influence)
    shared = sums.mean(axis=0)
    interaction = images * interaction_variance(sums, clusters)
    image = images * variance_of_mean(shared, clusters) - interaction / seeds
    observed = float(np.var(scores.values, ddof=1))
    return Components(max(observed - interaction / images, 0.0), max(image, 0.0), interaction, observed, seeds, images)


def refuse_few_seeds(seeds: int) -> None:
    """Refuse a statement on a recipe that rests on fewer than ``MINIMUM_SEEDS`` seeds.

    Raises:
        UsageError: too few seeds.
    """
    if seeds < MINIMUM_SEEDS:
        raise UsageError(
            f"a statement on a recipe needs at least {MINIMUM_SEEDS} seeds, got {seeds}. "
            "Run more seeds, or compare the networks themselves."
        )


def variance_of_mean(sums: NDArray[np.float64], clusters: Clusters) -> float:
    """Return the variance over new images of a mean, from the group sums (groups,) of its influences.

    The cluster-robust form, groups / (groups - 1) * sum of squared group sums / images^2 (Liang and Zeger, Biometrika
    73, 1986, 13-22); without duplicates it is the plain variance of a mean.
    """
    return float(clusters.count / (clusters.count - 1) * np.sum(sums**2) / clusters.images**2)


def interaction_variance(sums: NDArray[np.float64], clusters: Clusters) -> float:
    """Return the part of one network's image variance that other seeds do not share, from (seeds, groups) sums."""
    residual = sums - sums.mean(axis=0)
    square = np.sum(residual**2) / (len(sums) - 1)
    return float(clusters.count / (clusters.count - 1) * square / clusters.images**2)
