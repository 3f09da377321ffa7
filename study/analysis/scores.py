"""What a study's networks can testify: any metric, of recipes or of networks, with what is costly computed once.

Two questions are kept apart by construction. A recipe statement generalises to new seeds and new images and needs
``MINIMUM_SEEDS`` seeds of every recipe in it; a network statement holds for the trained networks that it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.analysis.calibration import apply_temperature, fit_temperature
from study.analysis.contrasts import LEVEL, MINIMUM_SEEDS, Clusters, Estimate, Family, Sample
from study.analysis.influence import Linearised, linearise, linearise_mean
from study.analysis.metric import METRICS
from study.analysis.recipes import Recipe
from study.analysis.runs import ScoredRun

RECIPE, NETWORK = "recipe", "network"
#: A network's answers as they are, averaged with those to the mirrored image, averaged over the views that its protocol
#: declares, and with its temperature.
PLAIN, FLIPPED, VIEWED, CALIBRATED = "plain", "flipped", "viewed", "calibrated"


class Measure(NamedTuple):
    """A registered metric, its class where it has one, and which of the networks' answers it scores."""

    metric: str
    class_index: int | None = None
    answers: str = PLAIN


ACCURACY = Measure("accuracy")
#: Classes that networks answered, (networks, images).
Answers = NDArray[np.integer]
#: Draws of which recipe is the best.
DRAWS = 20_000
#: Of the spread between recipes' means at least this share is taken to be real, where all of it may be chance.
LEAST_KEPT = 0.05
SMALLEST = 1e-12
#: Answers to fewer images of a part are not scored: the interval would say nothing.
FEWEST_IMAGES = 20


@dataclass(frozen=True)
class Statement:
    """One number with its 95 % interval, and what it is a statement about."""

    question: str  #: ``RECIPE`` (new seeds, new images) or ``NETWORK`` (these networks, new images).
    value: float  #: On the metric's scale; nan where imported predictions do not allow it.
    low: float  #: Lower end of the interval; nan where the data support none.
    high: float  #: Upper end of the interval.
    p_value: float  #: Two-sided, for a difference of zero; of no meaning for a single score.
    runs: tuple[str, ...]  #: Keys of the runs that it was computed from.
    estimate: Estimate | None = None  #: With its two variances, where there is one.
    #: The same with moderated variances over seeds, from which tests of many recipes at once start.
    moderated: Estimate | None = None


class Scores:
    """The predictions of a study's finished runs on one split, ``test`` or ``validation``.

    The runs of each recipe, by seed, all carry predictions on the same images. Groups (images,) are ids equal for
    images of equal content, or None where that is not known. Seeds of the ``compared`` recipes, of all without it,
    moderate each other's variances.
    """

    def __init__(
        self,
        recipes: Mapping[Recipe, Sequence[ScoredRun]],
        groups: ArrayLike | None = None,
        compared: Sequence[Recipe] | None = None,
        split: str = "test",
    ) -> None:
        self.split = split
        self.recipes = {recipe: tuple(runs) for recipe, runs in recipes.items()}
        self.compared = tuple(filter(self.has_seeds, self.recipes if compared is None else compared))
        arrays = [run.record.arrays for runs in self.recipes.values() for run in runs]
        labels = (one[f"{split}_labels"] for one in arrays if f"{split}_labels" in one)
        self.labels: NDArray[np.int64] = next(labels, np.zeros(0, np.int64))
        self.clusters = Clusters.of(groups, len(self.labels))
        self._samples: dict[tuple[tuple[str, ...], Measure], Sample] = {}
        self._families: dict[tuple[Measure, tuple[Recipe, ...]], Family] = {}
        self._temperatures: dict[str, float] = {}
        self._starts = {run.record.key: recipe.model for recipe, runs in self.recipes.items() for run in runs}

    def has_seeds(self, recipe: Recipe) -> bool:
        """Tell whether a recipe has seeds enough for statements about it."""
        return len(self.recipes[recipe]) >= MINIMUM_SEEDS

    def lacks(self, run: ScoredRun, measure: Measure) -> bool:
        """Tell whether a run lacks what a measure needs: probabilities, other views, the split."""
        needs_probabilities = not METRICS.get(measure.metric).confusion or measure.answers == CALIBRATED
        kind = {FLIPPED: "flipped", VIEWED: "views"}.get(measure.answers, "probabilities")
        return (
            (needs_probabilities and not run.record.has_probabilities)
            or f"{self.split}_{kind}" not in run.record.arrays
            or (measure.answers == CALIBRATED and not run.on_validation)
        )

    def score(self, recipe: Recipe, measure: Measure = ACCURACY) -> Statement:
        """Return a recipe's mean; with too few seeds the mean of its networks, as a statement about these networks."""
        runs = self.recipes[recipe]
        if any(self.lacks(run, measure) for run in runs):
            return _nothing(runs)
        return bounded(stated(self.sample(runs, measure), runs), self.labels, measure)

    def winner(self, candidates: Sequence[Recipe], measure: Measure = ACCURACY) -> Statement:
        """Return the score of the first candidate, the best by the validation accuracy of the same networks.

        The networks that won were lucky, and lucky networks score well on the test split too. So each network is scored
        for the recipe that the *other* seeds choose (cross-validation over seeds: Varma and Simon, BMC Bioinformatics
        7, 2006, 91): this estimate has no such bias. Its interval reaches as far as the wider of its own and the
        winner's usual one beyond the lower and the higher of the two estimates, since the same luck can repeat.
        """
        usual = self.score(candidates[0], measure)
        if len(candidates) < 2 or usual.question != RECIPE or usual.value != usual.value:
            return usual
        runs = self._chosen_by_other_seeds(candidates)
        if any(self.lacks(run, measure) for run in runs):
            return usual
        fair = stated(self.sample(runs, measure), runs)
        width = max(one.high - one.value for one in (usual, fair))
        low, high = min(fair.value, usual.value) - width, max(fair.value, usual.value) + width
        keys = tuple(dict.fromkeys((*usual.runs, *fair.runs)))
        return bounded(replace(fair, low=low, high=high, runs=keys), self.labels, measure)

    def recipe_contrast(self, weights: Mapping[Recipe, float], measure: Measure = ACCURACY) -> Statement:
        """Return a weighted sum of recipe means over new seeds and new images."""
        recipes = tuple(dict.fromkeys((*self.compared, *weights)))
        if (measure, recipes) not in self._families:
            samples = [self.sample(self.recipes[recipe], measure) for recipe in recipes]
            self._families[measure, recipes] = Family(samples)
        family, shares = self._families[measure, recipes], [weights.get(recipe, 0.0) for recipe in recipes]
        runs = [run for recipe in weights for run in self.recipes[recipe]]
        found = _stated(RECIPE, family.contrast(shares), runs)
        return within(replace(found, moderated=family.contrast(shares, moderated=True)), shares, measure)

    def network_contrast(
        self, coefficients: Sequence[tuple[ScoredRun, float]], measure: Measure = ACCURACY
    ) -> Statement:
        """Return a weighted sum of these networks' metrics over new images."""
        runs, shares = [run for run, _ in coefficients], [share for _, share in coefficients]
        family = Family([self.sample([run], measure) for run in runs])
        return within(_stated(NETWORK, family.of_networks(shares), runs), shares, measure)

    def views_gain(self, recipe: Recipe, answers: str) -> Statement:
        """Return what several views (``FLIPPED`` or ``VIEWED``) add to the accuracy of one, network by network."""
        runs = self.recipes[recipe]
        if any(self.lacks(run, Measure("accuracy", None, answers)) for run in runs):
            return _nothing(runs)
        several, one = (
            np.stack([self.probabilities(run, shown).argmax(axis=1) == self.labels for run in runs])
            for shown in (answers, PLAIN)
        )
        return self.gain(several.astype(np.float64) - one, runs)

    def overconfidence(self, recipe: Recipe) -> Statement:
        """Return the mean confidence of a recipe's answers less their accuracy."""
        runs = self.recipes[recipe]
        surplus = [self.probabilities(run).max(axis=1).astype(np.float64) - run.correct for run in runs]
        return self.gain(np.stack(surplus), runs)

    def gain(self, per_image: NDArray[Any], runs: Sequence[ScoredRun], of_networks: bool = False) -> Statement:
        """Return the mean of differences between answers (networks, images), each from -1 to 1.

        ``of_networks``: a statement on these networks alone, however many there are.
        """
        sample = Sample.of(linearise_mean(per_image, (-1.0, 1.0)), self.clusters)
        return within(stated(sample, runs, of_networks), (1.0, -1.0))

    def answers_score(self, probabilities: NDArray[Any], runs: Sequence[ScoredRun], metric: str) -> Statement:
        """Return a metric of any probabilities on the test split (images, classes), such as an ensemble's."""
        sample = Sample.of(linearise(metric, probabilities[None], self.labels), self.clusters)
        return bounded(stated(sample, runs), self.labels, Measure(metric))

    def sample(self, runs: Sequence[ScoredRun], measure: Measure = ACCURACY) -> Sample:
        """Return a metric of the networks of one recipe, or of one network, with what the images contribute."""
        key = (_keys(runs), measure)
        if key not in self._samples:
            stacked = np.stack([self.probabilities(run, measure.answers) for run in runs])
            metric = linearise(measure.metric, stacked, self.labels, measure.class_index)
            start = "|".join(dict.fromkeys(self._starts.get(run.record.key, "") for run in runs))
            self._samples[key] = Sample.of(metric, self.clusters, [run.spec.seed for run in runs], start)
        return self._samples[key]

    def temperature(self, run: ScoredRun) -> float:
        """Return the temperature fitted on the validation split; nan where imported predictions do not allow it."""
        if self.lacks(run, Measure("log_loss", None, CALIBRATED)):
            return float("nan")
        if run.record.key not in self._temperatures:
            arrays = run.record.arrays
            fitted = fit_temperature(arrays["validation_probabilities"], arrays["validation_labels"])
            self._temperatures[run.record.key] = fitted
        return self._temperatures[run.record.key]

    def probabilities(self, run: ScoredRun, answers: str = PLAIN) -> NDArray[Any]:
        """Return a network's probabilities on the split, (images, classes)."""
        arrays: Mapping[str, NDArray[Any]] = run.record.arrays
        plain = arrays[f"{self.split}_probabilities"]
        if answers == FLIPPED:
            return np.asarray((plain + arrays[f"{self.split}_flipped"]) / 2)
        if answers == VIEWED:
            return arrays[f"{self.split}_views"]
        return apply_temperature(plain, self.temperature(run)) if answers == CALIBRATED else plain

    def probability_of_best(self, recipes: Sequence[Recipe]) -> dict[Recipe, float]:
        """Return how probable it is that each recipe has the highest mean test accuracy of all.

        Means are drawn about their estimates: each recipe's variance over seeds by the inverse chi-square distribution
        of its moderated estimate, the images, which all answer, from their joint normal distribution. Estimates and
        draws are shrunk towards the mean of all as far as chance explains how they spread (Efron and Morris, J. Amer.
        Statist. Assoc. 70, 1975, 311-319): of recipes that are nearly alike, the first is then not called the best too
        often.
        """
        if len(recipes) < 2:
            return {}
        samples = [self.sample(self.recipes[recipe]) for recipe in recipes]
        deviations, degrees = Family(samples).moderated_deviations()
        generator = np.random.default_rng(0)
        spread = deviations * np.sqrt(degrees / generator.chisquare(degrees, (DRAWS, len(samples))))
        shared = np.stack([one.shared for one in samples]) / samples[0].images
        apart = shared - shared.mean(axis=0)  # what all recipes have in common moves none ahead
        images = apart @ apart.T
        means = np.array([one.values.mean() for one in samples])
        chance = float(np.mean(deviations**2 + np.diagonal(images)))
        kept = max(1.0 - chance / max(float(np.var(means, ddof=1)), SMALLEST), LEAST_KEPT)
        noise = spread * generator.standard_normal(spread.shape)
        values, vectors = np.linalg.eigh(images)
        root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        noise += generator.standard_normal(spread.shape) @ root
        means = kept * means + np.sqrt(kept) * noise
        wins = np.bincount(means.argmax(axis=1), minlength=len(samples)) / DRAWS
        return dict(zip(recipes, map(float, wins), strict=True))

    def _chosen_by_other_seeds(self, candidates: Sequence[Recipe]) -> list[ScoredRun]:
        """Return for each part of the seeds the networks of the recipe that the other parts choose."""
        parts = min(len(self.recipes[recipe]) for recipe in candidates)
        folds = [[self.recipes[recipe][part::parts] for part in range(parts)] for recipe in candidates]
        counts = np.array([[len(fold) for fold in row] for row in folds])
        totals = np.array([[sum(run.validation.accuracy for run in fold) for fold in row] for row in folds])
        return [run for part, row in enumerate(chosen_by_other_parts(totals, counts)) for run in folds[int(row)][part]]


class PairedScores:
    """Scores of answers to the same images: two sets of them by the same seeds, and what lies between.

    With three seeds or more statements are on recipes: the difference is taken seed by seed, since both networks of a
    seed start alike, and the seeds are the sample. With fewer they are on the trained networks, over new images. Groups
    (images,) are equal for images of equal content, or None where that is not known.
    """

    def __init__(self, labels: NDArray[np.integer], classes: int, groups: ArrayLike | None) -> None:
        self.labels = np.asarray(labels, dtype=np.int64)
        self.classes = classes
        self.clusters = Clusters.of(groups, len(self.labels))

    def score(self, metric: str, answers: Answers) -> Statement:
        """Return the mean of a metric over seeds, for answers of shape (seeds, images)."""
        sample = Sample.of(self._linearised(metric, answers), self.clusters)
        return bounded(stated(sample), self.labels, Measure(metric))

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


def chosen_by_other_parts(totals: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each part of the seeds which recipe is best by the mean over the other parts, int (..., parts).

    Totals (..., recipes, parts) are sums of validation accuracies, counts (recipes, parts) say of how many networks.
    """
    others = totals.sum(axis=-1, keepdims=True) - totals
    means = others / (counts.sum(axis=-1, keepdims=True) - counts)
    return np.asarray(means.argmax(axis=-2))


def bounded(found: Statement, labels: NDArray[np.int64], measure: Measure) -> Statement:
    """Keep an interval within what a share can be; where every answer is right, or none, it is Clopper and Pearson's.

    Biometrika 26, 1934, 404-413; of a score over classes, the mean of the classes' ends.
    """
    metric = METRICS.get(measure.metric)
    if not metric.share:
        return found
    exact = metric.confusion and metric.lowest == 0.0 and measure.metric != "precision"
    if found.value in (0.0, 1.0) and exact:
        from scipy.stats import binomtest

        classes = range(int(labels.max()) + 1) if measure.class_index is None else [measure.class_index]
        counts = [count for place in classes if (count := int(np.sum(labels == place)))]
        counts = [sum(counts)] if measure.metric == "accuracy" else counts
        ends = [binomtest(count if found.value else 0, count).proportion_ci(LEVEL, "exact") for count in counts]
        low, high = (float(np.mean(end)) for end in zip(*ends, strict=True))
        return replace(found, low=low, high=high)
    low, high = (float(np.clip(end, metric.lowest, 1.0)) for end in (found.low, found.high))
    return replace(found, low=low, high=high)


def within(found: Statement, weights: Sequence[float], measure: Measure = ACCURACY) -> Statement:
    """Keep the interval of a contrast within what shares can differ by: 100 points for a difference of two."""
    metric = METRICS.get(measure.metric)
    if not metric.share:
        return found
    most = sum(weight for weight in weights if weight > 0) * (1.0 - metric.lowest)
    return replace(found, low=max(found.low, -most), high=min(found.high, most)) if found.low == found.low else found


def stated(sample: Sample, runs: Sequence[ScoredRun] = (), of_networks: bool = False) -> Statement:
    """State a sample's mean: of the recipe, or of its networks where they are too few or meant."""
    family = Family([sample])
    if len(sample.values) < MINIMUM_SEEDS or of_networks:
        return _stated(NETWORK, family.of_networks([1.0]), runs)
    return _stated(RECIPE, family.contrast([1.0]), runs)


def _stated(question: str, found: Estimate, runs: Sequence[ScoredRun]) -> Statement:
    return Statement(question, found.value, *found.interval(), found.p_value, _keys(runs), found)


def _nothing(runs: Sequence[ScoredRun]) -> Statement:
    return Statement(NETWORK, np.nan, np.nan, np.nan, np.nan, _keys(runs))


def _keys(runs: Sequence[ScoredRun]) -> tuple[str, ...]:
    return tuple(run.record.key for run in runs)
