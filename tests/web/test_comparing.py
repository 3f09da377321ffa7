"""Two runs are compared on the same images, with the intervals of the analysis."""

import numpy as np
import pytest

from study.core.errors import UsageError
from study.web.comparing import BOTH_WRONG, FIRST_RIGHT, SECOND_RIGHT, answer_words, compare, most_certain, shares


@pytest.fixture(scope="module")
def runs(data):
    return data.runs[:2]


@pytest.fixture(scope="module")
def found(data, runs):
    return compare(data.found.scores, *runs)


def test_differences_are_first_less_second_and_lie_in_their_intervals(found, runs):
    first, second = runs
    assert found.accuracy.value == pytest.approx(first.test.accuracy - second.test.accuracy)
    assert found.accuracy.low <= found.accuracy.value <= found.accuracy.high
    for place, one in enumerate(found.by_class["recall"]):
        assert one.value == pytest.approx(first.test.recall[place] - second.test.recall[place])


def test_confusions_are_compared_row_by_row(found, runs):
    assert np.allclose(found.confusion.sum(axis=1), 0)
    assert np.allclose(np.diag(found.confusion), runs[0].test.recall - runs[1].test.recall)
    assert shares(np.array([[0, 0], [1, 3]])).tolist() == [[0, 0], [0.25, 0.75]]


def test_every_image_is_of_the_kind_that_the_answers_say(found, runs):
    first, second = runs
    assert ((found.kinds == FIRST_RIGHT) == (first.correct & ~second.correct)).all()
    assert ((found.kinds == SECOND_RIGHT) == (second.correct & ~first.correct)).all()
    both = found.kinds == BOTH_WRONG
    assert both.any() and not (first.correct | second.correct)[both].any()


def test_the_surest_disagreements_come_first(found, runs, data):
    places = np.flatnonzero(found.kinds == FIRST_RIGHT)
    first = most_certain(runs, places, 5)
    certainty = sum(run.record.arrays["test_probabilities"].max(axis=1) for run in runs)
    assert len(first) == 5 and set(first) <= set(places)
    assert certainty[first[0]] == certainty[places].max()
    assert answer_words(runs[0], first[0], data.classes).endswith("%")


def test_runs_on_another_split_are_not_compared(data):
    with pytest.raises(UsageError, match="same test images"):
        compare(data.found.scores, data.runs[0], data.elsewhere[0])
