"""Everything that a study's predictions support, computed once: comparisons, effects, ensembles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from study.analysis.comparisons import Comparisons, Effect, compare_networks, compare_recipes, holm, networks_of_seed
from study.analysis.ensembles import Ensemble, ensembles
from study.analysis.factors import FactorContrast, factor_contrasts
from study.analysis.leaderboard import Standing
from study.analysis.metric import ordered
from study.analysis.pairs import MARGIN
from study.analysis.power import Design, detectable_effect
from study.analysis.recipes import Recipe
from study.analysis.runs import ScoredRun
from study.analysis.scores import ACCURACY, NETWORK, RECIPE, Measure, Scores, Statement

#: Those of each class that the web page shows; the report shows every registered one.
CLASS_MEASURES = ("precision", "recall", "f1")


@dataclass(frozen=True)
class Effects:
    """The factor effects of one question."""

    question: str  #: ``RECIPE``, or ``NETWORK`` where too few recipes have seeds enough.
    seed: int | None  #: The seed of the networks; None for recipes.
    #: Effects over all models by metric (those registered ``with_effects``): one family for each.
    overall: dict[str, tuple[Effect, ...]]
    by_model: dict[str, tuple[Effect, ...]]  #: The same model by model, families of their own.
    #: Effects over all models on each class, by metric of each class: a family for each.
    by_class: dict[str, tuple[Effect, ...]]

    def __bool__(self) -> bool:
        """Tell whether there is any effect to show."""
        return bool(self.overall["accuracy"])


@dataclass(frozen=True)
class Statistics:
    """What can be said, question by question; leaky recipes take part in none of it but have scores."""

    scores: Scores
    validation: Scores  #: Scores on the validation split, which also ranks the recipes.
    ranked: tuple[Recipe, ...]  #: The recipes that have a rank, best on validation first.
    margin: float  #: Of equivalence, in shares.
    copies_known: bool  #: Whether copies among the test images are known and counted as one.
    recipes: Comparisons  #: Comparisons over new seeds and new images.
    networks: Comparisons  #: Comparisons of the trained networks of one seed.
    #: Factor effects: of recipes where half of those behind the effects or more have seeds enough, else of networks.
    effects: Effects
    #: Where some of those recipes have seeds enough and others not: the effects of the other question.
    other_effects: Effects | None
    ensembles: tuple[Ensemble, ...]
    best: dict[Recipe, float]  #: How probable it is that each of the compared recipes is the best of them.
    #: The smallest true difference of two recipes that this design shows with 80 % probability, after correction for
    #: all pairs; None below two recipes with seeds enough, or where only one beyond 100 points is.
    detectable: float | None

    def winner(self, measure: Measure = ACCURACY) -> Statement:
        """Return the score of the best recipe on validation, allowing for its choice by its own seeds."""
        first = self.ranked[0]
        if not self.scores.has_seeds(first):
            return self.scores.score(first, measure)
        return self.scores.winner(self.recipes.compared, measure)

    @property
    def mean_of_winner(self) -> float:
        """The accuracy of the best recipe on validation, not allowing for its choice: the mean of its seeds."""
        return self.scores.score(self.ranked[0]).value

    @property
    def main(self) -> Comparisons:
        """Comparisons of recipes where there are two or more with seeds enough, otherwise of networks."""
        return self.recipes if len(self.recipes.compared) > 1 else self.networks

    @property
    def of_best(self) -> Comparisons:
        """The main comparisons where the best on validation takes part in them, otherwise those of networks."""
        return self.main if self.ranked[0] in self.main.compared else self.networks


def compute_statistics(
    standings: Sequence[Standing],
    groups: ArrayLike | None = None,
    margin: float = MARGIN,
    validation_groups: ArrayLike | None = None,
) -> Statistics:
    """Draw every conclusion's numbers from a leaderboard of at least one finished run.

    Groups are ids (images,) equal for images of equal content, of the test split and of the validation split; None
    where that is not known. The margin of equivalence is in shares of accuracy.
    """
    ranked = [one.recipe for one in standings if one.rank is not None]
    runs = {one.recipe: one.runs for one in standings}
    scores = Scores(runs, groups, ranked)
    specs = {
        one.recipe: one.runs[0].spec
        for one in standings
        if one.rank is not None and not one.runs[0].record.imported  # how these were made is not known
    }
    networks = compare_networks(scores, ranked)
    validation = {one.recipe: one.measures["validation_accuracy"].mean or 0.0 for one in standings}
    seeded = {recipe: spec for recipe, spec in specs.items() if scores.has_seeds(recipe)}
    of_seed = networks_of_seed(scores, ranked, networks.seed)
    of_recipes = factor_contrasts(seeded, validation)
    of_networks = factor_contrasts({recipe: specs[recipe] for recipe in of_seed if recipe in specs}, validation)
    with_seeds, every = _behind(of_recipes), _behind(of_networks)
    questions = [_effects(scores, of_recipes)] if of_recipes else []
    if not of_recipes or every - with_seeds:
        questions.append(_effects(scores, of_networks, of_seed, networks.seed))
    effects, *others = questions if 2 * len(with_seeds & every) >= len(every) else reversed(questions)
    recipes = compare_recipes(scores, ranked, margin)
    samples = [scores.sample(scores.recipes[one]) for one in recipes.compared]
    detectable = 1.0
    if len(samples) > 1:
        seeds = int(np.median([len(one.values) for one in samples]))
        detectable = detectable_effect(Design.measured(samples), seeds, len(samples))
    return Statistics(
        scores=scores,
        validation=Scores(runs, validation_groups, ranked, split="validation"),
        ranked=tuple(ranked),
        margin=margin,
        copies_known=groups is not None,
        recipes=recipes,
        networks=networks,
        effects=effects,
        other_effects=others[0] if others else None,
        ensembles=tuple(ensembles(scores, ranked)),
        best=scores.probability_of_best(recipes.compared),
        detectable=detectable if detectable < 1.0 else None,
    )


def _behind(contrasts: Sequence[FactorContrast]) -> set[Recipe]:
    return {recipe for one in contrasts for recipe in one.weights}


def _effects(
    scores: Scores,
    contrasts: Sequence[FactorContrast],
    networks: Mapping[Recipe, ScoredRun] | None = None,
    seed: int | None = None,
) -> Effects:
    """Estimate the effects of recipes, or of each recipe's network where ``networks``, of a seed, are given."""

    def family(chosen: Sequence[FactorContrast], measures: Sequence[Measure]) -> tuple[Effect, ...]:
        """Estimate every effect on every measure as one family under Holm's correction."""
        wanted = [(contrast, measure) for contrast in chosen for measure in measures]
        if networks is None:
            found = [scores.recipe_contrast(one.weights, measure) for one, measure in wanted]
            moderated = [one.moderated.p_value for one in found if one.moderated]
        else:
            weights = [[(networks[one], share) for one, share in contrast.weights.items()] for contrast, _ in wanted]
            found = [scores.network_contrast(one, measure) for one, (_, measure) in zip(weights, wanted, strict=True)]
            moderated = [one.p_value for one in found]
        adjusted = np.maximum([one.p_value for one in found], holm(moderated))
        return tuple(
            Effect(*pair, difference, float(p_value))
            for pair, difference, p_value in zip(wanted, found, adjusted, strict=True)
        )

    overall = [one for one in contrasts if one.model is None]
    single = [one for one in contrasts if one.model is not None]
    factors = [one for one in overall if "×" not in one.factor]
    classes = range(int(scores.labels.max()) + 1)
    names = [one.name for one in ordered(lambda one: one.with_effects)]
    of_classes = [one.name for one in ordered(lambda one: one.each_class)]
    return Effects(
        question=RECIPE if networks is None else NETWORK,
        seed=seed,
        overall={name: family(overall, [Measure(name)]) for name in names},
        by_model={name: family(single, [Measure(name)]) for name in names},
        by_class={name: family(factors, [Measure(name, place) for place in classes]) for name in of_classes},
    )
