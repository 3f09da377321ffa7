"""Scores, comparisons and ensembles: which question is answered, from which networks, the same as by hand."""

import numpy as np
import pytest

from study.analysis.comparisons import compare_networks, compare_recipes
from study.analysis.contrasts import recipe_difference, recipe_mean
from study.analysis.ensembles import OVER_MODELS, OVER_SEEDS, ensembles
from study.analysis.exact import mcnemar_exact
from study.analysis.influence import linearise
from study.analysis.recipes import Recipe
from study.analysis.runs import score_run
from study.analysis.scores import CALIBRATED, FLIPPED, NETWORK, RECIPE, Measure, Scores
from study.core.errors import UsageError
from tests.factories import make_record

GOOD, POOR, SINGLE = Recipe("cnn3", "augment"), Recipe("cnn3", "baseline"), Recipe("cnn2", "baseline")


@pytest.fixture(scope="module")
def scores():
    """Two recipes of three seeds and one of a single seed."""
    seeds = {GOOD: 3, POOR: 3, SINGLE: 1}
    return Scores(
        {
            recipe: [score_run(make_record(recipe.model, recipe.protocol, seed)) for seed in range(count)]
            for recipe, count in seeds.items()
        }
    )


def stacked(scores, recipe):
    return np.stack([run.record.arrays["test_probabilities"] for run in scores.recipes[recipe]])


def test_three_seeds_answer_for_the_recipe_and_one_for_its_network(scores):
    assert [scores.score(recipe).question for recipe in (GOOD, SINGLE)] == [RECIPE, NETWORK]
    with pytest.raises(UsageError, match="at least 3 seeds"):
        scores.recipe_contrast({GOOD: 1.0, SINGLE: -1.0})


def test_a_score_is_the_recipe_s_mean_with_its_interval(scores):
    expected = recipe_mean(linearise("macro_f1", stacked(scores, GOOD), scores.labels))
    found = scores.score(GOOD, Measure("macro_f1"))
    assert (found.value, found.low, found.high) == (expected.value, expected.low, expected.high)
    assert found.runs == tuple(run.record.key for run in scores.recipes[GOOD])


def test_a_share_s_interval_stays_between_0_and_1(scores):
    for place in range(7):
        for recipe in scores.recipes:
            found = scores.score(recipe, Measure("recall", place))
            assert np.isnan(found.low) or 0.0 <= found.low <= found.value <= found.high <= 1.0


def test_a_temperature_changes_no_answer_and_comes_from_the_validation_split(scores):
    run = scores.recipes[GOOD][0]
    plain, scaled = (scores.probabilities(run, answers) for answers in ("plain", CALIBRATED))
    assert (plain.argmax(axis=1) == scaled.argmax(axis=1)).all()
    assert scores.score(GOOD, Measure("accuracy", None, CALIBRATED)).value == scores.score(GOOD).value


@pytest.mark.parametrize("recipe", [GOOD, SINGLE])
def test_the_gain_of_flipping_is_with_minus_without(scores, recipe):
    flipped, plain = (scores.score(recipe, Measure("accuracy", None, answers)).value for answers in (FLIPPED, "plain"))
    assert scores.flip_gain(recipe).value == pytest.approx(flipped - plain)


def test_recipes_are_set_against_the_best_on_validation(scores):
    found = compare_recipes(scores, [SINGLE, GOOD, POOR], margin=0.02)
    (only,) = found.declared
    assert (only.first, only.second) == (POOR, GOOD)
    both = [linearise("accuracy", stacked(scores, recipe), scores.labels) for recipe in (POOR, GOOD)]
    assert only.difference.estimate == recipe_difference(*both)
    assert only.equivalence is not None and only.superiority is not None and only.detectable > 0


def test_networks_of_one_seed_are_compared_by_mcnemar_s_test(scores):
    found = compare_networks(scores, [GOOD, POOR, SINGLE])
    assert found.seed == 0
    assert {one.first for one in found.declared} | {found.compared[0]} == {GOOD, POOR, SINGLE}
    for one in found.pairs:
        first, second = (scores.recipes[recipe][0] for recipe in (one.first, one.second))
        assert one.mcnemar == mcnemar_exact(first.correct, second.correct)
        assert one.difference.question == NETWORK


def test_committees_vote_over_seeds_and_over_models(scores):
    found = ensembles(scores, [GOOD, POOR, SINGLE])
    assert [one.recipes for one in found if one.over == OVER_SEEDS] == [(GOOD,), (POOR,)]
    votes = next(one for one in found if one.recipes == (GOOD,))
    assert votes.answers("test") == pytest.approx(stacked(scores, GOOD).mean(axis=0))
    for one in found:
        if one.over == OVER_MODELS:
            assert POOR not in one.recipes


def test_the_test_split_does_not_choose_who_votes(scores):
    shuffled = {}
    for recipe, runs in scores.recipes.items():
        shuffled[recipe] = []
        for run in runs:
            record = make_record(recipe.model, recipe.protocol, run.spec.seed)
            arrays = dict(record.arrays)
            arrays["test_probabilities"] = arrays["test_probabilities"][:, ::-1].copy()
            shuffled[recipe].append(score_run(record.with_arrays(arrays)))
    ranked = [GOOD, POOR, SINGLE]
    before, after = (ensembles(one, ranked) for one in (scores, Scores(shuffled)))
    assert [(one.over, one.recipes) for one in before] == [(one.over, one.recipes) for one in after]
