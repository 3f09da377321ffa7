"""What leaks are worth: pairs are found by what they have in common, and their numbers are those of the answers."""

import numpy as np
import pytest

from study.analysis.leaks import ORACLE, PLAIN, REWEIGHTED, measure_leaks
from study.analysis.recipes import name_records
from study.analysis.runs import score_run
from study.analysis.scores import NETWORK, RECIPE
from tests.changed import replace
from tests.factories import make_card, make_counts, make_dataset, make_record

CARD = make_card("fake", make_counts(640, 60, 120))
BEFORE, AFTER = "leaky/oversample-before-split", "clean-twin/oversample-after-split"


def measured(*records, dataset=True):
    runs = [score_run(record) for record in records]
    return measure_leaks(runs, name_records(records), make_dataset(CARD) if dataset else None)


def pair(seed=0):
    return make_record("cnn3", BEFORE, seed, card=CARD), make_record("cnn3", AFTER, seed, card=CARD)


def right(record):
    return record.arrays["test_probabilities"].argmax(axis=1) == record.arrays["test_labels"]


def test_a_leak_is_worth_what_the_leaky_network_has_more_right_on_the_same_images():
    leaky, clean = pair()
    (leak,) = measured(leaky, clean)
    assert leak.worth[PLAIN].value == pytest.approx(right(leaky).mean() - right(clean).mean())
    assert leak.worth[PLAIN].low < leak.worth[PLAIN].value < leak.worth[PLAIN].high
    assert leak.leaky[PLAIN].value - leak.clean[PLAIN].value == pytest.approx(leak.worth[PLAIN].value)
    assert (leak.seeds, leak.images, leak.trained_on) == ((0,), 120, leaky.contamination.trained_on_test_ids)


def test_reweighted_scores_give_every_class_the_same_weight():
    leaky, clean = pair()
    (leak,) = measured(leaky, clean)
    labels = leaky.arrays["test_labels"]
    by_class = [right(leaky)[labels == label].mean() - right(clean)[labels == label].mean() for label in set(labels)]
    assert leak.worth[REWEIGHTED].value == pytest.approx(np.mean(by_class))
    assert leak.measure == REWEIGHTED, "the claim of an oversampled split is one with equal classes"


def test_the_claim_counts_the_copies_of_the_leaky_split():
    leaky, clean = pair()
    (leak,) = measured(leaky, clean)
    answers, labels = leaky.arrays["claim_answers"], leaky.arrays["claim_labels"]
    assert leak.claimed.value == pytest.approx((answers == labels).mean())
    assert leak.claimed.value > leak.leaky[PLAIN].value


def test_with_few_seeds_statements_are_on_networks_and_from_three_on_recipes():
    two = [record for seed in range(2) for record in pair(seed)]
    three = [*two, *pair(2)]
    assert measured(*two)[0].worth[PLAIN].question == NETWORK
    (leak,) = measured(*three)
    assert leak.worth[PLAIN].question == RECIPE and leak.seeds == (0, 1, 2)
    means = [right(one).mean() - right(other).mean() for one, other in zip(three[::2], three[1::2], strict=True)]
    assert leak.worth[PLAIN].value == pytest.approx(np.mean(means))


def test_seeds_are_paired_so_that_what_they_share_does_not_widen_the_interval():
    """Three seeds of very different skill, the leak adding the same to each."""
    records = []
    for seed, skill in enumerate((0.6, 1.8, 3.0)):
        leaky = make_record("cnn3", "leaky/test-as-validation", seed, card=CARD, skill=skill)
        clean = make_record("cnn3", "clean-twin/checkpoint-on-validation", seed, card=CARD, skill=skill)
        records += [leaky, replace(clean, arrays={**clean.arrays, "test_probabilities": better(leaky)})]
    (leak,) = measured(*records)
    spread = np.std([right(record).mean() for record in records[::2]], ddof=1)
    width = leak.worth[PLAIN].high - leak.worth[PLAIN].low
    assert width < spread, "the spread between the seeds alone would make it several times as wide"


def better(record):
    """Return a network's probabilities with ten of its right answers made wrong."""
    probabilities = record.arrays["test_probabilities"].copy()
    rows = np.flatnonzero(right(record))[:10]
    probabilities[rows] = np.roll(probabilities[rows], 1, axis=1)
    return probabilities


def test_seeds_without_a_partner_are_left_out_and_a_lone_leak_is_still_shown():
    leaky, clean = pair()
    (leak,) = measured(leaky, clean, make_record("cnn3", BEFORE, 1, card=CARD))
    assert leak.seeds == (0,)
    (alone,) = measured(leaky, make_record("cnn3", "baseline", 0, card=CARD))
    assert not alone.paired and alone.curve == () and alone.claimed.value > 0


@pytest.mark.parametrize("other", [{"epochs": 4}, {"side": 96}, {"budget": "tonight"}])
def test_a_twin_must_have_trained_as_long_and_as_large(other):
    leaky, _ = pair()
    (leak,) = measured(leaky, make_record("cnn3", AFTER, 0, card=CARD, **other))
    assert not leak.paired


def test_a_twin_on_other_images_is_none():
    leaky, clean = pair()
    moved = {**clean.arrays, "test_indices": clean.arrays["test_indices"] + 1}
    (leak,) = measured(leaky, replace(clean, arrays=moved))
    assert not leak.paired


def test_the_oracle_is_set_beside_the_same_rule_on_the_validation_split_of_its_training():
    oracle = make_record("cnn3", "leaky/checkpoint-on-test", 0, card=CARD)
    (leak,) = measured(oracle)
    by_epoch = (oracle.arrays["epoch_answers"] == oracle.arrays["test_labels"]).mean(axis=1)
    chosen = int(np.argmax([row.validation_accuracy for row in oracle.history]))
    assert leak.same_epoch == (chosen == oracle.kept.best_epoch)
    assert leak.kind == ORACLE and leak.paired
    assert leak.claimed.value == pytest.approx(by_epoch.max())
    assert leak.clean[PLAIN].value == pytest.approx(by_epoch[chosen])
    assert leak.worth[PLAIN].value >= 0


def test_the_curve_of_a_leak_of_images_shows_the_networks_of_each_epoch():
    leaky, clean = pair()
    (leak,) = measured(leaky, clean)
    assert [step.epoch for step in leak.curve] == list(range(1, len(leaky.history) + 1))
    labels, present = leaky.arrays["test_labels"], np.unique(leaky.arrays["test_labels"])
    for step, answers, row in zip(leak.curve, leaky.arrays["epoch_answers"], leaky.history, strict=True):
        recalls = [(answers == labels)[labels == label].mean() for label in present]
        assert step.leaky == pytest.approx(np.mean(recalls)) and step.leaky_training == row.accuracy
        assert step.worth.value == pytest.approx(step.leaky - step.clean)


def test_the_curve_of_a_choice_shows_what_would_have_been_kept():
    oracle = make_record("cnn3", "leaky/checkpoint-on-test", 0, card=CARD)
    (leak,) = measured(oracle)
    by_epoch = (oracle.arrays["epoch_answers"] == oracle.arrays["test_labels"]).mean(axis=1)
    assert [step.leaky for step in leak.curve] == pytest.approx(np.maximum.accumulate(by_epoch).tolist())
    assert leak.curve[-1].worth.value == pytest.approx(leak.worth[PLAIN].value)


def test_trainings_of_different_length_keep_their_last_checkpoint():
    leaky = make_record("cnn3", "leaky/test-as-validation", 0, card=CARD)
    clean = make_record("cnn3", "clean-twin/checkpoint-on-validation", 0, card=CARD)
    short = {name: array[:5] if name.startswith("epoch_") else array for name, array in clean.arrays.items()}
    (leak,) = measured(leaky, replace(clean, arrays=short, history=clean.history[:5]))
    assert len(leak.curve) == len(leaky.history)
    assert {step.clean for step in leak.curve[5:]} == {leak.curve[4].clean}


def test_without_a_dataset_file_images_count_alone():
    (leak,) = measured(*pair(), dataset=False)
    assert leak.paired and leak.worth[PLAIN].low < leak.worth[PLAIN].high


def test_the_clean_twin_without_known_copies_is_scored_too():
    leaky, clean = pair()
    (leak,) = measured(leaky, clean)
    alone = clean.arrays["test_seen"] == 0
    assert 0 < alone.sum() < len(alone)
    assert leak.clean_without_copies.value == pytest.approx(right(clean)[alone].mean())
