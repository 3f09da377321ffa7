"""What every executor keeps, asked of its ``run_specs`` with runs that train nothing."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from study.core.spec import Spec
from study.datasets.image_set import ImageSet
from study.execution.executors import Abandoned, Executor, Job
from study.planning.grid import Choices, read_grid, resolve_specs, select_pairs
from study.protocols.budgets import read_budget
from tests.execution.executors.fake_execute import FakeExecute, execute_in_worker


def jobs(faces: ImageSet, *seeds: int) -> list[Job]:
    pairs = select_pairs(read_grid("all"), ("cnn2",), ("baseline",))
    return [Job(one.spec) for one in resolve_specs(pairs, Choices(read_budget("demo"), seeds=seeds), faces)]


def check_executor(executor: Executor, faces: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check all that needs no real training."""
    monkeypatch.setattr("study.execution.run_one.execute", FakeExecute())
    monkeypatch.setattr("study.execution.executors.process.execute_job", execute_in_worker)
    monkeypatch.setattr(sys.modules[executor.run_specs.__module__], "POLL_S", 0.01, raising=False)
    check_signature(executor)
    events: list[tuple[int, str]] = []

    def on_event(spec: Spec, event: Mapping[str, Any]) -> None:
        events.append((spec.seed, event["kind"]))
        if spec.seed == 10 and event["kind"] == "phase":
            raise Abandoned

    first, abandoned, stopped, last = jobs(faces, 5, 10, 9, 11)
    todo = [None, first, None, abandoned, None, stopped, last, None]
    found = executor.run_specs(todo, faces, workers=1, plugins=(), on_event=on_event)
    assert [record.spec.seed for record in found] == [5, 11], "one record a job, none of those that were ended"
    assert all((seed, "start") in events for seed in (5, 9, 10, 11)), "the display learns of every start"
    assert [seed for seed, kind in events if kind == "stopped"] == [9]
    asked: list[Job] = []
    records = executor.run_specs(
        (asked.append(job) or job for job in jobs(faces, 6, 7, 8, 11)),  # type: ignore[func-returns-value]
        faces, workers=1, plugins=(), on_event=lambda spec, event: None,
    )  # fmt: skip
    next(records)
    records.close()
    assert len(asked) < 4, "jobs are asked for when one can be started, and none after the end"


def check_signature(executor: Executor) -> None:
    """Check that the driver can call it, and that what it takes besides has a default."""
    shared = ["jobs", "image_set", "workers", "plugins", "on_event", "limit_s"]
    parameters = inspect.signature(executor.run_specs).parameters
    assert list(parameters)[: len(shared)] == shared
    own = list(parameters.values())[len(shared) :]
    assert all(parameter.default is not parameter.empty for parameter in own)
    assert not own or executor.options is not None, "what it takes besides comes from its options"
