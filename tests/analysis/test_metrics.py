"""Scores agree with scikit-learn and with cases computed by hand."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, log_loss, precision_score, recall_score

from study.analysis.runs import score

LABELS = np.array([0, 0, 0, 1, 1, 2])
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7]]
)


def test_scores_of_a_case_computed_by_hand():
    scores = score(LABELS, PROBABILITIES)
    assert scores.accuracy == pytest.approx(4 / 6)
    assert scores.recall == pytest.approx([2 / 3, 1 / 2, 1])
    assert scores.precision == pytest.approx([2 / 3, 1 / 2, 1])
    assert scores.confusion.tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert scores.support.tolist() == [3, 2, 1]
    assert scores.worst_class == 1
    assert scores.log_loss == pytest.approx(-np.log([0.8, 0.6, 0.2, 0.8, 0.4, 0.7]).mean())


def test_every_score_is_scikit_learns():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 400)
    probabilities = rng.dirichlet(np.ones(5), 400)
    scores = score(labels, probabilities)
    answers = probabilities.argmax(axis=1)
    assert scores.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels, answers))
    assert scores.macro_f1 == pytest.approx(f1_score(labels, answers, average="macro"))
    assert scores.log_loss == pytest.approx(log_loss(labels, probabilities))
    assert scores.precision == pytest.approx(precision_score(labels, answers, average=None))
    assert scores.recall == pytest.approx(recall_score(labels, answers, average=None))
    assert scores.f1 == pytest.approx(f1_score(labels, answers, average=None))
    assert (scores.confusion == confusion_matrix(labels, answers)).all()


def test_a_class_without_images_has_no_recall_and_counts_in_no_mean():
    scores = score(np.array([0, 0, 1, 1]), np.array([[0.9, 0.1, 0.0]] * 2 + [[0.1, 0.9, 0.0], [0.1, 0.2, 0.7]]))
    assert np.isnan(scores.recall[2])
    assert scores.balanced_accuracy == pytest.approx(0.75)
    assert scores.worst_class == 1


def test_a_network_that_diverged_is_scored_without_a_loss():
    scores = score(LABELS, np.full((6, 3), np.nan, dtype=np.float32))
    assert np.isnan(scores.log_loss)
    assert scores.accuracy == pytest.approx(0.5)


def test_labels_and_probabilities_must_be_equally_many():
    with pytest.raises(ValueError, match="got 5 and 6"):
        score(LABELS[:5], PROBABILITIES)
