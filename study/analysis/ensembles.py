"""Soft-vote ensembles over seeds, models and recipes, each settled on the validation split before the test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from study.analysis.calibration import SMALLEST_PROBABILITY
from study.analysis.recipes import Recipe
from study.analysis.runs import ScoredRun
from study.analysis.scores import Scores
from study.core.errors import UsageError

Member = TypeVar("Member")
OVER_SEEDS, OVER_MODELS, OVER_RECIPES = "seeds", "models", "recipes"


@dataclass(frozen=True)
class Ensemble:
    """One soft vote; every recipe in it has one vote, shared by its seeds."""

    #: ``OVER_SEEDS`` (all seeds of one recipe), ``OVER_MODELS`` (chosen among each model's best recipe on validation)
    #: or ``OVER_RECIPES`` (chosen among all).
    over: str
    recipes: tuple[Recipe, ...]  #: These recipes.
    #: The networks of each recipe, recipes in the order in which they were chosen.
    members: tuple[tuple[ScoredRun, ...], ...]

    @property
    def runs(self) -> tuple[ScoredRun, ...]:
        """Every network that votes."""
        return tuple(run for members in self.members for run in members)

    @property
    def best_member(self) -> ScoredRun:
        """The network with the highest validation accuracy, the first of equal ones."""
        return max(self.runs, key=lambda run: run.validation.accuracy)

    @property
    def has_views(self) -> bool:
        """True where every network was predicted with the test-time views that its protocol declares."""
        return all("test_views" in run.record.arrays for run in self.runs)

    def answers(self, split: str, views: bool = False) -> NDArray[np.float64]:
        """Return the vote's probabilities on ``validation`` or ``test``, (images, classes), of one view or of all."""
        return soft_vote(np.stack([_vote(members, split, views) for members in self.members]))


def ensembles(scores: Scores, ranked: Sequence[Recipe]) -> list[Ensemble]:
    """Return the ensembles of more than one member over seeds, models and recipes (ranked: best first), each once."""
    networks = {recipe: runs for recipe in ranked if (runs := tuple(filter(_votes, scores.recipes[recipe])))}
    found = [Ensemble(OVER_SEEDS, (recipe,), (runs,)) for recipe, runs in networks.items() if len(runs) > 1]
    best_of_model: dict[str, Recipe] = {}
    for recipe in networks:
        best_of_model.setdefault(recipe.model, recipe)
    found += _chosen(OVER_MODELS, {recipe: networks[recipe] for recipe in best_of_model.values()})
    if len(best_of_model) < len(networks):
        chosen = {frozenset(one.recipes) for one in found}
        found += [one for one in _chosen(OVER_RECIPES, networks) if frozenset(one.recipes) not in chosen]
    return found


def _chosen(over: str, candidates: Mapping[Recipe, tuple[ScoredRun, ...]]) -> list[Ensemble]:
    """Choose members on the validation split; a vote of one is no ensemble."""
    if not candidates:
        return []
    votes = {recipe: _vote(runs, "validation") for recipe, runs in candidates.items()}
    labels = next(iter(candidates.values()))[0].record.arrays["validation_labels"]
    recipes = select_members(votes, labels)
    return [Ensemble(over, recipes, tuple(candidates[one] for one in recipes))] if len(recipes) > 1 else []


def _vote(runs: Sequence[ScoredRun], split: str, views: bool = False) -> NDArray[np.float64]:
    name = f"{split}_{'views' if views else 'probabilities'}"
    return soft_vote(np.stack([run.record.arrays[name] for run in runs]))


def _votes(run: ScoredRun) -> bool:
    """Leave out networks that diverged, whose answers would spoil every vote, and labels without probabilities."""
    arrays = (run.record.arrays[f"{split}_probabilities"] for split in ("validation", "test"))
    return run.record.has_probabilities and all(np.isfinite(one).all() for one in arrays)


def soft_vote(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean of the members' probabilities, (members, images, classes) to (images, classes).

    Kittler, Hatef, Duin and Matas, IEEE Trans. Pattern Anal. Mach. Intell. 20, 1998, 226-239 (the sum rule). Over the
    seeds of a recipe this is a deep ensemble (Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017, section 2.4). An
    ensemble is one network: it gets network statements, and costs its members' sum.

    Raises:
        UsageError: no members, or another shape.

    >>> soft_vote(np.array([[[0.75, 0.25]], [[0.5, 0.5]]])).tolist()
    [[0.625, 0.375]]
    """
    if probabilities.ndim != 3 or not len(probabilities):
        raise UsageError(f"a soft vote needs probabilities (members, images, classes), got {probabilities.shape}.")
    return np.asarray(probabilities.mean(axis=0, dtype=np.float64))


def select_members(validation: Mapping[Member, NDArray[Any]], labels: NDArray[Any]) -> tuple[Member, ...]:
    """Choose an ensemble's members by their probabilities (images, classes) on the validation split, greedily: at least
    one, in the order in which they were added.

    Forward selection without replacement (Caruana, Niculescu-Mizil, Crew and Ksikes, ICML 2004, section 2): start with
    the candidate of the highest accuracy, add the one that raises the vote's accuracy most, stop when none raises it.
    Equal accuracies are settled by the smaller log loss, then by name. The chosen score is optimistic
    on the validation split; only the test split, which takes no part here, says what the ensemble is worth.

    Raises:
        UsageError: no candidates.
    """
    if not validation:
        raise UsageError("an ensemble needs at least one candidate, got none.")
    rows = np.arange(len(labels))

    def merit(total: NDArray[Any], members: int) -> tuple[int, float]:
        hits = int(np.sum(total.argmax(axis=-1) == labels))
        true = np.clip(total[rows, labels] / members, SMALLEST_PROBABILITY, 1.0)
        return hits, float(np.mean(np.log(true)))

    chosen: list[Member] = []
    total: Any = 0.0
    best = -1
    while left := [name for name in sorted(validation, key=str) if name not in chosen]:
        merits = {name: merit(total + validation[name], len(chosen) + 1) for name in left}
        name = max(left, key=lambda one: merits[one])
        if merits[name][0] <= best:
            break
        best = merits[name][0]
        total = total + validation[name]
        chosen.append(name)
    return tuple(chosen)
