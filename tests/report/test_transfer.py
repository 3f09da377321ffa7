"""A study of transfer: its report says what runs started from, on which share they trained and what that was worth."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from study.analysis.factors import factor_contrasts
from study.analysis.recipes import name_records
from study.core.record import Pretraining, Record
from study.core.spec import Start
from study.core.store import Store
from study.report.collect import collect
from study.report.sections.reproduce import commands
from study.report.sections.runs import missing_cells
from study.report.write import write_report
from tests.changed import replace
from tests.factories import make_card, make_record

PRETRAINING = Pretraining(
    model="resnet50", dataset="cifar10", images=45000, classes=10, epochs=5, side_px=48, test_accuracy=0.6912
)


def make(model: str, way: str, seed: int, share: float = 0.25) -> Record:
    """Return a record of ``transfer/WAY`` with as many updates as every other."""
    random = way == "random-start"
    skill = {"random-start": 1.0, "frozen": 1.3, "staged": 1.9}[way]
    weights = "none" if random else "file"
    record = make_record(model, f"transfer/{way}", seed, card=make_card(), weights=weights, skill=skill, epochs=8)
    phase = replace(record.spec.protocol.phases[-1], updates=64, updates_per_epoch=8)
    start = "none" if random else ""
    protocol = replace(record.spec.protocol, phases=(phase,), epochs_in_all=True, train_share=share, start=start)
    spec = replace(record.spec, protocol=protocol)
    return replace(record, spec=spec, pretraining=None if random else PRETRAINING)


RUNS = [(way, seed) for seed in (0, 1) for way in ("random-start", "frozen", "staged")]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("results"), "faces-transfer")
    for way, seed in RUNS:
        store.keep(make("resnet50", way, seed))
    return store


def test_recipes_say_what_they_start_from_and_on_which_share_they_trained(store: Store) -> None:
    names = {str(recipe) for recipe in name_records(store.records()).recipes.values()}
    assert names == {
        "resnet50 (random weights) / transfer/random-start (25 % of train)",
        "resnet50 (pretrained) / transfer/frozen (25 % of train)",
        "resnet50 (pretrained) / transfer/staged (25 % of train)",
    }


def test_a_failed_run_is_named_after_what_others_know_of_its_file() -> None:
    good = make("resnet50", "staged", 0)
    failed = replace(make("resnet50", "staged", 1), status="failed", reason="killed", pretraining=None)
    assert len(set(name_records([good, failed]).recipes.values())) == 1


def test_files_from_one_dataset_are_told_apart() -> None:
    one = make("resnet50", "staged", 0)
    spec = replace(one.spec, weights=Start(source="file", sha256="f" * 64))
    names = {recipe.protocol for recipe in name_records([one, replace(one, spec=spec)]).recipes.values()}
    assert len(names) == 2 and any("weights ffffffff" in name for name in names)


def test_each_way_is_set_against_the_random_start_of_its_own_body() -> None:
    records = [make(model, way, 0) for model in ("resnet50", "vgg16") for way in ("random-start", "staged")]
    naming = name_records(records)
    found = factor_contrasts(
        {naming.of(record): record.spec for record in records}, dict.fromkeys(naming.recipes.values(), 0.5)
    )
    ((shared,), others) = (
        [one for one in found if one.factor == "staged vs random start" and (one.model is None) == overall]
        for overall in (True, False)
    )
    assert {
        (str(recipe).split()[0], recipe.protocol.split()[0]): weight for recipe, weight in shared.weights.items()
    } == {
        (model, f"transfer/{way}"): sign / 2
        for model in ("resnet50", "vgg16")
        for way, sign in (("staged", 1.0), ("random-start", -1.0))
    }
    assert [one.model for one in others] == ["resnet50", "vgg16"]


def test_of_several_random_starts_the_one_that_learns_best_is_set_against() -> None:
    records = [make("resnet50", "random-start", 0), make("resnet50", "staged", 0)]
    protocol = replace(records[0].spec.protocol, name="transfer/random-start@rate=0.0003")
    records.append(replace(records[0], spec=replace(records[0].spec, protocol=protocol)))
    naming = name_records(records)
    recipes = [naming.of(record) for record in records]
    for better in (0, 2):
        validation = {recipe: float(place == better) for place, recipe in enumerate(recipes)}
        (found,) = factor_contrasts({naming.of(record): record.spec for record in records}, validation)
        assert found.factor == "staged vs random start"
        assert found.weights == {recipes[1]: 1.0, recipes[better]: -1.0}


def test_ways_with_other_images_or_updates_are_not_compared() -> None:
    records = [make("resnet50", "random-start", 0), make("resnet50", "staged", 0, share=0.5)]
    naming = name_records(records)
    assert not factor_contrasts({naming.of(record): record.spec for record in records}, {})


def test_the_report_says_what_transfer_was_worth_and_from_what(store: Store, tmp_path: Path) -> None:
    page = write_report(store, tmp_path).read_text(encoding="utf-8")
    assert "pretrained on cifar10 (45,000 images of 10 classes, 5 epochs at 48 px, test accuracy 69.1 %)" in page
    assert "All runs trained on a part of the training split alone (25 %)" in page
    assert "pretraining (staged; against a random start with equal updates and images)" in page
    assert "no pretrained weights were at hand" not in page, "the random start was chosen"
    (card,) = re.findall(r"\*\*Factors\*\* \| (.+) \|", page)
    assert re.search(r"pretraining, staged [+−][\d.]+ points", card)


def test_nothing_is_missing_where_every_way_was_run(store: Store) -> None:
    assert missing_cells(collect(store)) == []


def test_the_commands_give_the_same_runs(store: Store) -> None:
    lines = [shlex.split(line) for line in commands(collect(store)) if line.startswith("study run")]
    given = [dict(zip(words[2::2], words[3::2], strict=True)) for words in lines]
    assert all(one["--train-share"] == "0.25" and one["--epochs"] == "8" for one in given)
    assert {(one["--protocols"], one.get("--weights")) for one in given} == {
        ("transfer/random-start", None),
        ("transfer/frozen,transfer/staged", "FILE"),
    }
