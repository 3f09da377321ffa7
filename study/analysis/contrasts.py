"""Contrasts of recipes and of networks: means, differences and effects with intervals that few seeds can bear.

The arithmetic takes leading batch dimensions, so that simulations run it on thousands of studies at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.analysis.influence import Linearised
from study.core.errors import UsageError

Array = NDArray[np.float64]

LEVEL = 0.95
#: A spread over seeds is estimated from at least this many; with fewer only statements on single networks are made.
MINIMUM_SEEDS = 3
#: In tests of many recipes each variance over seeds is averaged with that of all of them, which weighs as much as
#: ``PRIOR_PER_RECIPE`` degrees of freedom for each recipe above two, ``MOST_PRIOR`` at most (``docs/statistics.md``).
PRIOR_PER_RECIPE, MOST_PRIOR = 1, 4
#: Smallest one-sided tail that is told from zero.
SMALLEST_TAIL = 1e-16


@dataclass(frozen=True)
class Clusters:
    """Groups of images of equal content: each is one draw of the population, so that sums are taken group by group."""

    order: NDArray[np.int64]  #: int64 (images,), the images sorted by group.
    starts: NDArray[np.int64]  #: int64 (groups,), where each group starts in ``order``.

    @classmethod
    def of(cls, groups: ArrayLike | Clusters | None, images: int) -> Clusters:
        """Sort images by ids (images,) of any type; without ids every image is a group, clusters stay what they are.

        Raises:
            UsageError: another number of ids than of images, or fewer than two groups.
        """
        if isinstance(groups, Clusters):
            clusters = groups
        elif groups is None:
            clusters = cls(np.arange(images), np.arange(images))
        else:
            _, index, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
            clusters = cls(np.argsort(index, kind="stable"), np.cumsum(sizes) - sizes)
        if clusters.images != images or clusters.count < 2:
            raise UsageError(
                f"a group id for each image and at least two groups are needed, got {clusters.images} ids in "
                f"{clusters.count} groups for {images} images. Pass the content hashes of the same split."
            )
        return clusters

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.order)

    @property
    def count(self) -> int:
        """Number of groups."""
        return len(self.starts)

    def sums(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the sums over each group: (..., images) to (..., groups)."""
        return np.add.reduceat(values[..., self.order], self.starts, axis=-1)


@dataclass(frozen=True)
class Sample:
    """One recipe's metric on a split, or one network's, reduced to what contrasts need."""

    values: Array  #: float64 (networks,), the metric of each network.
    seeds: tuple[int, ...]  #: Their seeds: networks of two recipes with one seed saw the same order of images.
    start: str  #: Recipes of the same start began from the same weights where seeds agree.
    shared: Array  #: float64 (groups,), sums over each group of images of the influence, averaged over the networks.
    guard: Array  #: float64 (guards,), ``Linearised.guard`` averaged over the networks.
    interaction: float  #: Variance of one network's metric over new images that the other networks do not share.
    images: int  #: Number of images.

    @classmethod
    def of(
        cls, scores: Linearised, groups: ArrayLike | Clusters | None = None, seeds: Sequence[int] = (), start: str = ""
    ) -> Sample:
        """Reduce a metric's values and influences; without seeds the networks share none with another recipe."""
        networks, images = scores.influence.shape
        clusters = Clusters.of(groups, images)
        sums = clusters.sums(scores.influence)
        shared = sums.mean(axis=0)
        alone = np.sum((sums - shared) ** 2) / max(networks - 1, 1)
        scale = clusters.count / (clusters.count - 1) / images**2
        numbers = tuple(seeds) if len(set(seeds)) == networks else tuple(-1 - place for place in range(networks))
        return cls(scores.values, numbers, start, shared, scores.guard.mean(axis=0), float(scale * alone), images)


@dataclass(frozen=True)
class Estimate:
    """A contrast with the two parts of its variance."""

    value: float  #: The contrast, on the metric's scale (0.02 are two points of accuracy).
    seed_variance: float  #: The part that comes from seeds, interaction included; 0 for given networks.
    seed_degrees: float  #: Degrees of freedom of that part.
    image_variance: float  #: The part that comes from images, common to all seeds.
    image_degrees: float  #: Degrees of freedom of that part.

    @property
    def parts(self) -> tuple[float, float, float, float]:
        """The two variances, each with its degrees of freedom."""
        return self.seed_variance, self.seed_degrees, self.image_variance, self.image_degrees

    @property
    def standard_error(self) -> float:
        """Over new seeds and new images; nan where the data support none."""
        variance = self.seed_variance + self.image_variance
        return float(np.sqrt(variance)) if variance > 0.0 and np.isfinite(self.value) else float("nan")

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the ends of the interval; nan where the data support none."""
        width = float(reach((1.0 - level) / 2.0, *self.parts)) + 0.0 * self.standard_error
        return self.value - width, self.value + width

    def tail(self, threshold: float) -> float:
        """Return the one-sided p-value for the contrast lying beyond a threshold, on whichever side it is."""
        return float(tail(abs(self.value - threshold), *self.parts)) + 0.0 * self.standard_error

    @property
    def p_value(self) -> float:
        """Two-sided, for the contrast being zero; of no use for a single mean."""
        return 2.0 * self.tail(0.0)


class Family:
    """The recipes that one metric compares: what their seeds vary, and how alike; weights are one for each of them.

    For a contrast with weights w of recipes with S seeds each, where s is the observed deviation over seeds, r the
    correlation of two recipes over their common seeds, u the influences of images and I the interaction in one
    network's mean,

        variance = sum of w w' r s s' / S  +  max(0, Var_images(mean of sum of w u) - sum of w^2 I / S).

    The first part is never taken below sum of w^2 I / S: seeds cannot vary less than the interaction that was measured
    on thousands of images. Seeds and images are crossed as in multi-reader studies (Obuchowski and Rockette, Commun.
    Statist. Simul. 24, 1995, 285-308; Hillis, Statist. Med. 33, 2014, 330-360).

    Raises:
        UsageError: samples of different images.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        if len({(len(one.shared), one.images) for one in samples}) != 1:
            raise UsageError("a contrast needs recipes that were scored on the same images.")
        self.samples = tuple(samples)

    @cached_property
    def _seeds(self) -> SeedVariances:
        seeds = list(dict.fromkeys(seed for one in self.samples for seed in one.seeds))
        values = np.full((len(self.samples), len(seeds)), np.nan)
        for row, one in enumerate(self.samples):
            values[row, [seeds.index(seed) for seed in one.seeds]] = one.values
        starts = np.array([one.start for one in self.samples])
        floors = np.array([one.interaction for one in self.samples])
        return SeedVariances.of(values, floors, starts[:, None] == starts)

    def contrast(self, weights: Sequence[float], moderated: bool = False) -> Estimate:
        """Estimate a weighted sum of recipe means over new seeds and new images.

        Moderated, each recipe's variance is averaged with those of the others: for tests of many at once, as one of
        many recipes always looks calm by chance.

        Raises:
            UsageError: too few seeds, or another number of weights.
        """
        self._check(weights)
        for sample, weight in zip(self.samples, weights, strict=True):
            if weight and len(sample.values) < MINIMUM_SEEDS:
                raise UsageError(
                    f"a statement on a recipe needs at least {MINIMUM_SEEDS} seeds, got {len(sample.values)}. "
                    "Run more seeds, or compare the networks themselves."
                )
        variances = self._seeds.moderated() if moderated else self._seeds
        seed_variance, degrees = variances.of_contrasts(weights)
        parts = zip(weights, self.samples, strict=True)
        doubled = float(np.sum([weight**2 * one.interaction / len(one.values) for weight, one in parts]))
        fixed = self.of_networks(weights)
        images = max(fixed.image_variance - doubled, 0.0)
        return Estimate(fixed.value, float(seed_variance), float(degrees), images, fixed.image_degrees)

    def moderated_deviations(self) -> tuple[Array, Array]:
        """Return each recipe's moderated standard error over seeds and its degrees of freedom, (recipes,) each."""
        found = self._seeds.moderated()
        return np.sqrt(found.variances / np.diagonal(found.common)), found.degrees

    def _check(self, weights: Sequence[float]) -> None:
        if len(weights) != len(self.samples):
            raise UsageError(f"a contrast needs one weight a recipe, got {len(weights)} for {len(self.samples)}.")

    def of_networks(self, weights: Sequence[float]) -> Estimate:
        """Estimate the same sum for these trained networks, over new images alone, from what all seeds share.

        The variance has the cluster-robust form, groups / (groups - 1) * sum of squared group sums / images^2 (Liang
        and Zeger, Biometrika 73, 1986, 13-22), and Satterthwaite's degrees of freedom, 2 (sum u^2)^2 / sum u^4, which
        fall to the size of a class for that class's recall. Guards count as images of recipes that answer them
        independently.

        Raises:
            UsageError: another number of weights.
        """
        self._check(weights)
        taken = [(w, one) for w, one in zip(weights, self.samples, strict=True) if w]
        value = float(sum(w * one.values.mean() for w, one in taken))
        shared = np.sum([w * one.shared for w, one in taken], axis=0)
        guards = np.sum([w**2 * one.guard**2 for w, one in taken], axis=0)
        squares = np.concatenate([shared**2, guards])
        total, groups = float(squares.sum()), len(shared)
        if not total > 0.0:
            return Estimate(value, 0.0, 1.0, 0.0, 1.0)
        variance = groups / (groups - 1) * total / self.samples[0].images ** 2
        return Estimate(value, 0.0, 1.0, variance, 2.0 * total**2 / float(np.sum(squares**2)))


@dataclass(frozen=True)
class SeedVariances:
    """Variances over seeds of the recipes of one study, or of many studies at once."""

    variances: Array  #: float64 (..., recipes), of one network's metric, none below its floor.
    floors: Array  #: float64 (..., recipes), the interaction.
    degrees: Array  #: float64 (recipes,), of the variances.
    common: Array  #: float64 (recipes, recipes), number of seeds that two recipes share; of one recipe its own.
    #: float64 (..., recipes, recipes), of two recipes' metrics over common seeds; 1 on the diagonal.
    correlation: Array

    @classmethod
    def of(cls, values: Array, floors: Array, same_start: NDArray[np.bool_]) -> SeedVariances:
        """Estimate from values (..., recipes, seeds), nan where a recipe lacks a seed (in all studies alike).

        Single correlations over three seeds are noise. So all recipes of one start have the average correlation, and
        those of different starts another average, both shrunk towards zero as by two more seeds (in the spirit of
        Schaefer and Strimmer, Statist. Appl. Genet. Molec. Biol. 4, 2005, article 32, with constant correlation as in
        Ledoit and Wolf, J. Portf. Manag. 30, 2004, 110-119). With one start and all seeds shared this is the analysis
        with seeds as blocks.
        """
        present = ~np.isnan(values.reshape(-1, *values.shape[-2:])[0])
        filled = np.where(present, values, 0.0)
        ran = present.astype(np.float64)
        common = ran @ ran.T
        products, sums = filled @ np.swapaxes(filled, -1, -2), filled @ ran.T
        degrees = np.maximum(common - 1.0, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            crossed = products - sums * np.swapaxes(sums, -1, -2) / common
        own = np.diagonal(crossed, axis1=-2, axis2=-1) / np.maximum(np.diagonal(degrees), 1.0)
        own = np.maximum(own, 0.0)
        deviations = np.sqrt(own)
        scale = deviations[..., :, None] * deviations[..., None, :] * degrees
        correlation = np.broadcast_to(np.eye(len(common)), crossed.shape).copy()
        starts = round(float(np.sum(1.0 / same_start.sum(axis=1))))
        within = same_start & ~np.eye(len(common), dtype=bool)
        for pairs, blocks in ((within, len(common) - starts), (~same_start, starts - 1)):
            counted = pairs & (degrees > 0.0)
            if counted.any():
                whole = scale[..., counted].sum(axis=-1)
                average = np.divide(
                    crossed[..., counted].sum(axis=-1), whole, out=np.zeros(whole.shape), where=whole > 0
                )
                freedom = blocks * float(degrees[counted].mean())
                correlation[..., pairs] = (average * freedom / (freedom + 2.0))[..., None]
        return cls(np.maximum(own, floors), floors, np.diagonal(degrees).copy(), common, correlation)

    def moderated(self) -> SeedVariances:
        """Return the same with each variance averaged with the mean of all.

        As in Smyth, Statist. Appl. Genet. Molec. Biol. 3, 2004, article 3, but with fixed prior degrees of freedom:
        three seeds of a few recipes cannot tell how unequal variances are.
        """
        prior = float(np.clip(PRIOR_PER_RECIPE * (np.sum(self.degrees > 1.0) - 2), 0, MOST_PRIOR))
        mean = np.sum(self.variances * self.degrees, axis=-1, keepdims=True) / self.degrees.sum()
        variances = (self.degrees * self.variances + prior * mean) / np.maximum(self.degrees + prior, 1.0)
        variances = np.maximum(variances, self.floors)
        return SeedVariances(variances, self.floors, self.degrees + prior, self.common, self.correlation)

    def of_contrasts(self, weights: ArrayLike) -> tuple[Array, Array]:
        """Return the variance of contrasts of means over seeds, and its degrees of freedom.

        The degrees of freedom lie halfway between those of the recipe with the largest part, d, and d times the sum
        over that part. Satterthwaite's are too many in the tail where one recipe's few seeds look calm by chance.
        Weights (recipes,) give float64 (...,) each, weights (contrasts, recipes) give (..., contrasts).
        """
        share = np.atleast_2d(np.asarray(weights, dtype=np.float64))
        seeds = np.maximum(np.diagonal(self.common), 1.0)
        smaller = np.minimum(self.variances[..., :, None], self.variances[..., None, :])
        covariance = self.correlation * smaller * (self.common / np.outer(seeds, seeds))
        least = np.sum(share**2 * (self.floors / seeds)[..., None, :], axis=-1)
        variance = np.maximum(np.sum((share @ covariance) * share, axis=-1), least)
        parts = share**2 * (self.variances / seeds)[..., None, :]
        largest = np.argmax(parts / np.maximum(self.degrees, 1.0), axis=-1)[..., None]
        largest_part = np.take_along_axis(parts, largest, axis=-1)[..., 0]
        own = np.take_along_axis(np.broadcast_to(self.degrees, parts.shape), largest, axis=-1)[..., 0]
        degrees = 0.5 * own * (1.0 + parts.sum(axis=-1) / np.maximum(largest_part, 1e-300))
        return (variance, degrees) if np.ndim(weights) > 1 else (variance[..., 0], degrees[..., 0])


def reach(
    tail_area: ArrayLike,
    seed_variance: ArrayLike,
    seed_degrees: ArrayLike,
    image_variance: ArrayLike,
    image_degrees: ArrayLike = np.inf,
) -> Array:
    """Return how far an interval reaches on either side for a one-sided tail area.

    Cochran and Cox, "Experimental designs", 1957, section 4.14: the critical value is the average of the two parts' t
    quantiles, weighted by their variances. It errs on the safe side, where Satterthwaite's degrees of freedom
    (Biometrics Bulletin 2, 1946, 110-114) claim up to eight times too often at 0.001 with three seeds.
    """
    from scipy.special import stdtrit

    seeds, images = np.asarray(seed_variance, dtype=np.float64), np.asarray(image_variance, dtype=np.float64)
    area = np.asarray(tail_area, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        weighted = -seeds * stdtrit(seed_degrees, area) - images * stdtrit(np.minimum(image_degrees, 1e9), area)
        return np.asarray(weighted / np.sqrt(seeds + images))


def tail(distance: ArrayLike, *parts: ArrayLike) -> Array:
    """Return the one-sided tail area whose ``reach`` is this distance, by bisection; none below ``SMALLEST_TAIL``.

    The parts are those of ``reach``: variances and degrees of freedom.
    """
    gap = np.asarray(distance, dtype=np.float64)
    low = np.full(np.broadcast(gap, *parts).shape, np.log(SMALLEST_TAIL))
    high = np.full(low.shape, np.log(0.5))
    for _ in range(60):
        middle = (low + high) / 2.0
        beyond = reach(np.exp(middle), *parts) < gap
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return np.asarray(np.exp((low + high) / 2.0))
