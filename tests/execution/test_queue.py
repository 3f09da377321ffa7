"""Work: several drivers on one results folder divide a study; none does what another does, and none is left out."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from study.core.errors import WriteError
from study.core.record import Record
from study.core.spec import Spec
from study.core.store import Store
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.execution.executors import Abandoned, Job
from study.execution.locks import Locks
from study.execution.queue import Work, lock_name
from study.planning.grid import Choices, read_grid, resolve_specs, select_pairs
from study.planning.plan import PlannedRun, make_plan
from study.protocols.budgets import read_budget, read_speeds
from study.protocols.resolve import paired_protocol
from study.training.checkpoint import Checkpoint, checkpoints
from tests.changed import replace
from tests.execution.executors.fake_execute import done_record, failed_record

ROOT = Path(__file__).parents[2]


class Shown:
    """Stands in for the display: what it was told."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bool]] = []
        self.waited: list[int] = []
        self.events: list[str] = []

    def on_event(self, spec: Spec, event: dict[str, Any]) -> None:
        self.events.append(event["kind"])

    def on_record(self, record: Record, elsewhere: bool = False) -> None:
        self.records.append((record.status, elsewhere))

    def on_waiting(self, runs: int, owners: list[str]) -> None:
        self.waited.append(runs)


class Driver:
    """One driver on a results folder, as far as work is concerned."""

    def __init__(self, results: Path, faces: ImageSet, protocols: tuple[str, ...] = ("baseline",)) -> None:
        self.store = Store(results, "s")
        pairs = select_pairs(read_grid("all"), ("cnn2", "cnn3"), protocols)
        planned = resolve_specs(pairs, Choices(read_budget("demo"), seeds=(0,)), faces)
        self.runs: tuple[PlannedRun, ...] = make_plan(planned, self.store, faces, read_speeds(), {}).open
        self.locks = Locks(self.store.locks_folder)
        self.shown = Shown()
        self.work = Work(self.runs, self.store, self.locks, self.shown)  # type: ignore[arg-type]
        self.jobs: Iterator[Job | None] = iter(self.work)

    def next(self) -> Job:
        job = next(self.jobs)
        assert job is not None
        return job


@pytest.fixture(scope="module")
def faces() -> ImageSet:
    return load("synthetic:images=200")


@pytest.fixture
def drivers(tmp_path: Path, faces: ImageSet) -> tuple[Driver, Driver]:
    return Driver(tmp_path, faces), Driver(tmp_path, faces)


def test_two_drivers_get_different_runs_and_wait_for_each_other(
    drivers: tuple[Driver, Driver], faces: ImageSet
) -> None:
    one, two = drivers
    first, second = one.next(), two.next()
    assert first.spec.recipe != second.spec.recipe
    assert next(one.jobs) is None and one.shown.waited == [], "it has something to do itself"
    one.work.keep(done_record(first.spec, faces))
    assert next(one.jobs) is None and one.shown.waited == [1]
    two.work.keep(done_record(second.spec, faces))
    assert [*one.jobs] == [None] and [*two.jobs] == [None]
    assert one.shown.records == two.shown.records == [("done", False), ("done", True)]
    assert list(one.store.locks_folder.iterdir()) == []


def test_a_run_that_another_has_stored_since_the_plan_is_not_run_again(
    drivers: tuple[Driver, Driver], faces: ImageSet
) -> None:
    one, two = drivers
    for record in (done_record, failed_record):
        one.work.keep(record(one.next().spec, faces))
    assert [job for job in two.jobs if job] == []
    assert two.shown.records == [("done", True), ("failed", True)]


def test_a_failed_run_is_tried_again_once_however_many_drivers_there_are(tmp_path: Path, faces: ImageSet) -> None:
    before = Driver(tmp_path, faces)
    for _ in range(2):
        before.work.keep(failed_record(before.next().spec, faces))
    one, two = Driver(tmp_path, faces), Driver(tmp_path, faces)
    for _ in range(2):
        record = failed_record(one.next().spec, faces)
        one.work.keep(replace(record, reason="broken once more"))
    assert [job for job in two.jobs if job] == []


def test_what_a_silent_driver_had_is_taken_over_and_its_own_result_dropped(
    drivers: tuple[Driver, Driver], faces: ImageSet
) -> None:
    silent, quick = drivers
    quick.locks.stale_s = 0.0
    lost, own = silent.next(), quick.next()
    time.sleep(0.01)
    assert quick.next().spec == lost.spec
    with pytest.raises(Abandoned):
        silent.work.on_event(lost.spec, {"kind": "epoch"})
    assert silent.shown.events == ["note"]
    quick.work.keep(done_record(own.spec, faces))
    quick.work.keep(record := done_record(lost.spec, faces))
    stored = quick.store.record_path(lost.spec).read_bytes()
    assert [job for job in silent.jobs if job] == []
    assert quick.store.record_path(record.spec).read_bytes() == stored


def test_a_run_that_stops_in_time_but_was_taken_over_is_left_to_the_other(drivers: tuple[Driver, Driver]) -> None:
    silent, quick = drivers
    quick.locks.stale_s = 0.0
    lost, _ = silent.next(), quick.next()
    time.sleep(0.01)
    assert quick.next().spec == lost.spec
    silent.work.on_event(lost.spec, {"kind": "stopped"})
    assert silent.work.stopped == [] and silent.shown.events == ["note"]
    assert next(silent.jobs) is None, "the other has both"


def test_a_result_that_comes_too_late_is_not_stored(drivers: tuple[Driver, Driver], faces: ImageSet) -> None:
    silent, quick = drivers
    quick.locks.stale_s = 0.0
    lost = silent.next()
    quick.next()
    time.sleep(0.01)
    assert quick.next().spec == lost.spec
    silent.work.keep(failed_record(lost.spec, faces))
    assert silent.store.find(lost.spec) is None and silent.shown.records == []


def test_the_checkpoint_goes_when_the_record_is_stored_and_stays_with_a_failed_one(
    drivers: tuple[Driver, Driver], faces: ImageSet
) -> None:
    driver = drivers[0]
    for record, left in ((done_record, 0), (failed_record, 1)):
        job = driver.next()
        Checkpoint(job.checkpoints, job.spec.key).save(0, {}, {})
        driver.work.keep(record(job.spec, faces))
        assert len(checkpoints(job.checkpoints)) == left


def test_what_cannot_be_stored_keeps_its_checkpoint(
    drivers: tuple[Driver, Driver], faces: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise WriteError("cannot write x (No space left on device). Free space.")

    job = drivers[0].next()
    Checkpoint(job.checkpoints, job.spec.key).save(0, {}, {})
    monkeypatch.setattr("study.core.store.write_atomically", full)
    with pytest.raises(WriteError):
        drivers[0].work.keep(done_record(job.spec, faces))
    assert len(checkpoints(job.checkpoints)) == 1


def test_two_records_of_one_training_are_claimed_as_one_and_the_main_one_is_stored_last(
    tmp_path: Path, faces: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle = Driver(tmp_path, faces, ("leaky/checkpoint-on-test",))
    twin = Driver(tmp_path, faces, ("clean-twin/checkpoint-on-validation",))
    names = [[lock_name(run.spec) for run in driver.runs] for driver in (oracle, twin)]
    assert names[0] == names[1] and len(names[0]) == 2
    job = oracle.next()
    assert twin.next().spec.model != job.spec.model
    other = paired_protocol(job.spec.protocol)
    assert other is not None
    record, paired_spec = done_record(job.spec, faces), done_record(replace(job.spec, protocol=other), faces)
    order = []
    keep = Store.keep
    monkeypatch.setattr(Store, "keep", lambda store, record: order.append(record.spec.recipe[1]) or keep(store, record))
    oracle.work.keep(replace(record, paired=(paired_spec,)))
    assert order == ["clean-twin/checkpoint-on-validation", "leaky/checkpoint-on-test"]


#: A plugin that replaces training: runs take a moment, are logged, and are never begun twice at the same time.
RACING = """
import os, random, time
import study.execution.run_one, study.report.local, study.report.write
from tests.execution.executors.fake_execute import done_record

def note(word, spec):
    with open({log!r}, "a") as log:
        log.write(f"{{word}} {{os.getppid()}} {{os.getpid()}} {{spec.key}}\\n")

def execute(spec, image_set, **more):
    note("begin", spec)
    time.sleep(random.uniform(0.05, 0.4))
    note("end", spec)
    return done_record(spec, image_set)

study.execution.run_one.execute = execute
study.report.write.write_report = lambda store, reports, **_: reports / "README.md"
study.report.local.write_local_pictures = lambda *words: None
"""


def start_racer(folder: Path, *words: str) -> subprocess.Popen[str]:
    call = [sys.executable, "-m", "study.run", "--data", "synthetic:images=200", "--budget", "demo", "--seeds", "2"]
    call += ["--models", "cnn2,cnn3", "--plugin", str(folder / "racing.py"), "--jobs", "1"]
    call += ["--results", str(folder / "results"), "--reports", str(folder / "reports"), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        call, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inprocess", "process"])
def test_four_racing_drivers_of_which_one_is_killed_store_every_run_once(tmp_path: Path, executor: str) -> None:
    log = tmp_path / "log"
    log.touch()
    (tmp_path / "racing.py").write_text(RACING.format(log=str(log)))
    racers = [start_racer(tmp_path, "--executor", executor) for _ in range(4)]

    def lines() -> list[list[str]]:
        return [line.split() for line in log.read_text().splitlines()]

    def begun(racer: subprocess.Popen[str]) -> set[str]:
        mine = [words for words in lines() if str(racer.pid) in words[1:3]]
        return {words[3] for words in mine if words[0] == "begin"} - {words[3] for words in mine if words[0] == "end"}

    victim = racers.pop(random.randrange(4))
    while not begun(victim):
        assert victim.poll() is None, victim.communicate()
        time.sleep(0.005)
    victim.kill()
    victim.communicate()
    half_done = begun(victim)
    outputs = [racer.communicate(timeout=120)[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0], outputs
    time.sleep(0.1)
    ended = Counter(words[3] for words in lines() if words[0] == "end")
    started = Counter(words[3] for words in lines() if words[0] == "begin")
    store = Store(tmp_path / "results", "synthetic-200")
    keys = {record.key for record in store.records()}
    assert len(keys) == 16 == len(started), "two models, four protocols, two seeds"
    again = started - Counter(keys)
    assert set(again) <= half_done and sum(again.values()) <= 1, "only what the killed driver had was begun again"
    assert sum((ended - Counter(keys)).values()) <= 1, "unless it was killed between the end and the record"
    assert any("by another driver" in output for output in outputs)
    assert [*store.locks_folder.iterdir()] == []
    assert [path.name for path in store.folder.rglob("*") if path.name.startswith(".")] == []
