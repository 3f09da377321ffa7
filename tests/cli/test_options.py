"""The network that predict and live use: opened quietly where it is quick, announced where it takes a while."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from study.cli.options import opened_runtime
from study.core.errors import UsageError, WeightsError
from study.core.store import Store
from study.trained import runtime
from study.trained.formats import INSTALL
from tests.trained.fakes import fake_runtime
from tests.trained.runs import add_onnx, keep


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results", "faces")


def test_an_exported_run_is_opened_and_named(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    record = keep(store)
    add_onnx(store, record)
    assert opened_runtime(store.results, None, None, None).key == record.key
    assert capsys.readouterr() == ("", f"Network: {record.key} of study faces\n")


def test_what_takes_a_while_says_how_it_takes_less(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = keep(store)
    monkeypatch.setattr(runtime, "open_keras", lambda *words: fake_runtime())
    opened_runtime(store.results, "faces", None, None)
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 2
    assert f"after `study export --study faces --run {record.key} --results {store.results}`" in err


def test_an_export_that_cannot_be_run_for_lack_of_a_package_says_what_to_install(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = keep(store)
    add_onnx(store, record)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(runtime, "open_keras", lambda *words: fake_runtime())
    opened_runtime(store.results, "faces", None, None)
    err = capsys.readouterr().err
    assert f"`{INSTALL}` and `study export" in err and len(err.splitlines()) == 2


def test_missing_weights_are_one_line_with_the_command_that_makes_them(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.trained.release.FOLDER", tmp_path / "none")
    record = keep(store)
    store.weights_path(record.spec).unlink()
    with pytest.raises(WeightsError, match=f"study retrain.*{record.key}"):
        opened_runtime(store.results, None, None, None)
    assert capsys.readouterr().err == ""


def test_a_run_that_is_not_there_is_one_line(store: Store) -> None:
    keep(store)
    with pytest.raises(UsageError, match="fits no finished run"):
        opened_runtime(store.results, None, "vgg19", None)
