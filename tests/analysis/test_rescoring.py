"""Stored answers are scored again on the images, and by the labels, that each subset says."""

import numpy as np
import pytest

from study.analysis.leaderboard import leaderboard
from study.analysis.recipes import name_records
from study.analysis.rescoring import ALL, FERPLUS, NO_COPIES, NO_NEAR_COPIES, Rescoring, rescore, subsets_of_test
from study.analysis.runs import score_run
from tests.factories import make_card, make_counts, make_dataset, make_record

CARD = make_card("fake", make_counts(640, 60, 120))


@pytest.fixture
def dataset():
    return make_dataset(CARD)


def standings(seeds=1):
    records = [make_record("cnn3", "baseline", seed, card=CARD) for seed in range(seeds)]
    return leaderboard([score_run(record) for record in records], name_records(records))


def hashes(dataset):
    return dataset["hashes"][dataset["splits"] == 2]


def test_subsets_leave_out_what_training_has(dataset):
    subsets = {one.name: one for one in subsets_of_test(dataset)}
    n = sum(CARD.counts["test"])
    assert {name: len(one) for name, one in subsets.items()} == {ALL: n, NO_COPIES: n - 18, NO_NEAR_COPIES: n - 28}
    assert not np.any(subsets[NO_COPIES].mask & ~subsets[ALL].mask)
    assert not np.any(subsets[NO_NEAR_COPIES].mask & ~subsets[NO_COPIES].mask), "a copy is a near copy"


def test_a_dataset_file_without_near_groups_gives_no_such_subset(dataset):
    del dataset["near_groups"]
    assert [one.name for one in subsets_of_test(dataset)] == [ALL, NO_COPIES]


def test_a_subset_of_a_few_images_is_left_out(dataset):
    dataset["hashes"] = np.full_like(dataset["hashes"], b"0" * 32)
    found = Rescoring(tuple(subsets_of_test(dataset)), {})
    assert found.subset(ALL) and found.subset(NO_COPIES) is None and found.on(NO_COPIES) == {}


@pytest.mark.parametrize("seeds", [1, 3])
def test_scores_are_the_shares_of_right_answers(dataset, seeds):
    ranked = standings(seeds)
    found = rescore(ranked, subsets_of_test(dataset), hashes(dataset))
    correct = np.mean([run.correct for run in ranked[0].runs], axis=0)
    for subset, score in zip(found.subsets, found.scores[ranked[0].recipe], strict=True):
        assert score.value == pytest.approx(correct[subset.mask].mean())
        assert found.on(subset.name)[ranked[0].recipe] == score and found.subset(subset.name) is subset
        assert score.low < score.value < score.high
    assert score.question == ("recipe" if seeds == 3 else "network")


def test_ferplus_labels_take_the_place_of_the_set_s_own(dataset):
    test = dataset["splits"] == 2
    ferplus = np.where(np.arange(len(test)) % 4 == 0, -1, (dataset["labels"] + 1) % 7)
    ranked = standings()
    found = rescore(ranked, subsets_of_test(dataset, ferplus), hashes(dataset))
    assert found.subsets[-1].name == FERPLUS and len(found.subsets[-1]) == (ferplus[test] >= 0).sum()
    answers = ranked[0].runs[0].record.arrays["test_probabilities"].argmax(axis=1)
    expected = np.mean((answers == ferplus[test])[ferplus[test] >= 0])
    assert found.scores[ranked[0].recipe][-1].value == pytest.approx(expected)
