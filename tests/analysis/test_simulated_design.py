"""The simulated studies are like a real one: accuracy, seed spread, discordance of cnn3 on FER-2013.

``cnn3_answers.npz`` says of every image of PrivateTest whether a run was right: bool (seeds, 3589) for each shared
protocol, eight epochs a run, trained for version 0.1.0 (five seeds of baseline and augment, three of the others).
"""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from tests.analysis.simulated_studies import CLASS_COUNTS, Design
from tests.analysis.test_simulations import DESIGNS, OTHER


@pytest.fixture(scope="module")
def answers() -> dict[str, np.ndarray]:
    """Right or wrong, bool (seeds, images), of every protocol of cnn3 on PrivateTest."""
    with np.load(Path(__file__).with_name("cnn3_answers.npz")) as arrays:
        return dict(arrays)


def unlike(runs: np.ndarray) -> float:
    return float(np.mean([np.mean(one != other) for one, other in combinations(runs, 2)]))


def test_the_images_are_those_of_the_split(answers):
    assert Design().images == sum(CLASS_COUNTS) == answers["baseline"].shape[1]


def test_accuracy_is_that_of_the_best_recipe(answers):
    assert Design().accuracy == pytest.approx(answers["baseline"].mean(), abs=0.02)


def test_two_seeds_disagree_as_often_as_real_ones(answers):
    found = [unlike(runs) for runs in answers.values()]
    assert Design().within == pytest.approx(np.mean(found), abs=0.01)
    assert DESIGNS["same recipe, the calmest seeds"].within == pytest.approx(min(found), abs=0.01)
    assert DESIGNS["same recipe, the wildest seeds"].within == pytest.approx(max(found), abs=0.01)


def test_networks_of_two_recipes_disagree_as_often_as_real_ones(answers):
    found = [
        np.mean([np.mean(one != other) for one in first for other in second])
        for first, second in combinations(answers.values(), 2)
    ]
    assert OTHER.between == pytest.approx(np.mean(found), abs=0.015)


def test_seeds_spread_as_real_ones(answers):
    accuracies = [runs.mean(axis=1) for runs in answers.values()]
    freedom = [len(seeds) - 1 for seeds in accuracies]
    pooled = np.sqrt(np.average([seeds.var(ddof=1) for seeds in accuracies], weights=freedom))
    assert Design().seed_spread == pytest.approx(pooled, abs=0.001)
    spreads = [seeds.std(ddof=1) for seeds in accuracies]
    calmest = DESIGNS["same recipe, the calmest seeds"]
    wildest = DESIGNS["same recipe, the wildest seeds"]
    assert calmest.seed_spread == pytest.approx(min(spreads), abs=0.001)
    assert wildest.seed_spread == pytest.approx(max(spreads), abs=0.001)
