"""What a study's networks can testify: any metric, of recipes or of networks, with what is costly computed once.

Two questions are kept apart by construction. A recipe statement generalises to new seeds and new images and needs
``MINIMUM_SEEDS`` seeds of every recipe in it; a network statement holds for the trained networks that it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.analysis.bootstrap import ResampledNetwork, Resamples, bootstrap_weights, network_contrast, network_gain
from study.analysis.calibration import apply_temperature, fit_temperature
from study.analysis.clusters import Clusters
from study.analysis.components import MINIMUM_SEEDS
from study.analysis.contrasts import Estimate, linear_contrast
from study.analysis.exact import proportion_interval
from study.analysis.influence import Linearised, linearise, linearise_mean
from study.analysis.recipes import Recipe
from study.analysis.runs import ScoredRun

RECIPE, NETWORK = "recipe", "network"
#: A network's answers as they are, averaged with those to the mirrored image, and with its temperature.
PLAIN, FLIPPED, CALIBRATED = "plain", "flipped", "calibrated"


class Measure(NamedTuple):
    """A metric of ``influence.METRICS``, its class where it has one, and which of the networks' answers it scores."""

    metric: str
    class_index: int | None = None
    answers: str = PLAIN


ACCURACY = Measure("accuracy")
#: Metrics that are not shares of 1.
UNBOUNDED = ("log_loss", "brier")
#: Metrics that look at probabilities, not at the answer alone.
PROBABILISTIC = (*UNBOUNDED, "ece")


@dataclass(frozen=True)
class Statement:
    """One number with its 95 % interval, and what it is a statement about.

    Attributes:
        question: ``RECIPE`` (new seeds, new images) or ``NETWORK`` (these networks, new images).
        value: On the metric's scale; nan where imported predictions do not allow it.
        low: Lower end of the interval; nan where the data support none.
        high: Upper end of the interval.
        p_value: Two-sided, for a difference of zero; of no meaning for a single score.
        runs: Keys of the runs that it was computed from.
        estimate: What equivalence and power need; recipes only.
    """

    question: str
    value: float
    low: float
    high: float
    p_value: float
    runs: tuple[str, ...]
    estimate: Estimate | None = None


class Scores:
    """The predictions of a study's finished runs on the test split.

    Args:
        recipes: The runs of each recipe, by seed; all carry predictions on the same images.
        groups: (test images,) ids equal for images of equal content, or None where that is not known.
    """

    def __init__(self, recipes: Mapping[Recipe, Sequence[ScoredRun]], groups: ArrayLike | None = None) -> None:
        self.recipes = {recipe: tuple(runs) for recipe, runs in recipes.items()}
        first = next(iter(self.recipes.values()))[0]
        self.labels: NDArray[np.int64] = first.record.arrays["test_labels"]
        self.clusters = Clusters.of(groups, len(self.labels))
        self._linearised: dict[tuple[Recipe, Measure], Linearised] = {}
        self._networks: dict[tuple[str, str], ResampledNetwork] = {}
        self._temperatures: dict[str, float] = {}

    def has_seeds(self, recipe: Recipe) -> bool:
        """Tell whether a recipe has seeds enough for statements about it."""
        return len(self.recipes[recipe]) >= MINIMUM_SEEDS

    def lacks(self, run: ScoredRun, measure: Measure) -> bool:
        """Tell whether imported predictions lack what a measure needs: probabilities, mirrored ones, validation."""
        needs_probabilities = measure.metric in PROBABILISTIC or measure.answers == CALIBRATED
        return (
            (needs_probabilities and not run.record.has_probabilities)
            or (measure.answers == FLIPPED and "test_flipped" not in run.record.arrays)
            or (measure.answers == CALIBRATED and not run.on_validation)
        )

    def score(self, recipe: Recipe, measure: Measure = ACCURACY) -> Statement:
        """Return a recipe's mean; with too few seeds the mean of its networks, as a statement about these networks."""
        runs = self.recipes[recipe]
        if any(self.lacks(run, measure) for run in runs):
            return _nothing(runs)
        if self.has_seeds(recipe):
            found = self.recipe_contrast({recipe: 1.0}, measure)
        else:
            found = self.network_contrast([(run, 1.0 / len(runs)) for run in runs], measure)
            found = self._widened(found, runs, measure)
        if measure.metric in UNBOUNDED:
            return found
        return replace(found, low=_share(found.low), high=_share(found.high))

    def recipe_contrast(self, weights: Mapping[Recipe, float], measure: Measure = ACCURACY) -> Statement:
        """Return a weighted sum of recipe means over new seeds and new images."""
        linearised = [self.linearised(recipe, measure) for recipe in weights]
        found = linear_contrast(linearised, list(weights.values()), self.clusters)
        runs = [run for recipe in weights for run in self.recipes[recipe]]
        return Statement(RECIPE, found.value, found.low, found.high, found.p_value, _keys(runs), found)

    def network_contrast(
        self, coefficients: Sequence[tuple[ScoredRun, float]], measure: Measure = ACCURACY
    ) -> Statement:
        """Return a weighted sum of these networks' metrics over new images."""
        networks = [self.resampled(run, measure.answers) for run, _ in coefficients]
        found = network_contrast(measure.metric, networks, [one for _, one in coefficients], measure.class_index)
        runs = _keys([run for run, _ in coefficients])
        if found.low == found.high:  # no resample differs: resampling cannot say how sure this is
            return Statement(NETWORK, found.value, np.nan, np.nan, found.p_value, runs)
        return Statement(NETWORK, found.value, found.low, found.high, found.p_value, runs)

    def flip_gain(self, recipe: Recipe) -> Statement:
        """Return what mirroring at test time adds to accuracy: with minus without, network by network."""
        runs = self.recipes[recipe]
        if any(self.lacks(run, Measure("accuracy", None, FLIPPED)) for run in runs):
            return _nothing(runs)
        gains = np.stack([self._correct(run, FLIPPED).astype(np.float64) - self._correct(run, PLAIN) for run in runs])
        if not self.has_seeds(recipe):
            return self.network_gain(gains.mean(axis=0), runs)
        found = linear_contrast([linearise_mean(gains)], [1.0], self.clusters)
        return Statement(RECIPE, found.value, found.low, found.high, found.p_value, _keys(runs), found)

    def network_gain(self, per_image: NDArray[Any], runs: Sequence[ScoredRun]) -> Statement:
        """Return the mean over new images of a difference taken image by image between answers of these networks."""
        found = network_gain(per_image, self.resamples)
        return Statement(NETWORK, found.value, found.low, found.high, found.p_value, _keys(runs))

    def linearised(self, recipe: Recipe, measure: Measure = ACCURACY) -> Linearised:
        """Return a recipe's metric, seed by seed, with the influence of each image."""
        if (recipe, measure) not in self._linearised:
            stacked = np.stack([self.probabilities(run, measure.answers) for run in self.recipes[recipe]])
            self._linearised[recipe, measure] = linearise(measure.metric, stacked, self.labels, measure.class_index)
        return self._linearised[recipe, measure]

    def resampled(self, run: ScoredRun, answers: str = PLAIN) -> ResampledNetwork:
        """Return one network on the resamples that all network statements share."""
        key = (run.record.key, answers)
        if key not in self._networks:
            self._networks[key] = self.resampled_answers(self.probabilities(run, answers))
        return self._networks[key]

    def resampled_answers(self, probabilities: NDArray[Any]) -> ResampledNetwork:
        """Return any probabilities on the test split (images, classes), such as an ensemble's, on these resamples."""
        return ResampledNetwork(probabilities, self.labels, self.resamples)

    @cached_property
    def resamples(self) -> Resamples:
        """The resamples of the test images, drawn once."""
        return Resamples(bootstrap_weights(len(self.labels), self.clusters))

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
        """Return a network's probabilities on the test split, (images, classes)."""
        plain: NDArray[Any] = run.record.arrays["test_probabilities"]
        if answers == FLIPPED:
            both: NDArray[Any] = (plain + run.record.arrays["test_flipped"]) / 2
            return both
        if answers == CALIBRATED:
            return apply_temperature(plain, self.temperature(run))
        return plain

    def _correct(self, run: ScoredRun, answers: str) -> NDArray[np.bool_]:
        right: NDArray[np.bool_] = self.probabilities(run, answers).argmax(axis=1) == self.labels
        return right

    def _widened(self, found: Statement, runs: Sequence[ScoredRun], measure: Measure) -> Statement:
        """Give one network's recall of 0 or 1 its exact interval, since resampling cannot vary it."""
        if len(runs) != 1 or measure.metric != "recall" or found.low == found.low:
            return found
        members = self.labels == measure.class_index
        hits = int(np.sum(self._correct(runs[0], measure.answers)[members]))
        low, high = proportion_interval(hits, int(members.sum()))
        return replace(found, low=low, high=high)


def _share(value: float) -> float:
    """Return what of an interval's end is possible for a share; nan stays."""
    return float(np.clip(value, 0.0, 1.0))


def _nothing(runs: Sequence[ScoredRun]) -> Statement:
    return Statement(NETWORK, np.nan, np.nan, np.nan, np.nan, _keys(runs))


def _keys(runs: Sequence[ScoredRun]) -> tuple[str, ...]:
    return tuple(run.record.key for run in runs)
