"""Simulated studies with a known truth: recipes, seeds and images with the spread and discordance of FER-2013.

The defaults are those of 16 runs of cnn3 on FER-2013 (``test_simulated_design.py`` compares them).

A network is right on an image where a normal score is above zero: score = level of the recipe + its seed + the image's
difficulty + noise. Levels follow from the accuracies, the share of difficulty from how often two networks disagree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import norm

from study.analysis.contrasts import LEVEL, SeedVariances, reach

#: FER-2013 PrivateTest: angry disgust fear happy sad surprise neutral.
CLASS_COUNTS = (491, 55, 528, 879, 594, 416, 626)
SHARES = np.asarray(CLASS_COUNTS) / sum(CLASS_COUNTS)
DISGUST = 1


@dataclass(frozen=True)
class Design:
    """What a simulated pair of recipes looks like; shares, 0 to 1.

    Attributes:
        accuracy: Mean accuracy of the second recipe.
        effect: What the first recipe's mean accuracy has more.
        within: How often two seeds of one recipe disagree on being right (before the effect is added).
        between: How often two seeds of different recipes do; equal to ``within`` where the recipes are one.
        seed_spread: Standard deviation of the accuracy over seeds as measured on a split, so with chance in the images.
        images: Images of the split.
        copies: How many of them are copies of others of them.
    """

    accuracy: float = 0.55
    effect: float = 0.0
    within: float = 0.16
    between: float = 0.16
    seed_spread: float = 0.008
    images: int = 3589
    copies: int = 17

    @property
    def levels(self) -> np.ndarray:
        """Normal scores of the two mean accuracies, as they are without seed spread."""
        return ndtri([self.accuracy + self.effect, self.accuracy])

    @property
    def seed_variance(self) -> float:
        """Variance over seeds of the true accuracy: the measured spread less chance in the images."""
        return max(self.seed_spread**2 - self.within / 2 / self.images, 0.0)

    @property
    def seed_scale(self) -> float:
        """Standard deviation of a seed's shift of the score."""
        return self.seed_variance**0.5 / norm.pdf(ndtri(self.accuracy))

    @property
    def shared(self) -> tuple[float, float]:
        """Correlation of two seeds' scores on an image, within and between recipes."""
        return _correlation(self.accuracy, self.within), _correlation(self.accuracy, self.between)

    @property
    def groups(self) -> np.ndarray:
        """Group ids: the last ``copies`` images are copies of the first ones."""
        alone = np.arange(self.images)
        return np.where(alone < self.images - self.copies, alone, alone - (self.images - self.copies))

    def variance_parts(self, seeds: int) -> tuple[tuple[float, float], float]:
        """Return the true parts of the variance of the difference of means: seeds of each recipe, images."""
        within, between = self.shared
        seed_parts, difficulty, levels = [], [], self.levels
        for level in levels:
            right = float(ndtr(level))
            difficulty.append(_both_right(level, level, within) - right**2)
            interaction = right * (1.0 - right) - difficulty[-1]
            slope = norm.pdf(level) * self.seed_scale
            seed_parts.append((slope**2 + interaction / self.distinct) / seeds)
        shared = _both_right(levels[0], levels[1], between) - float(np.prod(ndtr(levels)))
        return tuple(seed_parts), max(sum(difficulty) - 2.0 * shared, 0.0) / self.distinct

    @property
    def distinct(self) -> float:
        """Number of distinct images that would give a mean the same variance: copies count a little less."""
        sizes = np.bincount(self.groups)
        return float(sizes.sum() ** 2 / np.sum(sizes**2))

    def with_effect(self, effect: float) -> Design:
        """Return the same design with another effect."""
        return replace(self, effect=effect)


def studies(design: Design, seeds: int, count: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the answers of simulated studies: bool (2 recipes, seeds, images), new seeds and new images in each."""
    generator = np.random.default_rng(seed)
    within, between = design.shared
    alike = min(between / within, 1.0)
    # The seeds' spread widens the score; raising the level by the same factor keeps the mean accuracy.
    spread = design.seed_scale
    levels = design.levels * np.sqrt(1.0 + spread**2)
    difficulty_scale, noise_scale = np.sqrt(np.float32([within, 1.0 - within]))
    mixed = np.sqrt(np.float32([alike, 1.0 - alike]))
    distinct = design.images - design.copies
    for _ in range(count):
        common, own_first, own_second = generator.standard_normal((3, distinct), dtype=np.float32)
        if alike == 1.0:
            difficulty = np.stack([common, common])
        else:
            difficulty = mixed[0] * common + mixed[1] * np.stack([own_first, own_second])
        score = generator.standard_normal((2, seeds, distinct), dtype=np.float32)
        score *= noise_scale
        score += (difficulty_scale * difficulty)[:, None, :]
        shift = levels[:, None] + spread * generator.standard_normal((2, seeds))
        answers = score > -shift[:, :, None].astype(np.float32)
        yield np.concatenate([answers, answers[..., : design.copies]], axis=-1)


#: Parts of the variance of accuracy on 3,589 images, in shares squared: of one network's interaction, of images that
#: all recipes find equally hard, and of those that one recipe finds harder than others.
INTERACTION, COMMON, OWN = 0.16 / 2 / 3589, 4.0e-5, 0.05 / 2 / 3589


@dataclass(frozen=True)
class Study:
    """A study of several recipes, drawn as accuracies rather than image by image.

    On thousands of images a network's accuracy is normal around its recipe's, with the parts of the variance that
    ``Design`` has (``test_a_study_of_accuracies_is_like_one_of_answers`` holds the two side by side).

    Attributes:
        recipes: Number of recipes.
        seeds: Of each.
        spread: Standard deviation over seeds on endless images, of a recipe as calm as most.
        pattern: ``equal``, or which recipes spread four times as widely: the ``first``, ``half`` of them, ``all but
            one``; or ``ladder``, evenly from one to four times.
        shared: Correlation of two recipes' accuracies over common seeds.
        lead: What the first recipe's accuracy has more than the others'.
        diverges: Share of trainings that end 30 points below.
    """

    recipes: int
    seeds: int
    spread: float = 0.0065
    pattern: str = "equal"
    shared: float = 0.0
    lead: float = 0.0
    diverges: float = 0.0

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All pairs of recipes."""
        return list(combinations(range(self.recipes), 2))

    @property
    def contrasts(self) -> np.ndarray:
        """First less second of every pair, (pairs, recipes)."""
        weights = np.zeros((len(self.pairs), self.recipes))
        for row, (first, second) in enumerate(self.pairs):
            weights[row, [first, second]] = 1.0, -1.0
        return weights

    @property
    def truth(self) -> np.ndarray:
        """Mean accuracy of each recipe above that of the last, over endless seeds and images."""
        return self.lead * (np.arange(self.recipes) == 0) - 0.3 * self.diverges

    def draw(self, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return accuracies on test and on validation, (count, recipes, seeds) each, the common accuracy being 0."""
        generator = np.random.default_rng(seed)
        wild = {
            "equal": np.ones(self.recipes),
            "first": 1 + 3.0 * (np.arange(self.recipes) == 0),
            "half": 1 + 3.0 * (np.arange(self.recipes) < self.recipes // 2),
            "all but one": 1 + 3.0 * (np.arange(self.recipes) > 0),
            "ladder": 4.0 ** np.linspace(0, 1, self.recipes),
        }[self.pattern]
        shape = (count, self.recipes, self.seeds)
        own, common = generator.standard_normal(shape), generator.standard_normal((count, 1, self.seeds))
        seeds = self.spread * wild[:, None] * (np.sqrt(1 - self.shared) * own + np.sqrt(self.shared) * common)
        seeds = seeds + self.lead * (np.arange(self.recipes) == 0)[:, None]
        seeds -= 0.3 * (generator.random(shape) < self.diverges)

        def split() -> np.ndarray:
            images = np.sqrt(COMMON) * generator.standard_normal((count, 1, 1))
            harder = np.sqrt(OWN) * generator.standard_normal((count, self.recipes, 1))
            return seeds + images + harder + np.sqrt(INTERACTION) * generator.standard_normal(shape)

        return split(), split()

    def variances(self, values: np.ndarray) -> SeedVariances:
        """Estimate what seeds vary, as the project does, with recipes of one model."""
        floors = np.full(values.shape[:-1], INTERACTION)
        return SeedVariances.of(values, floors, np.ones((self.recipes, self.recipes), dtype=bool))

    def widths(self, values: np.ndarray, level: float = LEVEL, pairs: int = 1) -> np.ndarray:
        """Return how far the project's interval of every pair reaches, (count, pairs); see ``_simultaneous``."""
        found, area = self.variances(values), (1.0 - level) / 2.0
        own = reach(area, *found.of_contrasts(self.contrasts), 2 * OWN)
        if pairs == 1:
            return own
        return np.maximum(own, reach(area / pairs, *found.moderated().of_contrasts(self.contrasts), 2 * OWN))

    def claims(self, count: int, seed: int) -> np.ndarray:
        """Return which pairs are called different, after correction for all, bool (count, pairs)."""
        values, _ = self.draw(count, seed)
        differences = values.mean(axis=-1) @ self.contrasts.T
        return np.abs(differences) > self.widths(values, pairs=len(self.pairs))


@dataclass(frozen=True)
class ClassDesign:
    """A recipe with classes: recalls by class, seed spread of the score, and where wrong answers go.

    Attributes:
        recalls: Mean recall of each class.
        correlation: Correlation of two seeds' scores on an image.
        seed_scale: Standard deviation of a seed's shift of the score, common to all classes.
        class_seed_scale: The same for each class alone; what one class gains others lose.
        habit: Share of wrong answers that go to the image's own favourite wrong class.
    """

    recalls: tuple[float, ...] = (0.50, 0.40, 0.40, 0.82, 0.48, 0.73, 0.58)
    correlation: float = 0.84
    seed_scale: float = 0.011
    class_seed_scale: float = 0.10
    habit: float = 0.6

    @property
    def accuracy(self) -> float:
        """Mean accuracy over seeds on infinitely many images."""
        return float(np.dot(SHARES, self.recalls))

    def predictions(
        self,
        seeds: int,
        generator: np.random.Generator,
        recipes: int = 2,
        images: int = sum(CLASS_COUNTS),
        level: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return predictions int (recipes, seeds, images) of recipes that are all the same, and labels (images,)."""
        shape = (recipes, seeds, images)
        labels = np.searchsorted(np.cumsum(SHARES)[:-1], generator.random(images))
        level = self.levels(generator, (recipes, seeds)) if level is None else level
        difficulty = generator.standard_normal(images, dtype=np.float32)
        noise = generator.standard_normal(shape, dtype=np.float32)
        score = level[:, :, labels] + np.sqrt(self.correlation) * difficulty + np.sqrt(1 - self.correlation) * noise
        kept = generator.random(shape, dtype=np.float32) < self.habit
        draw = np.where(kept, generator.random(images, dtype=np.float32), generator.random(shape, dtype=np.float32))
        return np.where(score > 0.0, labels, _wrong_class(draw, labels)), labels

    def true_macro_f1(self, seeds: int = 200_000) -> float:
        """Return the mean over seeds of macro-F1 on infinitely many images."""
        recalls = ndtr(self.levels(np.random.default_rng(0), (seeds,)))
        wrong = SHARES * (1.0 - recalls) / (1.0 - SHARES)
        predicted = SHARES * recalls + SHARES * (wrong.sum(axis=1, keepdims=True) - wrong)
        return float(np.mean(2.0 * SHARES * recalls / (SHARES + predicted)))

    def levels(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Draw the normal score of each network's recall of each class, (*shape, classes)."""
        own = self.class_seed_scale * generator.standard_normal((*shape, len(SHARES)))
        own -= (own @ SHARES)[..., None]
        shift = own + self.seed_scale * generator.standard_normal((*shape, 1))
        # A seed's shift widens the score; raising the level by the same factor keeps the mean recall.
        variance = self.seed_scale**2 + self.class_seed_scale**2 * (1.0 - 2.0 * SHARES + np.sum(SHARES**2))
        return ndtri(self.recalls) * np.sqrt(1.0 + variance) + shift


def _wrong_class(draw: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Turn uniform draws into classes other than the label, as often as they occur."""
    ends = np.cumsum(SHARES)
    place = draw * (1.0 - SHARES[labels])
    place = place + np.where(place >= (ends - SHARES)[labels], SHARES[labels], 0.0)
    return np.minimum(np.searchsorted(ends[:-1], place, side="right"), len(SHARES) - 1)


def one_hot(predictions: np.ndarray, classes: int = len(CLASS_COUNTS)) -> np.ndarray:
    """Return certain probabilities float32 (..., classes)."""
    return np.eye(classes, dtype=np.float32)[predictions]


def _both_right(first: float, second: float, correlation: float) -> float:
    """Return P(two correlated standard normal scores are below their levels), by conditioning on the shared part."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(201)
    shared = np.sqrt(correlation) * nodes
    rest = np.sqrt(1.0 - correlation)
    return float(
        np.sum(weights * ndtr((first + shared) / rest) * ndtr((second + shared) / rest)) / np.sqrt(2.0 * np.pi)
    )


@cache
def _correlation(accuracy: float, disagreement: float) -> float:
    """Return the correlation of scores at which two networks of one accuracy disagree on being right this often."""
    level = float(ndtri(accuracy))
    return float(brentq(lambda rho: 2.0 * (accuracy - _both_right(level, level, rho)) - disagreement, 0.01, 0.99))
