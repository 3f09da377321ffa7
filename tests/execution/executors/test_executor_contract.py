"""The contract of executors: one tiny spec, trained for two updates, leaves equal records wherever it is executed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from study.core.record import Record
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.execution.executors import MODULES, Job, get_executor
from study.execution.executors.ray.cluster import Cluster
from study.planning.grid import Choices, read_grid, resolve_specs, select_pairs
from study.protocols.budgets import read_budget
from tests.execution.executors.clusters import cluster_of
from tests.execution.sameness import timeless

#: Executors whose runs have processes of their own; in this one the backend may have been started with other threads.
OWN_PROCESS = ("process", "ray")


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
        (made,) = get_executor(name)(todo, faces, **options, **more)
        assert made.status == "done", made.reason
        return made

    found = {"inprocess": record("inprocess"), "process": record("process", usable_cores())}
    if importlib.util.find_spec("ray"):
        with cluster_of(1) as cluster:
            found["ray"] = record("ray", cluster=Cluster(cluster.address))
    yield found


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
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
