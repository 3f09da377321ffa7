"""The threshold keeps as many answers as the wanted share of right ones allows."""

from __future__ import annotations

import numpy as np
import pytest

from study.trained.runtime import unsure_threshold


def network(seed: int = 0, count: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Return answers that are right as often as they are sure of themselves, and their labels."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(7, 0.5), count)
    labels = np.array([rng.choice(7, p=shares) for shares in probabilities])
    return probabilities, labels


@pytest.mark.parametrize("share", [0.6, 0.8, 0.95])
def test_the_answers_that_are_left_are_right_in_the_share_and_no_lower_threshold_would_do(share: float) -> None:
    probabilities, labels = network()
    threshold = unsure_threshold(probabilities, labels, share)
    sureness, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    assert 0 < threshold < 1 and right[sureness >= threshold].mean() >= share
    lower = np.unique(sureness[sureness < threshold])
    assert all(right[sureness >= other].mean() < share for other in lower)


def test_all_answers_are_kept_where_they_are_right_often_enough() -> None:
    probabilities, labels = network()
    right = (probabilities.argmax(axis=1) == labels).mean()
    assert unsure_threshold(probabilities, labels, right) == 0.0


def test_every_answer_is_unsure_where_none_are_right_often_enough() -> None:
    probabilities = np.array([[1.0, 0.0], [0.9, 0.1]])
    assert unsure_threshold(probabilities, [1, 1], 0.5) > 1


def test_answers_of_one_probability_stay_together() -> None:
    probabilities = np.array([[0.8, 0.2]] * 4 + [[0.6, 0.4]])
    assert unsure_threshold(probabilities, [0, 0, 1, 1, 0], 0.75) > 1
    assert unsure_threshold(probabilities, [0, 0, 1, 1, 1], 0.5) == pytest.approx(0.8)
