"""The display: one line a finished run, the time left, and bars only on a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.execution.progress import PlainDisplay, Remaining, RichDisplay, make_display
from study.planning.grid import Choices, read_grid, resolve_specs, select_pairs
from study.planning.plan import PlannedRun
from study.protocols.budgets import Speed, read_budget
from tests.changed import replace
from tests.execution.executors.fake_execute import done_record, failed_record


@pytest.fixture(scope="module")
def faces() -> ImageSet:
    return load("synthetic:images=200")


@pytest.fixture(scope="module")
def runs(faces: ImageSet) -> list[PlannedRun]:
    pairs = select_pairs(read_grid("all"), ("cnn2", "cnn3"), ("baseline",))
    return [
        PlannedRun(one, None, 100.0, Speed(100, 100, 1))
        for one in resolve_specs(pairs, Choices(read_budget("demo")), faces)
    ]


def epoch(number: int, updates: int, best: float) -> dict[str, object]:
    row = {"updates": updates, "validation_accuracy": best}
    return {"kind": "epoch", "phase": "all", "epoch": number, "epochs": 25, "row": row, "best": best}


def test_a_finished_run_is_one_line(faces: ImageSet, runs: list[PlannedRun]) -> None:
    out = io.StringIO()
    with PlainDisplay(runs, out) as display:
        display.on_record(done_record(runs[0].spec, faces))
        display.on_record(failed_record(runs[1].spec, faces))
    first, second = out.getvalue().splitlines()
    assert first.startswith("[1/2] cnn2 baseline seed 0: validation 50.0%, best epoch 1 of 1, 1 s; about ")
    assert second == "[2/2] cnn3 baseline seed 0: failed - broken on purpose"


def test_a_long_run_says_about_once_a_minute_how_far_it_is(
    runs: list[PlannedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, now = io.StringIO(), [0.0]
    monkeypatch.setattr("study.execution.progress.time.monotonic", lambda: now[0])
    with PlainDisplay(runs, out) as display:
        for number in range(20):
            now[0] += 7.0
            display.on_event(runs[0].spec, epoch(number, number, 0.5))
    lines = out.getvalue().splitlines()
    assert len(lines) == 2  # in 140 s
    assert lines[0].startswith("cnn2 baseline seed 0: epoch 9 of at most 25, validation 50.0%; about ")


def test_events_soon_after_each_other_print_nothing_into_a_log(runs: list[PlannedRun]) -> None:
    out = io.StringIO()
    with PlainDisplay(runs, out) as display:
        display.on_event(runs[0].spec, {"kind": "start"})
        display.on_event(runs[0].spec, epoch(0, 3, 0.5))
    assert out.getvalue() == ""


def test_runs_in_flight_and_their_nodes_are_counted(faces: ImageSet, runs: list[PlannedRun]) -> None:
    out = io.StringIO()
    with PlainDisplay(runs, out) as display:
        display.on_event(runs[0].spec, {"kind": "start", "node": "a"})
        display.on_event(runs[1].spec, {"kind": "start", "node": "b"})
        assert display.in_flight == "2 running on 2 nodes"
        display.on_event(runs[1].spec, {"kind": "start", "node": "a"})  # its node was lost
        assert display.in_flight == "2 running on 1 node"
        display.on_record(done_record(runs[0].spec, faces))
    assert out.getvalue().endswith("to go, 1 running on 1 node\n")


def test_the_time_left_starts_with_the_plan_and_follows_the_pace(runs: list[PlannedRun]) -> None:
    left = Remaining(runs, now=0.0)
    assert left.seconds(0.0) == 200
    assert left.seconds(50.0) == 150
    left.progress(runs[0].spec.key, 1.0)
    assert left.share == 0.5
    assert left.seconds(400.0) == 400


def test_what_an_earlier_process_did_says_nothing_about_the_pace(runs: list[PlannedRun]) -> None:
    left = Remaining(runs, now=0.0)
    left.resume(runs[0].spec.key, 0.8)
    assert left.seconds(0.0) == pytest.approx(120)
    left.progress(runs[0].spec.key, 1.0)
    assert left.share == 0.5
    # 20 s of the plan took 60 s, so that the 100 s that are left take 300 s; the plan still counts for a sixth.
    assert left.seconds(60.0) == pytest.approx(300 * 5 / 6 + 100 / 6)


def test_a_run_that_goes_on_is_no_fast_run(runs: list[PlannedRun], monkeypatch: pytest.MonkeyPatch) -> None:
    now, spec = [0.0], runs[0].spec
    monkeypatch.setattr("study.execution.progress.time.monotonic", lambda: now[0])
    phase = spec.protocol.phases[0]
    fresh, resumed = PlainDisplay(runs, io.StringIO()), PlainDisplay(runs, io.StringIO())
    for number in range(phase.epochs):
        fresh.on_event(spec, epoch(number, min((number + 1) * phase.updates_per_epoch, phase.updates), 0.5))
    for number in range(phase.epochs - 2, phase.epochs):
        resumed.on_event(spec, epoch(number, min((number + 1) * phase.updates_per_epoch, phase.updates), 0.5))
    assert resumed.remaining.share == pytest.approx(fresh.remaining.share)
    # Two epochs in ten minutes, or all of them.
    assert resumed.remaining.seconds(600.0) > 2 * fresh.remaining.seconds(600.0)


def test_progress_never_falls_back(runs: list[PlannedRun]) -> None:
    left = Remaining(runs, now=0.0)
    left.progress(runs[0].spec.key, 0.8)
    left.progress(runs[0].spec.key, 0.3)
    assert left.share == 0.4


def test_lines_are_for_logs_and_bars_for_terminals(runs: list[PlannedRun], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert type(make_display(runs)) is PlainDisplay
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    assert type(make_display(runs)) is RichDisplay
    monkeypatch.setenv("JPY_PARENT_PID", "1")  # a notebook's cell
    assert type(make_display(runs)) is PlainDisplay


def test_bars_show_epochs_the_best_and_what_is_left(faces: ImageSet, runs: list[PlannedRun]) -> None:
    from rich.console import Console

    display = RichDisplay(runs)
    console = Console(file=io.StringIO(), force_terminal=True, width=140)
    display._progress.live.console = console
    with display:
        display.on_event(runs[0].spec, {"kind": "start"})
        display.on_event(runs[0].spec, {"kind": "phase", "phase": "all", "epochs": 25})
        display.on_event(runs[0].spec, epoch(6, 21, 0.512))
        with console.capture() as shown:
            console.print(display._progress)
        assert "epoch 7 of at most 25, best so far 51.2%" in shown.get()
        assert "all runs" in shown.get() and "0 of 2, about" in shown.get()
        display.on_event(runs[0].spec, {"kind": "predict", "phase": "predict", "epoch": 7, "epochs": 7})
        display.on_record(done_record(runs[0].spec, faces))
        with console.capture() as shown:
            console.print(display._progress)
        assert "1 of 2" in shown.get() and "cnn2" not in shown.get()
    assert "[1/2] cnn2 baseline seed 0" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_record_without_a_best_epoch_is_shown_too(faces: ImageSet, runs: list[PlannedRun]) -> None:
    out = io.StringIO()
    PlainDisplay(runs[:1], out).on_record(replace(done_record(runs[0].spec, faces), outcome={}))
    assert out.getvalue() == "[1/1] cnn2 baseline seed 0: 1 s\n"
