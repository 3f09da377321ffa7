"""Re-scoring: the stored answers on the test split again, without images that training knew, or by other labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.leaderboard import Standing
from study.analysis.recipes import Recipe
from study.analysis.runs import predicted
from study.analysis.scores import FEWEST_IMAGES, PairedScores, Statement
from study.core.store import rows_of

ALL, NO_COPIES, NO_NEAR_COPIES, FERPLUS = "all", "without_copies", "without_near_copies", "ferplus"


@dataclass(frozen=True)
class Subset:
    """Test images with the labels that they are scored by."""

    name: str  #: ``ALL``, ``NO_COPIES``, ``NO_NEAR_COPIES`` or ``FERPLUS``.
    mask: NDArray[np.bool_]  #: bool (test images,).
    labels: NDArray[np.int64]  #: int64 (test images,); of no meaning outside the mask.

    def __len__(self) -> int:
        return int(self.mask.sum())


@dataclass(frozen=True)
class Rescoring:
    """Every recipe's accuracy on every subset, all test images first."""

    subsets: tuple[Subset, ...]
    scores: Mapping[Recipe, tuple[Statement, ...]]

    def subset(self, name: str) -> Subset | None:
        """Return the subset of that name; None where this study has none."""
        return next((one for one in self.subsets if one.name == name), None)

    def on(self, name: str) -> dict[Recipe, Statement]:
        """Return every recipe's score on the subset of that name; none where this study has no such subset."""
        places = [place for place, one in enumerate(self.subsets) if one.name == name]
        return {recipe: scores[place] for recipe, scores in self.scores.items() for place in places}


def subsets_of_test(dataset: Mapping[str, NDArray[Any]], ferplus: NDArray[np.int64] | None = None) -> list[Subset]:
    """Return the subsets that a study's dataset file allows; those with few images are left out.

    The dataset is that of ``Store.load_dataset``; without ``near_groups`` near copies are not known. ``ferplus`` is
    int64 (all images of the set,), the class that FER+ gives, -1 where it gives none.
    """
    test, train = (rows_of(dataset["splits"], split) for split in ("test", "train"))
    labels = dataset["labels"][test]
    found = [Subset(ALL, np.ones(len(labels), bool), labels)]
    for name, array in ((NO_COPIES, "hashes"), (NO_NEAR_COPIES, "near_groups")):
        if array in dataset:
            found.append(Subset(name, ~np.isin(dataset[array][test], dataset[array][train]), labels))
    if ferplus is not None:
        found.append(Subset(FERPLUS, ferplus[test] >= 0, ferplus[test]))
    return [one for one in found if len(one) >= FEWEST_IMAGES or one.name == ALL]


def rescore(standings: Sequence[Standing], subsets: Sequence[Subset], hashes: NDArray[Any]) -> Rescoring:
    """Score every recipe's stored answers on every subset; images of equal hashes (test images,) are one draw."""
    classes = len(standings[0].runs[0].record.dataset.classes)
    scores: dict[Recipe, list[Statement]] = {one.recipe: [] for one in standings}
    for subset in subsets:
        paired = PairedScores(subset.labels[subset.mask], classes, hashes[subset.mask])
        for one in standings:
            answers = np.stack([predicted(run.record.arrays["test_probabilities"])[subset.mask] for run in one.runs])
            scores[one.recipe].append(paired.score("accuracy", answers))
    return Rescoring(tuple(subsets), {recipe: tuple(found) for recipe, found in scores.items()})
