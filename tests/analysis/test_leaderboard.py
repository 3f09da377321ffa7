"""The leaderboard ranks by the validation split alone."""

import numpy as np
import pytest

from study.analysis.leaderboard import Spread, leaderboard
from study.analysis.recipes import name_records
from study.analysis.runs import score_run
from tests.changed import replace
from tests.factories import make_record


def test_recipes_are_ranked_by_mean_validation_accuracy(scored):
    ranked = [one for one in leaderboard(*scored) if one.rank]
    values = [one.measures["validation_accuracy"].mean for one in ranked]
    assert values == sorted(values, reverse=True)
    assert [one.rank for one in ranked] == list(range(1, len(ranked) + 1))


def test_the_test_split_does_not_move_anybody(scored):
    runs, naming = scored
    before = [one.recipe for one in leaderboard(runs, naming)]
    better = [replace(run, test=replace(run.test, accuracy=1 - run.test.accuracy)) for run in runs]
    assert [one.recipe for one in leaderboard(better, naming)] == before


def test_leaky_recipes_are_shown_and_never_ranked(scored):
    leaky = [one for one in leaderboard(*scored) if "leaky" in one.recipe.protocol]
    assert leaky and all(one.rank is None for one in leaky)


def test_unconverged_runs_are_counted(scored):
    counted = {str(one.recipe): one.unconverged for one in leaderboard(*scored)}
    assert counted["cnn2 / augment"] == 2
    assert counted["cnn2 / baseline"] == 0


def test_the_spread_is_the_sample_standard_deviation_over_seeds():
    spread = Spread.of([0.5, 0.7])
    assert spread.mean == pytest.approx(0.6)
    assert spread.deviation == pytest.approx(0.1 * 2**0.5)


def test_one_seed_has_no_spread_and_no_value_has_no_mean():
    assert Spread.of([0.5]).deviation is None
    assert Spread.of([None, float("nan")]).mean is None


def test_a_recipe_of_few_updates_is_shown_and_never_ranked():
    records = [make_record("cnn3", seed=seed) for seed in range(2)] + [make_record("cnn5", "augment", epochs=1)]
    board = leaderboard([score_run(record) for record in records], name_records(records))
    assert [(one.recipe.model, one.rank, one.hardly_trained) for one in board] == [
        ("cnn3", 1, False),
        ("cnn5", None, True),
    ]


def test_one_run_that_learned_nothing_stays_with_its_recipe_and_most_of_them_do_not():
    def constant(record):
        arrays = dict(record.arrays)
        for name in ("validation_probabilities", "test_probabilities"):
            arrays[name] = np.tile(np.eye(7, dtype=np.float32)[3], (len(arrays[name]), 1))
        return replace(record, arrays=arrays)

    records = [make_record("cnn3", seed=seed) for seed in range(3)]
    one = [constant(records[0]), *records[1:]]
    (standing,) = leaderboard([score_run(record) for record in one], name_records(one))
    assert standing.rank == 1 and standing.learned_nothing == (0,)
    most = [*map(constant, records[:2]), records[2]]
    (standing,) = leaderboard([score_run(record) for record in most], name_records(most))
    assert standing.rank is None and standing.hardly_trained
