"""The page at a glance says what the report says."""

import pytest

from study.analysis.scores import RECIPE
from study.report.collect import collect
from study.web.overview import current_study, factor_changes, leaderboard_rows, run_label
from tests.factories import keep, make_record, make_store


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """Two models, four protocols, three seeds, of which nothing is wrong."""
    models = ("cnn2", "cnn3")
    return make_store(tmp_path_factory.mktemp("seeded"), models=models, seeds=range(3), flaws=False)


def test_the_card_has_the_best_recipes_scores_and_what_factors_do(seeded):
    data = collect(seeded)
    (found, *_), first, score = leaderboard_rows(data), data.ranked[0], data.found.winner()
    assert (found["recipe"], found["seeds"], found["unconverged"]) == (str(first.recipe), 3, first.unconverged)
    assert found["test"] == pytest.approx(100 * score.value) and score.question == RECIPE
    assert found["interval"] == f"{100 * score.low:.1f} to {100 * score.high:.1f}"
    assert found["covers"] == "new seeds and new images"
    effects, factors = data.found.effects.overall["accuracy"], factor_changes(data)
    assert [name for name, _, _ in factors] == [one.contrast.factor for one in effects] != []
    assert [significant for *_, significant in factors] == [one.told_apart for one in effects]


def test_the_effect_of_one_of_several_models_names_it(tmp_path):
    data = collect(keep(tmp_path, make_record(), make_record(protocol="augment"), make_record("cnn5")))
    assert [name for name, *_ in factor_changes(data)] == ["augmentation in cnn3"]


def test_one_seed_says_that_its_interval_covers_no_new_seeds(tmp_path):
    store = make_store(tmp_path, models=("cnn3",), protocols=("baseline",), flaws=False)
    data = collect(store)
    assert leaderboard_rows(data)[0]["covers"] == "new images, not new seeds" and factor_changes(data) == []


def test_there_is_no_card_where_nothing_may_be_ranked(tmp_path):
    store = make_store(tmp_path, models=(), protocols=(), flaws=False)
    store.keep(make_record("cnn3", "leaky/checkpoint-on-test"))
    assert leaderboard_rows(collect(store))[0]["rank"] is None


def test_a_runs_name_says_whether_it_has_converged(data):
    late = [run for run in data.runs if not run.converged]
    assert late and all(run_label(data, run.record).endswith("not converged") for run in late)
    assert not any("converged" in run_label(data, run.record) for run in data.runs if run.converged)


def test_a_study_is_read_again_only_when_something_changes(tmp_path):
    store = make_store(tmp_path, models=("cnn3",), protocols=("baseline",), flaws=False)
    first = current_study(str(tmp_path), store.study)
    assert current_study(str(tmp_path), store.study) is first
    store.keep(make_record("cnn2"))
    assert len(current_study(str(tmp_path), store.study).records) == len(first.records) + 1
