"""Power: how small a difference a design can be expected to show, and how many seeds a wanted one needs."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.analysis.contrasts import LEVEL, MINIMUM_SEEDS, Sample, SeedVariances, reach

#: What is asked of a plan: differences of so many points, seen with this probability.
DIFFERENCES, WANTED = (0.01, 0.02, 0.03), 0.8
#: Simulated studies behind each answer, and the most seeds that are tried.
STUDIES, MOST_SEEDS = 1000, 40
#: cnn3 on FER-2013: deviation over seeds on endless images, and how often networks of one recipe, or of two, disagree
#: on being right.
SEED_DEVIATION, DISAGREE_WITHIN, DISAGREE_BETWEEN = 0.0065, 0.16, 0.21


@dataclass(frozen=True)
class Design:
    """What decides the power of comparing two of several recipes; variances of shares of right answers."""

    seeds: float  #: Over seeds, of a network's accuracy on endless images.
    interaction: float  #: Of one network's accuracy over new images, as far as other seeds do not share it.
    images: float  #: Of the difference of two recipes over new images.

    @classmethod
    def assumed(cls, images: int) -> Design:
        """Return the design before any run, with so many test images: the spread of cnn3 on FER-2013."""
        between = DISAGREE_BETWEEN - DISAGREE_WITHIN
        return cls(SEED_DEVIATION**2, DISAGREE_WITHIN / 2.0 / images, between / images)

    @classmethod
    def measured(cls, samples: Sequence[Sample]) -> Design:
        """Return a study's design: medians over its recipes, which one diverged network cannot move."""
        interactions = [one.interaction for one in samples]
        seeds = [max(float(np.var(one.values, ddof=1)) - one.interaction, 0.0) for one in samples]
        between = [
            float(np.sum((one.shared - other.shared) ** 2)) / one.images**2
            - one.interaction / len(one.values)
            - other.interaction / len(other.values)
            for place, one in enumerate(samples)
            for other in samples[:place]
        ]
        return cls(float(np.median(seeds)), float(np.median(interactions)), max(float(np.median(between)), 0.0))


def power(effects: ArrayLike, design: Design, seeds: int, recipes: int = 2) -> NDArray[np.float64]:
    """Return the probability that two of several recipes are called different, after correction for all pairs.

    Variances over seeds are drawn as a study would estimate them; given these, the difference of means is normal, so
    that the average over ``STUDIES`` draws of its exact tail is the power. Effects are true differences of any shape;
    each recipe has as many seeds, from 3 up.
    """
    from scipy.special import ndtr

    generator = np.random.default_rng(0)
    one_network = design.seeds + design.interaction
    values = generator.standard_normal((STUDIES, recipes, seeds)) * np.sqrt(one_network)
    floors = np.full((STUDIES, recipes), design.interaction)
    found = SeedVariances.of(values, floors, np.eye(recipes, dtype=bool))
    pair = np.zeros(recipes)
    pair[:2] = 1.0, -1.0
    area = (1.0 - LEVEL) / 2.0
    own = reach(area, *found.of_contrasts(pair), design.images)
    many = reach(area * 2.0 / (recipes * (recipes - 1)), *found.moderated().of_contrasts(pair), design.images)
    width = np.maximum(own, many)  # (STUDIES,), how far the interval of the difference reaches
    sigma = np.sqrt(2.0 * one_network / seeds + design.images)
    apart = np.asarray(effects, dtype=np.float64)[..., None]
    return np.asarray((ndtr((apart - width) / sigma) + ndtr((-apart - width) / sigma)).mean(axis=-1))


def detectable_effect(design: Design, seeds: int, recipes: int = 2) -> float:
    """Return the smallest true difference that is called different with probability ``WANTED``; see ``power``."""
    from scipy.optimize import brentq

    high = np.sqrt(design.seeds + design.interaction + design.images)
    while power(high, design, seeds, recipes) < WANTED:
        high *= 2.0
    return float(brentq(lambda effect: float(power(effect, design, seeds, recipes)) - WANTED, 0.0, high, rtol=1e-4))


def seeds_needed(design: Design, recipes: int = 2) -> dict[float, int | None]:
    """Return how many seeds show each of ``DIFFERENCES`` between two of several recipes; None above ``MOST_SEEDS``."""
    powers = cache(lambda seeds: dict(zip(DIFFERENCES, power(DIFFERENCES, design, seeds, recipes), strict=True)))
    tried = range(MINIMUM_SEEDS, MOST_SEEDS + 1)

    def fewest(effect: float) -> int | None:  # more seeds see more: halving finds the first number that does
        place = bisect_left(tried, WANTED, key=lambda seeds: float(powers(seeds)[effect]))
        return tried[place] if place < len(tried) else None

    return {effect: fewest(effect) for effect in DIFFERENCES}


def seeds_for_a_plan(images: int, recipes: int) -> str:
    """Say how many seeds a plan needs, before any run; empty below two recipes or without test images."""
    if recipes < 2 or images < 1:
        return ""
    return seeds_sentence(seeds_needed(Design.assumed(images), recipes), recipes, measured=False)


def seeds_sentence(needed: Mapping[float, int | None], recipes: int, measured: bool) -> str:
    """Say what ``seeds_needed`` found.

    >>> seeds_sentence({0.01: None, 0.02: 9, 0.03: 5}, 4, measured=False)
    'To see a true difference between two of 4 recipes with 80 % probability takes: 1 point: more than 40 seeds; \
2 points: 9 seeds; 3 points: 5 seeds. Assumed: the spread of cnn3 on FER-2013.'
    """
    parts = [
        f"{100 * effect:g} point{'' if effect == 0.01 else 's'}: "
        + (f"{seeds} seeds" if seeds else f"more than {MOST_SEEDS} seeds")
        for effect, seeds in needed.items()
    ]
    spread = "Measured: the median spread of this study's recipes."
    assumed = "Assumed: the spread of cnn3 on FER-2013."
    return (
        f"To see a true difference between two of {recipes} recipes with {100 * WANTED:.0f} % probability takes: "
        f"{'; '.join(parts)}. {spread if measured else assumed}"
    )
