"""What ends a grid: a table that fits a terminal, its marks explained, and the next commands, which exist."""

from __future__ import annotations

import importlib
import shlex
from pathlib import Path

import pytest
import typer.main

from study.__main__ import VERBS
from study.cli.summary import WIDTH, next_commands, ranked_table
from study.core.store import Store
from tests.changed import replace
from tests.factories import make_record


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results", "s")


def table(store: Store) -> list[str]:
    return ranked_table(store, store.records())


def rows(lines: list[str]) -> list[list[str]]:
    return [line.split() for line in lines if line.startswith(("* ", "  ")) and "model" not in line]


def test_the_table_fits_80_columns_with_the_longest_names(store: Store) -> None:
    for model in ("cnn3", "mobilenet_v3_small"):
        for protocol in ("oversample+augment", "clean-twin/oversample-after-split"):
            for seed in (0, 1):
                store.keep(make_record(model, protocol, seed))
    lines = table(store)
    assert max(map(len, lines)) <= WIDTH
    assert any("clean-twin/" in line and "…" in line for line in lines)
    assert sum("±" in line for line in lines) == 4 + 1, "one line a recipe, and the one that explains the sign"


def test_the_best_is_marked_and_only_marks_that_are_there_are_explained(store: Store) -> None:
    store.keep(make_record("cnn2", skill=1.0))
    store.keep(make_record("cnn3", skill=3.0))
    lines = table(store)
    assert rows(lines)[0][:3] == ["*", "1", "cnn3"] and rows(lines)[1][:2] == ["2", "cnn2"]
    text = "\n".join(lines)
    assert "* best on the validation split" in text and "†" not in text and "not ranked" not in text


def test_runs_that_have_not_converged_and_leaky_ones_are_marked_and_explained(store: Store) -> None:
    record = make_record("cnn2", skill=1.0)
    last = len(record.history) - 1
    store.keep(replace(record, outcome=replace(record.outcome, best_epoch=last, converged=False)))
    store.keep(make_record("cnn3", "leaky/oversample-before-split", skill=3.0))
    lines = table(store)
    (first, leaky) = rows(lines)[:2]
    assert first[5].endswith("†") and leaky[0] == "-"
    assert any(line.startswith("† not converged") for line in lines)
    assert any(line.startswith("- not ranked: leaky") for line in lines)


def test_without_a_finished_run_there_is_no_table(store: Store) -> None:
    store.keep(make_record(status="failed"))
    assert table(store) == []


@pytest.mark.parametrize("name", ["s", "published/s"])
def test_the_next_commands_exist_and_mean_this_study(name: str, tmp_path: Path) -> None:
    store = Store(tmp_path / "results", name)
    lines = next_commands(store, tmp_path / "reports" / "README.md")
    commands = [
        shlex.split(line.strip().partition("   ")[0].partition("  ")[0]) for line in lines if "  study " in line
    ]
    assert [words[1] for words in commands] == ["web", "predict"]
    for _, verb, *words in commands:
        command = typer.main.get_command(importlib.import_module(VERBS[verb][0]).app)
        options = {option for one in command.params for option in one.opts}
        assert {word for word in words if word.startswith("--")} <= options
        assert ("published/s" in words) == (name != "s") and str(store.results) in words


def test_the_html_report_is_named_where_it_is(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    assert not any("report.html" in line for line in next_commands(Store(tmp_path, "s"), page))
    (tmp_path / "report.html").touch()
    assert any("report.html" in line for line in next_commands(Store(tmp_path, "s"), page))
