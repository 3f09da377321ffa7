"""Which run is used: the best on the validation split, or the one that is named; missing weights say what to do."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import time
from pathlib import Path

import pytest
import typer.main

from study.core.errors import UsageError, WeightsError
from study.core.record import Imported, SplitFacts
from study.core.store import Store
from study.trained.winner import choose_run, open_run, open_study, retrain_command, weights_of
from tests.changed import replace
from tests.factories import make_card, make_record
from tests.trained.runs import add_onnx, keep


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results", "faces")


def test_the_best_on_the_validation_split_is_used_and_never_a_leaky_one(store: Store) -> None:
    keep(store, "cnn2", skill=1.0)
    best = keep(store, "cnn3", "augment", skill=2.0)
    keep(store, "cnn5", skill=1.5)
    leaky = keep(store, "cnn3", "leaky/oversample-before-split", skill=6.0)
    store.keep(make_record("vgg16", status="failed"))
    assert leaky.leaky
    assert choose_run(store).key == best.key
    assert choose_run(store, leaky.key).key == leaky.key


def test_runs_that_kept_no_weights_are_only_used_when_named(store: Store) -> None:
    trained = keep(store, "cnn2", skill=0.5)
    without = store.keep(make_record("cnn5", skill=3.0))
    assert choose_run(store).key == trained.key
    assert choose_run(store, "cnn5").key == without.key


def test_runs_that_were_scored_on_a_split_of_their_own_are_only_used_when_named(store: Store) -> None:
    trained = keep(store, "cnn2", skill=0.5)
    made = replace(
        make_record("cnn5", skill=3.0),
        weights_file="w",
        splits=SplitFacts(source="", counts={}, hashes={}, own_test=False),
    )
    other = store.keep(made)
    assert choose_run(store).key == trained.key
    assert choose_run(store, "cnn5").key == other.key


def test_imported_predictions_have_no_network_to_use(store: Store) -> None:
    made = make_record("vgg16", skill=4.0)
    imported = Imported(file_sha256="0" * 64, splits=("validation", "test"))
    store.keep(replace(made, imported=imported, weights_file="w"))
    trained = keep(store, "cnn2", skill=0.5)
    assert choose_run(store).key == trained.key
    with pytest.raises(UsageError, match=trained.key):
        choose_run(store, made.key)


def test_equals_go_by_model_protocol_and_seed(store: Store) -> None:
    arrays = make_record().arrays
    for words in (("cnn5", "baseline", 0), ("cnn3", "baseline", 1), ("cnn3", "augment", 2), ("cnn3", "augment", 1)):
        store.keep(replace(make_record(*words), arrays=arrays, weights_file="w"))
    chosen = choose_run(store).spec
    assert (*chosen.recipe, chosen.seed) == ("cnn3", "augment", 1)


def test_a_study_without_a_finished_run_says_so(store: Store) -> None:
    store.keep(make_record(status="failed"))
    with pytest.raises(UsageError, match="no finished run"):
        choose_run(store)


@pytest.mark.parametrize("part", [slice(None), slice(0, 20), slice(5, -2)])
def test_a_run_is_named_by_its_key_its_start_or_a_part(store: Store, part: slice) -> None:
    wanted, _ = keep(store, "cnn3", "augment"), keep(store, "cnn2")
    assert choose_run(store, wanted.key[part]).key == wanted.key


def test_a_start_comes_before_a_part(store: Store) -> None:
    first, second = keep(store, "cnn3", "baseline"), keep(store, "vgg16", "cnn3-like")
    assert choose_run(store, "cnn3").key == first.key
    assert choose_run(store, "vgg16-cnn3").key == second.key


def test_an_ambiguous_or_unknown_key_lists_what_is_there(store: Store) -> None:
    keys = [keep(store, "cnn3", seed=seed).key for seed in range(2)]
    for key in ("cnn3-baseline", "resnet"):
        with pytest.raises(UsageError) as caught:
            choose_run(store, key)
        assert all(key in str(caught.value) for key in keys) and "\n" not in str(caught.value)


def aged(store: Store, seconds: float, *words: str) -> Store:
    """Return a store with a run that has weights and was stored so many seconds ago."""
    record = keep(store, *words)
    when = time.time() - seconds
    os.utime(store.record_path(record.spec), (when, when))
    return store


def forget_weights(store: Store) -> None:
    for path in store.folder.rglob("*.weights.h5"):
        path.unlink()


def test_without_a_name_the_newest_study_with_a_model_is_used(tmp_path: Path) -> None:
    published, older = aged(Store(tmp_path, "published/one"), 0), aged(Store(tmp_path, "older"), 200)
    newer = aged(Store(tmp_path, "newer"), 100)
    assert open_study(tmp_path).study == "newer"
    forget_weights(newer)
    assert open_study(tmp_path).study == "older"
    forget_weights(older)
    assert open_study(tmp_path).study == "published/one"
    forget_weights(published)
    assert open_study(tmp_path).study == "newer"
    assert open_study(tmp_path, "published/one").study == "published/one"


def test_an_export_makes_a_study_usable_too(tmp_path: Path) -> None:
    committed, exported = Store(tmp_path, "committed"), Store(tmp_path, "exported")
    committed.weights_path(keep(committed).spec).unlink()
    record = keep(exported)
    add_onnx(exported, record)
    exported.weights_path(record.spec).unlink()
    assert open_study(tmp_path).study == "exported"


def test_without_a_finished_run_and_with_a_wrong_name_one_line_says_what_to_do(tmp_path: Path) -> None:
    Path(tmp_path, "no study").mkdir()
    with pytest.raises(UsageError, match="no study in .* has a finished run: train one with `make study`"):
        open_study(tmp_path)
    keep(Store(tmp_path, "one"))
    with pytest.raises(UsageError, match="Did you mean one"):
        open_study(tmp_path, "ones")


def test_a_key_finds_its_study(tmp_path: Path) -> None:
    aged(Store(tmp_path, "one"), 200, "cnn2")
    aged(Store(tmp_path, "two"), 100, "cnn3")
    store, record = open_run(tmp_path, key="cnn2")
    assert (store.study, record.spec.model.name) == ("one", "cnn2")
    assert open_run(tmp_path, key="baseline")[0].study == "two"
    forget_weights(Store(tmp_path, "two"))
    assert open_run(tmp_path, key="baseline")[0].study == "one"
    with pytest.raises(UsageError, match=r"'cnn9' fits no finished run in .* \(studies two, one\)"):
        open_run(tmp_path, key="cnn9")


def test_missing_weights_are_one_line_with_a_command_that_the_command_line_takes(store: Store) -> None:
    record = keep(store)
    assert weights_of(store, record).is_file()
    store.weights_path(record.spec).unlink()
    with pytest.raises(WeightsError) as caught:
        weights_of(store, record)
    command = re.search(r"`(.*)`", str(caught.value))
    assert command and "\n" not in str(caught.value)
    program, verb, *words = shlex.split(command[1])
    assert program == "study"
    options = {name for one in typer.main.get_command(importlib.import_module(f"study.cli.{verb}").app).params
               for name in one.opts}  # fmt: skip
    assert {word for word in words if word.startswith("--")} <= options
    assert record.key in words and str(store.results) in words


def test_the_command_draws_the_same_faces_again(tmp_path: Path) -> None:
    settings = {"images": 300, "difficulty": 0.0, "label_noise": 0.1, "seed": 2}
    record = make_record(card=make_card(drawn=True, settings=settings))
    command = retrain_command(Store("results", "faces"), record)
    assert "--data synthetic:images=300,difficulty=0.0,label_noise=0.1,seed=2" in command
    assert "--results" not in command
    assert "--data /faces" in retrain_command(Store("results", "faces"), record, "/faces")
