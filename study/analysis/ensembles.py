"""Soft-vote ensembles over seeds and over models; who takes part is settled on the selection split alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.calibration import SMALLEST_PROBABILITY
from study.core.errors import UsageError


def soft_vote(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean of the members' probabilities, (members, images, classes) to (images, classes).

    Kittler, Hatef, Duin and Matas, IEEE Trans. Pattern Anal. Mach. Intell. 20, 1998, 226-239 (the sum rule). Over the
    seeds of a recipe this is a deep ensemble (Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017, section 2.4). An
    ensemble is one network: it gets network statements, and costs its members' sum.

    Raises:
        UsageError: no members, or another shape.
    """
    if probabilities.ndim != 3 or not len(probabilities):
        raise UsageError(f"a soft vote needs probabilities (members, images, classes), got {probabilities.shape}.")
    mean: NDArray[np.float64] = probabilities.mean(axis=0, dtype=np.float64)
    return mean


def select_members(selection: Mapping[str, NDArray[Any]], selection_labels: NDArray[Any]) -> tuple[str, ...]:
    """Choose an ensemble's members greedily on the selection split.

    Forward selection without replacement (Caruana, Niculescu-Mizil, Crew and Ksikes, ICML 2004, section 2): start with
    the candidate of the highest accuracy, add the one that raises the vote's accuracy most, stop when none raises it.
    Equal accuracies are settled by the smaller negative log-likelihood, then by name. The chosen score is optimistic
    on the selection split; only the test split, which takes no part here, says what the ensemble is worth.

    Args:
        selection: Candidate name to probabilities (images, classes) on the selection split.
        selection_labels: int (images,).

    Returns:
        Names in the order in which they were added; at least one.

    Raises:
        UsageError: no candidates.
    """
    if not selection:
        raise UsageError("an ensemble needs at least one candidate, got none.")
    rows = np.arange(len(selection_labels))

    def merit(total: NDArray[Any], members: int) -> tuple[int, float]:
        hits = int(np.sum(total.argmax(axis=-1) == selection_labels))
        true = np.clip(total[rows, selection_labels] / members, SMALLEST_PROBABILITY, 1.0)
        return hits, float(np.mean(np.log(true)))

    chosen: list[str] = []
    total = np.zeros(next(iter(selection.values())).shape)
    best = -1
    while len(chosen) < len(selection):
        merits = {
            name: merit(total + selection[name], len(chosen) + 1) for name in sorted(selection) if name not in chosen
        }
        name = max(merits, key=lambda one: merits[one])
        if merits[name][0] <= best:
            break
        best = merits[name][0]
        total = total + selection[name]
        chosen.append(name)
    return tuple(chosen)
