"""Executors: one record for every job, whatever happens to a worker."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.errors import UsageError
from study.executors import MODULES, Job, get_executor
from study.training.banners import without_banners
from study.executors.image_transfer import pack, unpack
from study.executors.process import run_on_processes
from study.grid import Choices, read_grid, resolve_specs, select_pairs
from study.protocols.budgets import read_budget
from study.record import Record
from study.spec import Spec
from tests.fake_execute import FakeExecute, execute_in_worker


@pytest.fixture(scope="module")
def faces() -> ImageSet:
    return load("synthetic:images=200")


def jobs(faces: ImageSet, *seeds: int, **more: Any) -> list[Job]:
    pairs = select_pairs(read_grid("all"), ("cnn2",), ("baseline",))
    return [Job(one.spec, **more) for one in resolve_specs(pairs, Choices(read_budget("demo"), seeds=seeds), faces)]


class Events(list[tuple[int, str]]):
    def __call__(self, spec: Spec, event: Mapping[str, Any]) -> None:
        self.append((spec.seed, event["kind"]))


def on_processes(faces: ImageSet, todo: list[Job], workers: int) -> tuple[dict[int, Record], Events]:
    events = Events()
    found = run_on_processes(execute_in_worker, todo, faces, workers=workers, plugins=(), on_event=events)
    return {record.spec.seed: record for record in found}, events


def test_an_unknown_executor_says_what_is_possible() -> None:
    with pytest.raises(UsageError, match="inprocess"):
        get_executor("inproces")


@pytest.mark.parametrize("name", MODULES)
def test_every_executor_has_the_signature(name: str) -> None:
    import inspect

    parameters = inspect.signature(get_executor(name)).parameters
    assert list(parameters) == ["jobs", "image_set", "workers", "plugins", "on_event"]


def test_in_process_runs_come_in_order_with_their_events(faces: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.execute.execute", FakeExecute())
    events = Events()
    found = get_executor("inprocess")(jobs(faces, 5, 4), faces, workers=1, plugins=(), on_event=events)
    assert [record.spec.seed for record in found] == [5, 4]
    assert events == [(seed, kind) for seed in (5, 4) for kind in ("start", "phase", "epoch", "predict")]


def test_banners_are_kept_from_the_error_stream_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    with without_banners():
        os.write(2, b"I0000 00:00:1 port.cc:153] oneDNN\nTrouble\n")
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\n")
    os.write(2, b"I0000 afterwards\n")
    assert capfd.readouterr().err == "Trouble\nI0000 afterwards\n"


def test_workers_persist_and_share_the_cores(faces: ImageSet) -> None:
    found, events = on_processes(faces, jobs(faces, 10, 11, 12, 13), workers=2)
    assert sorted(found) == [10, 11, 12, 13]
    assert all(record.status == "done" for record in found.values())
    pids = {record.cost["pid"] for record in found.values()}
    assert len(pids) == 2 and os.getpid() not in pids
    assert all(record.cost["omp"] == str(record.cost["threads"]) for record in found.values())
    assert sorted(events) == sorted((seed, kind) for seed in found for kind in ("start", "phase"))


def test_a_worker_that_dies_is_a_failed_record_and_the_others_go_on(faces: ImageSet) -> None:
    found, _ = on_processes(faces, jobs(faces, 1, 2, 10), workers=1)
    assert {seed: record.status for seed, record in found.items()} == {1: "failed", 2: "failed", 10: "done"}
    assert found[1].reason == "the worker process exited with code 3"
    assert found[1].traceback == "last words"
    assert "SIGKILL" in found[2].reason and "memory" in found[2].reason
    assert found[1].provenance["code"] and found[1].dataset["name"] == faces.name


def test_closing_the_iterator_ends_the_workers(faces: ImageSet, tmp_path: Path) -> None:
    todo = jobs(faces, 10) + jobs(faces, 3, checkpoints=tmp_path / "begun")
    found = run_on_processes(execute_in_worker, todo, faces, workers=1, plugins=(), on_event=Events())
    worker = next(found).cost["pid"]
    while not (tmp_path / "begun").exists():
        time.sleep(0.02)
    start = time.monotonic()
    found.close()
    assert time.monotonic() - start < 3
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_a_memory_map_is_reopened_in_the_worker(faces: ImageSet, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", faces.images)
    mapped = replace(faces, images=np.load(tmp_path / "images.npy", mmap_mode="r"))
    packed = pack(mapped)
    assert packed[0].images.size == 0
    assert isinstance(unpack(packed).images, np.memmap)
    assert np.array_equal(unpack(packed).images, faces.images)
    found, _ = on_processes(mapped, jobs(faces, 10), workers=1)
    assert found[10].cost["mapped"] and found[10].status == "done"


def test_a_part_of_a_memory_map_travels_as_it_is(faces: ImageSet, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", faces.images)
    part = replace(faces, images=np.load(tmp_path / "images.npy", mmap_mode="r")[100:])
    assert np.array_equal(unpack(pack(part)).images, faces.images[100:])


@pytest.mark.slow
def test_both_executors_train_the_same_network(faces: ImageSet) -> None:
    pairs = select_pairs(read_grid("all"), ("cnn2",), ("baseline",))
    budget = read_budget("demo").with_updates({"custom": 2})
    todo = [Job(one.spec) for one in resolve_specs(pairs, Choices(budget), faces)]
    found = [next(iter(get_executor(name)(todo, faces, workers=1, plugins=(), on_event=Events()))) for name in MODULES]
    assert [record.status for record in found] == ["done", "done"], [record.reason for record in found]
    assert np.allclose(*(record.arrays["test_probabilities"] for record in found), atol=1e-4)
