"""Scores, comparisons and ensembles: which question is answered, from which networks, the same as by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest

from study.analysis.comparisons import compare_networks, compare_recipes
from study.analysis.contrasts import Family, Sample
from study.analysis.ensembles import OVER_MODELS, OVER_SEEDS, ensembles
from study.analysis.influence import linearise
from study.analysis.pairs import mcnemar_exact
from study.analysis.recipes import Recipe
from study.analysis.runs import score_run
from study.analysis.scores import CALIBRATED, FLIPPED, NETWORK, RECIPE, Measure, Scores
from study.core.errors import UsageError
from tests.changed import replace
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
    expected = Family([Sample.of(linearise("macro_f1", stacked(scores, GOOD), scores.labels))]).contrast([1.0])
    found = scores.score(GOOD, Measure("macro_f1"))
    assert (found.value, found.low, found.high) == (expected.value, *expected.interval())
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
    assert scores.views_gain(recipe, FLIPPED).value == pytest.approx(flipped - plain)


def test_recipes_are_set_against_the_best_on_validation(scores):
    found = compare_recipes(scores, [SINGLE, GOOD, POOR], margin=0.02)
    (only,) = found.declared
    assert (only.first, only.second) == (POOR, GOOD)
    both = [scores.sample(scores.recipes[recipe]) for recipe in (POOR, GOOD)]
    expected = Family(both).contrast([1.0, -1.0])
    assert (only.difference.low, only.difference.high) == pytest.approx(expected.interval()), "one pair, no correction"
    assert only.adjusted == pytest.approx(expected.p_value)
    assert only.equivalence is not None and only.superiority is not None


def test_differences_from_the_best_pay_for_all_pairs(scores):
    """The seeds that chose the best are tested: each against the best is a choice among all pairs."""
    third = Recipe("cnn5", "baseline")
    more = {**scores.recipes, third: [score_run(make_record("cnn5", "baseline", seed)) for seed in range(3)]}
    found = compare_recipes(Scores(more), [GOOD, POOR, third], margin=0.02)
    of_pair = {frozenset((one.first, one.second)): one for one in found.pairs}
    for one in found.declared:
        pair = of_pair[frozenset((one.first, one.second))]
        assert one.adjusted == pair.adjusted >= min(1.0, 3 * pair.difference.moderated.p_value)
        assert one.told_apart == (one.difference.low > 0 or one.difference.high < 0)


def test_the_winner_s_score_is_that_of_the_recipe_which_the_other_seeds_choose():
    """Each seed of A is lucky on both splits in turn: on the others alone B is as good."""
    accurate = {"A": (2.4, 1.0, 1.0), "B": (1.4, 1.4, 1.4)}
    recipes = {
        Recipe("cnn3", name): [
            score_run(make_record("cnn3", name, seed, skill=skill)) for seed, skill in enumerate(row)
        ]
        for name, row in accurate.items()
    }
    scores = Scores(recipes)
    ranked = sorted(recipes, key=lambda one: -np.mean([run.validation.accuracy for run in recipes[one]]))
    chosen = scores._chosen_by_other_seeds(ranked)
    for part, run in enumerate(chosen):
        others = {
            one: np.mean([run.validation.accuracy for run in np.delete(runs, part)]) for one, runs in recipes.items()
        }
        assert run is recipes[max(others, key=others.get)][part]
    found, plain = scores.winner(ranked), scores.score(ranked[0])
    assert found.value == pytest.approx(np.mean([run.test.accuracy for run in chosen]))
    assert found.low <= min(found.value, plain.low) and found.high >= max(found.value, plain.high)


def test_where_all_or_none_are_right_the_interval_is_the_exact_one_for_networks_and_recipes():
    record = make_record()
    labels = record.arrays["test_labels"]
    for right in (True, False):
        answers = labels if right else (labels + 1) % 7
        arrays = {**record.arrays, "test_probabilities": np.eye(7, dtype=np.float32)[answers]}
        runs = [score_run(replace(make_record(seed=seed), arrays=arrays)) for seed in range(3)]
        for count in (1, 3):
            scores = Scores({GOOD: runs[:count]})
            found = scores.score(GOOD)
            expected = binomtest(int(right) * len(labels), len(labels)).proportion_ci(method="exact")
            assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
            for metric in ("macro_f1", "balanced_accuracy"):
                found = scores.score(GOOD, Measure(metric))
                assert found.low < found.high, metric


def test_the_best_recipe_is_probably_the_one_that_is_far_ahead_and_equals_share(scores):
    twins = {
        Recipe(name, "baseline"): [score_run(make_record(name, "baseline", seed, skill=skill)) for seed in range(3)]
        for name, skill in (("cnn2", 1.5), ("cnn3", 1.5), ("cnn5", 4.0))
    }
    ahead, *rest = (Scores(twins).probability_of_best(chosen) for chosen in (list(twins), list(twins)[:2]))
    assert ahead[Recipe("cnn5", "baseline")] > 0.9 and sum(ahead.values()) == pytest.approx(1.0)
    assert all(0.05 < share < 0.95 for share in rest[0].values())


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


def test_the_same_vote_is_found_once():
    skills = {GOOD: 1.9, Recipe("cnn5", "baseline"): 1.9, POOR: 0.0}
    runs = {one: [score_run(make_record(one.model, one.protocol, skill=skill))] for one, skill in skills.items()}
    (found,) = ensembles(Scores(runs), list(skills))
    assert found.over == OVER_MODELS and len(found.recipes) == 2
    assert found.best_member.validation.accuracy == max(run.validation.accuracy for run in found.runs)


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
