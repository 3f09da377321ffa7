"""The simulated studies are like the real one: accuracy, seed spread, discordance of cnn3 in ``published/fer2013``."""

from itertools import combinations

import numpy as np
import pytest

from study.core.store import Store
from tests.analysis.simulated_studies import CLASS_COUNTS, Design
from tests.analysis.test_simulations import DESIGNS, OTHER
from tests.committed import copy_committed


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = copy_committed(tmp_path_factory.mktemp("committed"), "results/published/fer2013")
    return Store(folder / "results", "published/fer2013")


@pytest.fixture(scope="module")
def answers(store: Store) -> dict[str, np.ndarray]:
    """Right or wrong, bool (seeds, images), of every protocol of cnn3 on PrivateTest."""
    rows: dict[str, list[np.ndarray]] = {}
    for record in store.records():
        if record.spec.model.name == "cnn3":
            arrays = store.load_arrays(record).arrays
            right = arrays["test_probabilities"].argmax(axis=1) == arrays["test_labels"]
            rows.setdefault(record.spec.protocol.name, []).append(right)
    return {name: np.stack(runs) for name, runs in rows.items()}


def unlike(runs: np.ndarray) -> float:
    return float(np.mean([np.mean(one != other) for one, other in combinations(runs, 2)]))


def test_the_split_and_its_classes_are_those_of_the_study(answers, store):
    assert Design().images == sum(CLASS_COUNTS) == answers["baseline"].shape[1]
    counts = store.records()[0].dataset.counts["test"]
    assert tuple(counts) == CLASS_COUNTS


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
