"""Ensembles: the soft vote by hand and against scikit-learn, and members chosen on the validation split alone."""

import numpy as np
import pytest

from study.analysis.ensembles import select_members, soft_vote
from study.core.errors import UsageError

LABELS = np.array([0, 1, 0, 1])


def certain(answers: list[int], confidence: float = 0.9) -> np.ndarray:
    return np.where(np.eye(2)[answers] > 0, confidence, 1 - confidence)


def graded(true_class: list[float]) -> np.ndarray:
    share = np.array(true_class)[:, None]
    return np.where(np.eye(2)[LABELS] > 0, share, 1 - share)


def test_the_vote_is_the_mean_probability_not_the_majority() -> None:
    members = np.array([[[0.9, 0.1]], [[0.4, 0.6]], [[0.4, 0.6]]])
    assert soft_vote(members) == pytest.approx(np.array([[1.7 / 3, 1.3 / 3]]))


def test_the_vote_is_scikit_learn_s() -> None:
    from sklearn.dummy import DummyClassifier
    from sklearn.ensemble import VotingClassifier

    features = np.zeros((6, 1))
    labels = np.array([0, 0, 0, 0, 1, 1])
    members = [
        ("prior", DummyClassifier(strategy="prior")),
        ("constant", DummyClassifier(strategy="constant", constant=1)),
    ]
    vote = VotingClassifier(members, voting="soft").fit(features, labels)
    ours = soft_vote(np.stack([member.predict_proba(features) for member in vote.estimators_]))
    assert ours == pytest.approx(vote.predict_proba(features))


def test_the_best_candidate_comes_first_and_one_that_helps_follows() -> None:
    # Each row: the probability of the true class. Together the first two are right on all four images.
    validation = {
        "complement": graded([0.9, 0.45, 0.45, 0.9]),
        "best": graded([0.6, 0.6, 0.6, 0.4]),
        "noise": graded([0.3, 0.3, 0.3, 0.3]),
    }
    assert select_members(validation, LABELS) == ("best", "complement")


def test_a_candidate_that_adds_nothing_stays_out() -> None:
    assert select_members({"a": certain([0, 1, 0, 1]), "b": certain([0, 1, 0, 0])}, LABELS) == ("a",)


def test_equal_accuracies_are_settled_by_the_likelihood_then_by_name() -> None:
    validation = {"timid": certain([0, 1, 0, 1], 0.6), "sure": certain([0, 1, 0, 1], 0.9)}
    assert select_members(validation, LABELS) == ("sure",)
    assert select_members({"b": certain([0, 1, 0, 1]), "a": certain([0, 1, 0, 1])}, LABELS) == ("a",)


def test_an_ensemble_needs_members() -> None:
    with pytest.raises(UsageError, match="at least one candidate"):
        select_members({}, LABELS)
    with pytest.raises(UsageError, match=r"\(members, images, classes\)"):
        soft_vote(np.ones((4, 2)))
