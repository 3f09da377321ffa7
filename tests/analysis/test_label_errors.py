"""Confident learning finds planted wrong labels, and agrees with a case worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from study.analysis.label_errors import rank_labels
from study.core.errors import UsageError


def test_a_case_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    first = np.array([0.9, 0.8, 0.1, 0.2, 0.6, 0.1])
    found = rank_labels(labels, np.stack([first, 1 - first], axis=1))
    assert found.thresholds == pytest.approx([0.6, 0.7])  # means of the given class's probability
    # Confident: 0 and 1 for class 0, 2 for class 1 (0.9); 3 and 5 for class 1, 4 for class 0 (0.6).
    assert found.rows.tolist() == [2, 4] and found.suggested.tolist() == [1, 0]
    assert found.margin == pytest.approx([-0.8, -0.2])
    assert found.joint == pytest.approx(np.array([[2, 1], [1, 2]]) / 6)
    assert found.noise == pytest.approx(1 / 3)


def test_planted_wrong_labels_come_first() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, 2000)
    logits = 3.0 * np.eye(4)[true] + rng.normal(0, 0.8, (2000, 4))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = true.copy()
    wrong = rng.choice(2000, 100, replace=False)
    labels[wrong] = (labels[wrong] + 1) % 4
    found = rank_labels(labels, probabilities)
    assert np.isin(found.rows[:80], wrong).mean() > 0.97
    assert found.noise == pytest.approx(0.05, abs=0.02)
    assert (np.diff(found.margin) >= 0).all()


def test_right_labels_raise_no_label_errors() -> None:
    labels = np.repeat(np.arange(3), 50)
    found = rank_labels(labels, np.eye(3)[labels] * 0.7 + 0.1)
    assert len(found.rows) == 0 and found.noise == pytest.approx(0)


def test_a_class_without_images_and_one_without_confidence_are_allowed() -> None:
    labels = np.array([0, 0, 2, 2])
    probabilities = np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.2, 0.4, 0.4], [0.1, 0.5, 0.4]])
    found = rank_labels(labels, probabilities)
    assert np.isnan(found.thresholds[1])
    assert found.joint.sum() == pytest.approx(1) and found.joint[1].sum() == 0
    assert len(found.rows) == 0, "no image can count for a class that has no threshold"


@pytest.mark.parametrize("probabilities", [np.empty((0, 3)), np.full((2, 3), np.nan), np.ones((3, 3)) / 3])
def test_what_cannot_be_ranked_is_refused(probabilities: np.ndarray) -> None:
    with pytest.raises(UsageError, match="suspicion needs one row of finite probabilities a label"):
        rank_labels(np.zeros(2, np.int64), probabilities)
