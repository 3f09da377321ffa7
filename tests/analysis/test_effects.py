"""Factor effects come from runs that differ in that factor alone."""

import pytest

from study.analysis.effects import AUGMENTATION, OVERSAMPLING, RANDOM_BODY, TRANSFER, matched_pairs, summarise
from study.analysis.recipes import name_records
from study.analysis.runs import score_run
from tests.factories import make_record


def pairs_of(*records):
    return matched_pairs([score_run(record) for record in records], name_records(records))


def test_pairs_share_model_and_seed_and_everything_but_the_factor(scored):
    for pair in matched_pairs(*scored):
        without, with_factor = pair.without.spec, pair.with_factor.spec
        if pair.factor in (OVERSAMPLING, AUGMENTATION):
            name = "sampling" if pair.factor == OVERSAMPLING else "augmentation"
            differing = {key for key in without.protocol if without.protocol[key] != with_factor.protocol[key]}
            assert differing == {"name", name}
            assert without.model == with_factor.model
        assert without.seed == with_factor.seed


def test_a_difference_is_with_minus_without():
    weak, strong = make_record(protocol="baseline", skill=1.0), make_record(protocol="augment", skill=3.0)
    (pair,) = pairs_of(weak, strong)
    assert pair.factor == AUGMENTATION
    assert pair.difference("accuracy") == pytest.approx(pair.with_factor.test.accuracy - pair.without.test.accuracy)
    assert pair.difference("accuracy") > 0


@pytest.mark.parametrize("change", [{"seed": 1}, {"budget": "demo"}, {"epochs": 4}, {"side": 96}])
def test_runs_that_differ_in_more_are_no_pair(change):
    seed = change.pop("seed", 0)
    assert pairs_of(make_record(protocol="baseline"), make_record("cnn3", "augment", seed, **change)) == []


def test_both_steps_to_the_combined_protocol_are_pairs():
    records = [make_record(protocol=name) for name in ("baseline", "oversample", "augment", "oversample+augment")]
    counted = {factor: effect.pairs for factor, effect in summarise(pairs_of(*records), "accuracy").items()}
    assert counted == {OVERSAMPLING: 2, AUGMENTATION: 2}


def test_families_are_compared_under_the_same_protocol_and_random_bodies_apart():
    records = [make_record("cnn2"), make_record("cnn3"), make_record("vgg16"), make_record("resnet50", weights="none")]
    records.append(make_record("vgg16", "augment"))
    found = summarise([pair for pair in pairs_of(*records) if "custom" in pair.factor], "accuracy")
    assert {factor: effect.pairs for factor, effect in found.items()} == {TRANSFER: 2, RANDOM_BODY: 2}


def test_leaky_runs_take_no_part():
    assert pairs_of(make_record(protocol="baseline"), make_record(protocol="leaky/oversample")) == []


def test_a_summary_holds_mean_range_and_number():
    records = [make_record("cnn3", name, seed) for name in ("baseline", "augment") for seed in (0, 1, 2)]
    pairs = pairs_of(*records)
    effect = summarise(pairs, "macro_f1")[AUGMENTATION]
    differences = [pair.difference("macro_f1") for pair in pairs]
    assert (effect.pairs, effect.low, effect.high) == (3, min(differences), max(differences))
    assert effect.mean == pytest.approx(sum(differences) / 3)
