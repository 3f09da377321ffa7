"""Weights that are not to be kept are removed, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.cli.run_options import check_keep_weights
from study.core.errors import UsageError
from study.core.record import Record
from study.core.store import Store
from study.execution.weights_kept import WeightsKept
from study.models.weights import WeightsChoice
from study.planning.grid import PlannedSpec
from study.planning.plan import PlannedRun
from study.protocols.budgets import Speed
from tests.trained.runs import contents, keep


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "s")


def planned(record: Record, done: bool = True, start: Path | None = None) -> PlannedRun:
    weights = WeightsChoice("file" if start else "none", path=start)
    return PlannedRun(PlannedSpec(record.spec, weights), record if done else None, 1.0, Speed(1, 1, 1))


def there(store: Store, *records: Record) -> list[bool]:
    return [store.weights_path(record.spec).is_file() for record in records]


def removed(store: Store, which: str, runs: list[PlannedRun], *later: Record) -> list[str]:
    kept, lines = WeightsKept(store, runs, which), []
    for record in later:
        kept.add(record)
    kept.tell(lines.append)
    return lines


def test_all_removes_nothing(store: Store) -> None:
    records = [keep(store, "cnn3", seed=seed) for seed in range(2)]
    assert removed(store, "all", [planned(one) for one in records]) == []
    assert there(store, *records) == [True, True]


def test_best_keeps_the_best_run_of_each_model_on_validation_and_says_what_it_removed(store: Store) -> None:
    weak, best, later = keep(store, "cnn3", skill=1.0), keep(store, "cnn3", "augment", skill=3.0), None
    other = keep(store, "cnn2", skill=0.5)
    later = keep(store, "cnn3", seed=1, skill=2.0)
    before = contents(store.folder)
    runs = [planned(one) for one in (weak, best, other)] + [planned(later, done=False)]
    lines = removed(store, "best", runs, later)
    assert there(store, weak, best, other, later) == [False, True, True, False]
    assert lines == ["Removed the weights of 2 runs (0 MB): the best run of each model keeps its own"]
    gone = before.keys() - contents(store.folder).keys()
    assert len(gone) == 2 and all(name.endswith(".weights.h5") for name in gone)


def test_a_leaky_run_takes_no_weights_from_an_honest_one(store: Store) -> None:
    honest = keep(store, "cnn3", skill=1.0)
    leaky = keep(store, "cnn3", "leaky/oversample-before-split", skill=6.0)
    removed(store, "best", [planned(honest), planned(leaky)])
    assert there(store, honest, leaky) == [True, True]


def test_none_keeps_none_but_those_that_a_run_of_the_plan_starts_from(store: Store) -> None:
    start, other = keep(store, "cnn3"), keep(store, "cnn2")
    open_run = planned(keep(store, "vgg16"), done=False, start=store.weights_path(start.spec))
    assert len(removed(store, "none", [planned(start), planned(other), open_run])) == 1
    assert there(store, start, other) == [True, False]


def test_weights_of_runs_outside_the_plan_stay(store: Store) -> None:
    outside, inside = keep(store, "cnn3", skill=1.0), keep(store, "cnn3", seed=1, skill=2.0)
    removed(store, "best", [planned(inside)])
    assert there(store, outside, inside) == [True, True]


def test_other_words_are_refused() -> None:
    with pytest.raises(UsageError, match="all, best, none, got 'some'"):
        check_keep_weights("some")
