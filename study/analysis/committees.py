"""The ensembles that a study's networks form, each settled before the test split is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.analysis.ensembles import select_members, soft_vote
from study.analysis.recipes import Recipe
from study.analysis.runs import ScoredRun
from study.analysis.scores import Evidence

OVER_SEEDS, OVER_MODELS, OVER_RECIPES = "seeds", "models", "recipes"


@dataclass(frozen=True)
class Committee:
    """One soft vote; every recipe in it has one vote, shared by its seeds.

    Attributes:
        over: ``OVER_SEEDS`` (all seeds of one recipe), ``OVER_MODELS`` (chosen among each model's best recipe on
            selection) or ``OVER_RECIPES`` (chosen among all).
        members: The networks of each recipe, recipes in the order in which they were chosen.
        recipes: These recipes.
    """

    over: str
    recipes: tuple[Recipe, ...]
    members: tuple[tuple[ScoredRun, ...], ...]

    @property
    def runs(self) -> tuple[ScoredRun, ...]:
        """Every network that votes."""
        return tuple(run for members in self.members for run in members)

    def answers(self, split: str) -> NDArray[np.float64]:
        """Return the vote's probabilities on ``selection`` or ``test``, (images, classes)."""
        return soft_vote(np.stack([_vote(members, split) for members in self.members]))


def committees(evidence: Evidence, ranked: Sequence[Recipe]) -> list[Committee]:
    """Return the ensembles over seeds, over models and over recipes that have more than one member.

    Args:
        evidence: The study's networks.
        ranked: Recipes, best on selection first.
    """
    networks = {recipe: _finite(evidence.recipes[recipe]) for recipe in ranked}
    networks = {recipe: runs for recipe, runs in networks.items() if runs}
    found = [Committee(OVER_SEEDS, (recipe,), (runs,)) for recipe, runs in networks.items() if len(runs) > 1]
    best_of_model: dict[str, Recipe] = {}
    for recipe in networks:
        best_of_model.setdefault(recipe.model, recipe)
    found += _chosen(OVER_MODELS, {recipe: networks[recipe] for recipe in best_of_model.values()})
    if len(best_of_model) < len(networks):
        found += _chosen(OVER_RECIPES, networks)
    return found


def _chosen(over: str, candidates: Mapping[Recipe, tuple[ScoredRun, ...]]) -> list[Committee]:
    """Choose members on the selection split; a vote of one is no ensemble."""
    if not candidates:
        return []
    by_name = {str(recipe): recipe for recipe in candidates}
    votes = {name: _vote(candidates[recipe], "selection") for name, recipe in by_name.items()}
    labels = next(iter(candidates.values()))[0].record.arrays["selection_labels"]
    recipes = tuple(by_name[name] for name in select_members(votes, labels))
    return [Committee(over, recipes, tuple(candidates[one] for one in recipes))] if len(recipes) > 1 else []


def _vote(runs: Sequence[ScoredRun], split: str) -> NDArray[np.float64]:
    return soft_vote(np.stack([run.record.arrays[f"{split}_probabilities"] for run in runs]))


def _finite(runs: Sequence[ScoredRun]) -> tuple[ScoredRun, ...]:
    """Leave out networks that diverged, whose answers would spoil every vote, and labels without probabilities."""
    arrays = ("selection_probabilities", "test_probabilities")
    return tuple(
        run
        for run in runs
        if run.record.has_probabilities and all(np.isfinite(run.record.arrays[name]).all() for name in arrays)
    )
