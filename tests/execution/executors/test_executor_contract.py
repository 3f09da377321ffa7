"""The contract of executors: one tiny spec, trained for two updates, leaves equal records wherever it is executed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.cli import driver
from study.cli.run_options import Flags
from study.core.record import Record
from study.core.registry import load_plugin
from study.core.store import Store
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.execution.executors import EXECUTORS, Job
from study.execution.executors.ray.cluster import Cluster
from study.planning.grid import Choices, read_grid, resolve_specs, select_pairs
from study.protocols.budgets import read_budget
from tests.changed import replace
from tests.examples import example
from tests.execution.executors.clusters import cluster_of
from tests.execution.executors.contract import check_executor, check_signature
from tests.execution.sameness import timeless

#: What needs no cluster; `test_ray.py` asks the same of the other one.
HERE = ("inprocess", "process")
#: Executors whose runs have processes of their own; in this one the backend may have been started with other threads.
OWN_PROCESS = ("process", "ray")


def test_executors_are_found_by_themselves() -> None:
    assert EXECUTORS.names() == sorted([*HERE, "ray"])


@pytest.mark.parametrize("name", HERE)
def test_every_executor_keeps_the_contract(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check_executor(EXECUTORS.get(name), load("synthetic:images=200"), monkeypatch)


def test_ray_can_be_called_like_the_others() -> None:
    check_signature(EXECUTORS.get("ray"))


def test_the_executor_of_the_documentation_keeps_the_contract_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_executors: None
) -> None:
    file = example(tmp_path, "add-an-executor-or-tracker", "@executor")
    monkeypatch.chdir(tmp_path)
    load_plugin(file)
    with monkeypatch.context() as patch:
        check_executor(EXECUTORS.get("logged"), load("synthetic:images=200"), patch)
    (tmp_path / "runs.log").unlink()
    monkeypatch.setattr(
        "study.report.write.write_report", lambda store, reports, **_: reports / store.study / "README.md"
    )
    monkeypatch.setattr("study.report.local.write_local_pictures", lambda store, image_set, reports: None)
    given = Flags(data="synthetic:images=200", models=("cnn3",), protocols=("baseline",), budget="demo", epochs=1)
    assert driver.run(replace(given, executor="logged", plugins=(str(file),))) == 0
    (record,) = Store(tmp_path / "results", "synthetic-200").records()
    started, ended = (tmp_path / "runs.log").read_text().splitlines()
    assert f"start {record.key}" in started and f"done {record.key}" in ended


@pytest.fixture
def own_executors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget afterwards what a test registers."""
    EXECUTORS.names()
    monkeypatch.setattr(EXECUTORS, "_entries", dict(EXECUTORS._entries))
    monkeypatch.setattr(EXECUTORS, "_files", dict(EXECUTORS._files))


@pytest.fixture(scope="module")
def records() -> Iterator[dict[str, Record]]:
    """Return the record that each executor makes of the spec; Ray's only where it is installed."""
    from study.core.environment import usable_cores

    os.environ["PYTHONPATH"] = os.getcwd()
    faces: ImageSet = load("synthetic:images=200")
    pairs = select_pairs(read_grid("all"), ("cnn2",), ("oversample+augment",))
    budget = read_budget("demo").with_updates({"custom": 2})
    todo = [Job(one.spec) for one in resolve_specs(pairs, Choices(budget), faces)]

    def record(name: str, workers: int = 1, **more: Any) -> Record:
        options = {"workers": workers, "plugins": (), "on_event": lambda spec, event: None}
        (made,) = EXECUTORS.get(name).run_specs(todo, faces, **options, **more)
        assert made.status == "done", made.reason
        return made

    found = {"inprocess": record("inprocess"), "process": record("process", usable_cores())}
    if importlib.util.find_spec("ray"):
        with cluster_of(1) as cluster:
            found["ray"] = record("ray", cluster=Cluster(cluster.address))
    yield found


@pytest.mark.slow
@pytest.mark.parametrize("name", EXECUTORS.names())
def test_every_executor_trains_the_same_network(name: str, records: dict[str, Record]) -> None:
    if name not in records:
        pytest.skip("Ray is not installed: pip install '.[ray]'")
    own, record = records["inprocess"], records[name]
    assert (record.spec, record.dataset, record.splits) == (own.spec, own.dataset, own.splits)
    assert record.contamination == own.contamination and record.outcome.stopped == own.outcome.stopped
    assert record.arrays.keys() == own.arrays.keys()
    for what in own.arrays:
        assert np.allclose(record.arrays[what], own.arrays[what], atol=1e-4), what


@pytest.mark.slow
def test_records_are_equal_to_the_last_bit(records: dict[str, Record]) -> None:
    if "ray" not in records:
        pytest.skip("Ray is not installed: pip install '.[ray]'")
    one, other = (records[name] for name in OWN_PROCESS)
    assert timeless(one.to_json()) == timeless(other.to_json())
    assert {name: array.tobytes() for name, array in one.arrays.items()} == {
        name: array.tobytes() for name, array in other.arrays.items()
    }
