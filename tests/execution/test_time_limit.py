"""The time limit: nothing is started that would not fit, runs stop at an epoch's end, and resume to the same bytes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from study.cli import driver
from study.cli.run_options import Flags, parse_time
from study.core.errors import UsageError
from study.core.spec import Spec
from study.core.store import Store
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.execution import time_limit
from study.execution.executors import EXECUTORS, Job
from study.execution.time_limit import FOR_THE_REPORT, TimeLimit, share_done
from study.planning.grid import Choices, read_grid, resolve_specs, select_pairs
from study.planning.plan import Estimates, PlannedRun, estimate_s, make_plan
from study.protocols.budgets import read_budget, read_speeds
from study.training import checkpoint
from study.training.checkpoint import checkpoints
from tests.changed import replace
from tests.execution.executors.fake_execute import FakeExecute
from tests.execution.sameness import differences

DATA = "synthetic:images=200"


@pytest.fixture(scope="module")
def faces() -> ImageSet:
    return load(DATA)


@pytest.fixture
def run(faces: ImageSet, tmp_path: Path) -> PlannedRun:
    """A run of 100 s that starts in 4 s and has 10 epochs."""
    (one,) = plan(faces, tmp_path, "cnn3", seeds=(0,), epochs=10)
    return replace(one, estimate_s=100.0, speed=replace(one.speed, start_s=4.0))


def plan(
    faces: ImageSet, folder: Path, *models: str, seeds: tuple[int, ...], epochs: int | None = None
) -> tuple[PlannedRun, ...]:
    pairs = select_pairs(read_grid("all"), models, ("baseline",))
    choices = Choices(read_budget("full"), seeds=seeds, epochs=epochs, weights="none")
    return make_plan(resolve_specs(pairs, choices, faces), Store(folder, "s"), faces, read_speeds(), {}).runs


def after(limit: TimeLimit, seconds: float, monkeypatch: pytest.MonkeyPatch) -> TimeLimit:
    """Let so many seconds pass."""
    now = time.time()
    monkeypatch.setattr(time_limit.time, "time", lambda: now + seconds)
    return limit


def test_a_run_is_started_only_if_it_ends_in_time(run: PlannedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = TimeLimit(200 / (1 - FOR_THE_REPORT))
    assert after(limit, 95, monkeypatch).fits(run, 100, 0)
    assert not after(limit, 30, monkeypatch).fits(run, 100, 0)
    assert limit.fits(run, 100, 0.5), "half of it lies in its checkpoint"


def test_a_run_that_is_longer_than_the_limit_is_trained_in_parts(
    run: PlannedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = TimeLimit(60 / (1 - FOR_THE_REPORT))
    assert limit.fits(run, 100, 0)
    assert after(limit, 45, monkeypatch).fits(run, 100, 0)
    assert not after(limit, 5, monkeypatch).fits(run, 100, 0), "no epoch fits any more"


def test_the_checkpoint_tells_how_much_of_a_run_is_done(run: PlannedRun, tmp_path: Path) -> None:
    assert share_done(run, tmp_path) == 0
    (tmp_path / "000003-0.checkpoint").write_bytes(b"")
    assert share_done(run, tmp_path) == pytest.approx(0.4)


def test_runs_go_seed_by_seed_and_cheap_before_expensive(faces: ImageSet, tmp_path: Path) -> None:
    runs = plan(faces, tmp_path, "vgg16", "cnn2", "cnn3", seeds=(4, 0))
    found = [(run.spec.seed, run.spec.model.name) for run in runs]
    assert found == [(seed, model) for seed in (4, 0) for model in ("cnn3", "cnn2", "vgg16")]
    assert runs[0].estimate_s < runs[1].estimate_s < runs[2].estimate_s


def test_the_first_epoch_corrects_the_estimates_of_all_runs_of_its_model(faces: ImageSet, tmp_path: Path) -> None:
    runs = plan(faces, tmp_path, "cnn2", "cnn3", seeds=(0, 1))
    estimates = Estimates(runs, faces)
    first = next(run for run in runs if run.spec.model.name == "cnn2")
    phase = first.spec.protocol.phases[0]
    row = {"phase": phase.name, "train_s": 100.0, "validation_s": 5.0}
    assert estimates.on_epoch(first.spec, row)
    epochs = phase.updates / phase.updates_per_epoch
    for run in runs:
        expected = 105 * epochs if run.spec.model.name == "cnn2" else run.estimate_s
        assert estimates.seconds[run.spec.key] == pytest.approx(expected, rel=0.1)
    assert not estimates.on_epoch(first.spec, {**row, "train_s": 101.0}), "about the same"
    assert estimate_s(first.spec, faces, first.speed) == first.estimate_s


@pytest.mark.parametrize(("text", "seconds"), [("8m", 480), ("2h", 7200), ("1h30m", 5400), ("45s", 45)])
def test_times_are_read(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "8", "0m", "m", "-1m", "8 minutes", "1m2h"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="such as 8m, 2h or 1h30m"):
        parse_time(text)


@pytest.fixture
def given(tmp_path: Path) -> Flags:
    return Flags(
        data=DATA, models=("cnn3",), protocols=("augment",), budget="demo", epochs=3, executor="inprocess",
        results=tmp_path / "results", reports=tmp_path / "reports",
    )  # fmt: skip


def test_what_does_not_fit_is_left_with_an_exit_code_of_its_own(
    given: Flags, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once the first run has ended the clock is just before the end: cnn2 would not fit."""
    execute = FakeExecute()
    monkeypatch.setattr("study.execution.run_one.execute", execute)
    start = time.time()
    monkeypatch.setattr(time_limit.time, "time", lambda: start + (9_000 if execute.executed else 0))
    both = replace(given, models=("cnn2", "cnn3"), time_limit_s=9_000 / (1 - FOR_THE_REPORT) + 1)
    assert driver.run(both) == driver.MORE_TO_DO
    out = capsys.readouterr().out
    assert [spec.model.name for spec in execute.executed] == ["cnn3"]
    assert "Report: " in out and "The time is up, 1 of 2 runs are left." in out.splitlines()[-1]
    assert driver.run(replace(given, models=("cnn2", "cnn3"))) == 0
    assert [spec.model.name for spec in execute.executed] == ["cnn3", "cnn2"]


@pytest.mark.parametrize("executor", ["inprocess", pytest.param("process", marks=pytest.mark.slow)])
def test_a_run_that_stopped_again_and_again_ends_with_the_same_bytes(
    executor: str, given: Flags, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every job may take a microsecond: it stops after an epoch."""
    given = replace(given, executor=executor, jobs=1)
    monkeypatch.setattr(
        "study.report.write.write_report", lambda store, reports, **_: reports / store.study / "README.md"
    )
    monkeypatch.setattr("study.report.local.write_local_pictures", lambda store, image_set, reports: None)
    whole = replace(given, results=tmp_path / "whole" / "results", reports=tmp_path / "whole" / "reports")
    assert driver.run(whole) == 0
    monkeypatch.setattr(TimeLimit, "fits", lambda *_: True)
    store = Store(given.results, "synthetic-200")
    codes, saved = [], []
    while not codes or codes[-1] == driver.MORE_TO_DO:
        codes.append(driver.run(replace(given, time_limit_s=1e-6)))
        saved.append(len(checkpoints(next((store.folder / "checkpoints").iterdir(), None))) if codes[-1] else 0)
        assert len(codes) < 9 and list(store.locks_folder.iterdir()) == []
    assert codes == [driver.MORE_TO_DO] * 3 + [0] and all(saved[:-1]) and saved[-1] == 0
    assert differences(tmp_path / "whole", tmp_path, "synthetic-200") == []


def test_the_last_epoch_that_fits_is_saved_however_long_saving_takes(tmp_path: Path) -> None:
    for ends, wanted in ((time.time() + 3600, False), (time.time() + 1, True)):
        with time_limit.stopping_at(ends):
            kept = checkpoint.Checkpoint(tmp_path, "key")
            kept._took_s, kept._ended = 60.0, time.perf_counter()
            assert kept.wants(5.0) is wanted
    with pytest.raises(time_limit.Stopped):
        kept.save(0, {"history": [{"train_s": 5.0, "validation_s": 0.0}]}, {})
    assert [path.name for path in checkpoints(tmp_path)] == ["000000-0.checkpoint"], "it was not counted as left out"


def test_without_a_limit_checkpoints_stop_nothing(faces: ImageSet, tmp_path: Path) -> None:
    (run,) = plan(faces, tmp_path, "cnn3", seeds=(0,), epochs=2)
    seen: list[tuple[Spec, str]] = []
    records = EXECUTORS.get("inprocess").run_specs(
        [Job(run.spec, None, None, tmp_path / "one", ends=0.0), Job(run.spec, None, None, tmp_path / "two")],
        faces, workers=1, plugins=(), on_event=lambda spec, event: seen.append((spec, event["kind"])),
    )  # fmt: skip
    (record,) = records
    assert record.status == "done" and len(record.history) == 2
    assert [kind for _, kind in seen].count("stopped") == 1
