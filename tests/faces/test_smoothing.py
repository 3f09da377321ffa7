"""Labels follow what a face shows, not the noise of single answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from study.faces.smoothing import MARGIN, TIME_CONSTANT_S, Smoother
from tests.trained.fakes import Undecided, shares

STEP_S = 0.1
IMAGE = np.zeros((1, 48, 48, 1), np.uint8)


def labels(smoother: Smoother, right: Sequence[int], seed: int = 0) -> list[int]:
    """Return the labels that a noisy network's answers lead to, ten a second."""
    network = Undecided(seed=seed)
    named = []
    for step, label in enumerate(right):
        network.right = label
        smoother.add(1, network(IMAGE)[0], step * STEP_S)
        named.append(smoother.get(1).label)
    return named


def changes(named: Sequence[int]) -> int:
    return sum(one != other for one, other in zip(named, named[1:], strict=False))


def test_labels_of_a_steady_face_hardly_ever_change() -> None:
    """One minute: single answers change their mind six times a second, what is named less than once in ten seconds."""
    single = labels(Smoother(0.0, 0.0), [3] * 600)
    smoothed = labels(Smoother(), [3] * 600)
    assert changes(single) > 240
    assert changes(smoothed) <= 6
    assert smoothed.count(3) > 0.97 * len(smoothed) > single.count(3) * 1.4


def test_averaging_alone_is_not_enough() -> None:
    """Two classes that are alike keep overtaking each other; the margin keeps the label."""

    def torn(smoother: Smoother) -> int:
        noise = np.random.default_rng(2)
        named = []
        for step in range(600):
            probabilities = shares(3, 0.4)
            probabilities[[4, 3]] = 0.4 + noise.normal(0, 0.05) * np.array([1, -1])
            smoother.add(1, probabilities, step * STEP_S)
            named.append(smoother.get(1).label)
        return changes(named)

    assert torn(Smoother(TIME_CONSTANT_S, 0.0)) > 30
    assert torn(Smoother(TIME_CONSTANT_S, MARGIN)) <= 2


def test_a_real_change_is_named_within_a_second() -> None:
    delays = []
    for seed in range(20):
        named = labels(Smoother(), [3] * 30 + [5] * 30, seed)
        delays.append(named[30:].index(5) * STEP_S)
    assert np.median(delays) <= 0.6 and max(delays) <= 1.2


def test_the_time_and_not_the_count_of_answers_decides() -> None:
    for step_s in (0.02, 0.1, 0.25):
        smoother = Smoother(0.5, 0.0)
        steps = np.arange(0, 20, step_s)
        for time_s in steps:
            smoother.add(1, shares(3), time_s)
        for passed in np.arange(step_s, 0.5 + 1e-9, step_s):
            smoother.add(1, shares(5), steps[-1] + passed)
        assert smoother.get(1).probabilities[5] == pytest.approx(0.05 + 0.65 * (1 - np.exp(-1)), abs=0.02)


def test_the_first_answers_count_alike() -> None:
    smoother = Smoother(10.0, 0.0)
    for step, label in enumerate((0, 3, 3)):
        smoother.add(1, shares(label), step * 0.01)
    assert smoother.get(1).label == 3
    np.testing.assert_allclose(smoother.get(1).probabilities, (shares(0) + 2 * shares(3)) / 3, rtol=1e-5)


def test_averages_are_probabilities() -> None:
    smoother = Smoother()
    labels(smoother, [2] * 500)
    assert smoother.get(1).probabilities.sum() == pytest.approx(1, abs=1e-4)
    assert smoother.get(1).probabilities.min() >= 0


def test_faces_are_apart_and_forgotten_when_they_are_gone() -> None:
    smoother = Smoother()
    smoother.add(1, shares(3), 0.0)
    smoother.add(2, shares(5), 0.0)
    assert (smoother.get(1).label, smoother.get(2).label) == (3, 5)
    smoother.keep({2})
    assert smoother.get(1) is None and smoother.get(2) is not None


def test_an_answer_is_copied() -> None:
    smoother, given = Smoother(), shares(3)
    smoother.add(1, given, 0.0)
    smoother.add(1, shares(5), 1.0)
    np.testing.assert_array_equal(given, shares(3))
