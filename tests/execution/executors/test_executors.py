"""Executors: one record for every job, whatever happens to a worker."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.core.errors import UsageError, WriteError
from study.core.record import Record
from study.core.spec import Spec
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.execution.executors import EXECUTORS, Job, inprocess, process
from study.execution.executors.process import pack, run_on_processes, unpack
from study.planning.grid import Choices, read_grid, resolve_specs, select_pairs
from study.protocols.budgets import read_budget
from study.training.banners import without_banners
from study.training.environment import THREADS
from tests.changed import replace
from tests.execution.executors.fake_execute import FakeExecute, done_record, execute_in_worker


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
        EXECUTORS.get("inproces")


def test_in_process_runs_come_in_order_with_their_events(faces: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.execution.run_one.execute", FakeExecute())
    events = Events()
    found = EXECUTORS.get("inprocess").run_specs(jobs(faces, 5, 4), faces, workers=1, plugins=(), on_event=events)
    assert [record.spec.seed for record in found] == [5, 4]
    assert events == [(seed, kind) for seed in (5, 4) for kind in ("start", "phase", "epoch", "predict")]


def test_banners_are_kept_from_the_error_stream_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    with without_banners():
        os.write(2, b"I0000 00:00:1 port.cc:153] oneDNN\nTrouble\n")
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\n")
    os.write(2, b"I0000 afterwards\n")
    assert capfd.readouterr().err == "Trouble\nI0000 afterwards\n"


def test_workers_persist_and_have_the_threads_of_every_run(faces: ImageSet) -> None:
    found, events = on_processes(faces, jobs(faces, 10, 11, 12, 13), workers=2)
    assert sorted(found) == [10, 11, 12, 13]
    assert all(record.status == "done" for record in found.values())
    pids = {record.cost["pid"] for record in found.values()}
    assert len(pids) == 2 and os.getpid() not in pids
    assert all(record.cost["omp"] == str(THREADS) for record in found.values())
    assert sorted(events) == sorted((seed, kind) for seed in found for kind in ("start", "phase"))


def test_a_worker_is_replaced_before_what_its_backend_keeps_adds_up(
    faces: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "RUNS_OF_A_WORKER", 2)
    found, _ = on_processes(faces, jobs(faces, 10, 11, 12, 13, 14), workers=1)
    assert sorted(found) == [10, 11, 12, 13, 14] and all(record.status == "done" for record in found.values())
    assert len({record.cost["pid"] for record in found.values()}) == 3


def test_a_worker_that_dies_is_a_failed_record_and_the_others_go_on(faces: ImageSet) -> None:
    found, _ = on_processes(faces, jobs(faces, 11, 1, 2, 10), workers=1)
    assert {seed: record.status for seed, record in found.items()} == {
        11: "done",
        1: "failed",
        2: "failed",
        10: "done",
    }
    assert found[1].reason == "the worker process exited with code 3"
    assert found[1].traceback == "this is seed 1\nlast words", "of this run alone"
    assert "SIGKILL" in found[2].reason and "memory" in found[2].reason
    assert found[1].provenance.code and found[1].dataset.name == faces.name


def test_a_worker_that_dies_while_it_has_nothing_to_do_costs_no_run(faces: ImageSet) -> None:
    first, second = jobs(faces, 11, 12)
    found = {}
    for record in run_on_processes(
        execute_in_worker, iter([first, None, second]), faces, workers=1, plugins=(), on_event=Events()
    ):
        found[record.spec.seed] = record
        if record.spec.seed == 11:
            os.kill(int(str(record.cost["pid"])), signal.SIGKILL)
            time.sleep(0.5)
    assert {seed: record.status for seed, record in found.items()} == {11: "done", 12: "done"}
    assert found[11].cost["pid"] != found[12].cost["pid"]


def test_a_worker_that_leaves_a_child_behind_is_noticed_at_once_and_the_child_is_ended(
    faces: ImageSet, tmp_path: Path
) -> None:
    started: dict[int, float] = {}
    todo = [*jobs(faces, 5, checkpoints=tmp_path / "child"), *jobs(faces, 10)]
    events = Events()

    def on_event(spec: Spec, event: Mapping[str, Any]) -> None:
        started.setdefault(spec.seed, time.monotonic())
        events(spec, event)

    for record in run_on_processes(execute_in_worker, todo, faces, workers=1, plugins=(), on_event=on_event):
        if record.spec.seed == 5:
            assert time.monotonic() - started[5] < 5
            assert record.status == "failed" and record.reason == "the worker process exited with code 7"
        else:
            assert record.status == "done"
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        if not Path(f"/proc/{child}").exists() or "\nState:\tZ" in Path(f"/proc/{child}/status").read_text():
            break
        time.sleep(0.05)
    else:
        pytest.fail("the child goes on")


def test_a_run_that_changes_the_working_folder_leaves_the_others_theirs(faces: ImageSet) -> None:
    found, _ = on_processes(faces, jobs(faces, 6, 10), workers=1)
    assert found[6].cost["pid"] == found[10].cost["pid"]
    assert found[6].cost["folder"] == found[10].cost["folder"] == os.getcwd()


def test_jobs_hold_absolute_paths(faces: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (spec,) = [job.spec for job in jobs(faces, 10)]
    job = Job(spec, Path("w.h5"), Path("results/kept.h5"), None)
    assert (job.start_weights, job.keep_weights) == (tmp_path / "w.h5", tmp_path / "results" / "kept.h5")
    assert job.checkpoints is None


def test_no_worker_is_used_twice_where_plugins_could_have_changed_it(faces: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    options: dict[str, Any] = {"workers": 1, "plugins": [str(tmp_path / "mine.py")], "on_event": Events()}
    found = list(run_on_processes(execute_in_worker, jobs(faces, 10, 11, 12), faces, **options))
    assert len({record.cost["pid"] for record in found}) == 3


def test_in_process_a_run_that_changes_the_working_folder_leaves_the_others_theirs(
    faces: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, places = os.getcwd(), []

    def execute(spec: Spec, image_set: ImageSet, **_: Any) -> Record:
        places.append(os.getcwd())
        os.chdir("/")
        return done_record(spec, image_set)

    monkeypatch.setattr("study.execution.run_one.execute", execute)
    list(inprocess.run_specs(jobs(faces, 10, 11), faces, workers=1, plugins=(), on_event=Events()))
    assert places == [home, home] and os.getcwd() == home


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


def test_a_run_that_takes_too_long_is_ended_with_its_worker_and_the_others_go_on(
    faces: ImageSet, tmp_path: Path
) -> None:
    todo = [*jobs(faces, 10), *jobs(faces, 3, checkpoints=tmp_path / "hangs"), *jobs(faces, 11)]
    options = {"workers": 1, "plugins": (), "on_event": Events()}
    found = [*run_on_processes(execute_in_worker, todo, faces, limit_s=6.0, **options)]
    assert [(record.spec.seed, record.status) for record in found] == [(10, "done"), (3, "failed"), (11, "done")]
    assert found[1].reason == "took longer than a run may take (0.1 min): give more with --run-limit"
    assert found[1].traceback == "this is seed 3"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "hangs").read_text()), 0)


def test_a_full_disk_stops_everything(faces: ImageSet) -> None:
    found = run_on_processes(execute_in_worker, jobs(faces, 10, 4, 11), faces, workers=1, plugins=(), on_event=Events())
    assert next(found).spec.seed == 10
    with pytest.raises(WriteError, match="No space left"):
        next(found)


@pytest.mark.parametrize("stubborn", [False, True], ids=["once", "although it catches everything"])
def test_in_process_a_hanging_run_is_interrupted(
    stubborn: bool, faces: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.execution.executors.inprocess.AGAIN_S", 0.1)

    def execute(spec: Spec, image_set: ImageSet, **_: Any) -> Record:
        if stubborn:
            with contextlib.suppress(Exception):
                time.sleep(60)
        time.sleep(60 if spec.seed == 10 or stubborn else 0)
        return done_record(spec, image_set)

    monkeypatch.setattr("study.execution.run_one.execute", execute)
    options = {"workers": 1, "plugins": (), "on_event": Events()}
    found = [*EXECUTORS.get("inprocess").run_specs(jobs(faces, 10, 11), faces, limit_s=0.3, **options)]
    assert [record.status for record in found] == ["failed", "failed" if stubborn else "done"]
    assert "--run-limit" in found[0].reason


def test_images_that_are_gone_fail_each_run_with_that_reason(faces: ImageSet, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", faces.images)
    mapped = replace(faces, images=np.load(tmp_path / "images.npy", mmap_mode="r"))
    (tmp_path / "images.npy").unlink()
    found, _ = on_processes(mapped, jobs(faces, 10, 11), workers=1)
    assert {record.status for record in found.values()} == {"failed"}
    assert "cached images cannot be opened (No such file or directory)" in found[10].reason


#: A driver whose worker hangs, while it waits for it.
DRIVER = """
import sys
from pathlib import Path
from study.datasets.load import load
from study.execution.executors.process import run_on_processes
from tests.execution.executors.test_executors import Events, jobs
from tests.execution.executors.fake_execute import execute_in_worker

if __name__ == "__main__":
    faces = load("synthetic:images=200")
    todo = jobs(faces, 3, checkpoints=Path(sys.argv[1]))
    for record in run_on_processes(execute_in_worker, todo, faces, workers=1, plugins=(), on_event=Events()):
        raise SystemExit(record.reason)
"""


def test_no_worker_outlives_a_driver_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "driver.py").write_text(DRIVER)
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    with subprocess.Popen([sys.executable, tmp_path / "driver.py", tmp_path / "begun"], env=environment) as driver:
        while not (tmp_path / "begun").exists() or not (tmp_path / "begun").read_text():
            assert driver.poll() is None
            time.sleep(0.05)
        worker = int((tmp_path / "begun").read_text())
        driver.kill()
    deadline = time.monotonic() + 5
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < deadline:
            os.kill(worker, 0)
            time.sleep(0.02)
    assert list((tmp_path / "tmp").iterdir()) == [], "nor does anything it wrote to"


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
