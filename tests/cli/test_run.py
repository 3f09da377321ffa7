"""The driver: plan first, execute what is missing, exit codes, and an end that can be resumed."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.analysis import runs
from study.cli import driver
from study.cli.options import split_names
from study.cli.run_options import AUTO_JOBS, Flags
from study.core.errors import DataError, StoreError, UsageError
from study.core.record import Record
from study.core.spec import Spec
from study.core.store import Store
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.execution.executors import EXECUTORS
from study.planning import grid
from study.planning.concurrency import Paces
from study.planning.grid import Choices, PlannedSpec, read_grid
from study.protocols.resolve import paired_protocol
from study.trackers import TRACKERS, TrackerEntry
from study.training.speed import Pace
from tests.changed import replace
from tests.execution.executors.fake_execute import FakeExecute, done_record
from tests.trained.runs import contents

ROOT = Path(__file__).parents[2]
DATA = "synthetic:images=200"
#: A plugin that replaces training: cnn3, which is cheaper, ends at once, everything else waits to be interrupted.
WAITING = """
import pathlib, time
import study.execution.run_one
from tests.execution.executors.fake_execute import done_record

def execute(spec, image_set, **more):
    if spec.model.name == "cnn3":
        return done_record(spec, image_set)
    pathlib.Path({marker!r}).touch()
    time.sleep(60)

study.execution.run_one.execute = execute
"""


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flags:
    """Flags of a small grid; reports are not drawn."""
    monkeypatch.setattr(
        "study.report.write.write_report", lambda store, reports, **_: reports / store.study / "README.md"
    )
    monkeypatch.setattr("study.report.local.write_local_pictures", lambda store, image_set, reports: None)
    return Flags(
        data=DATA,
        models=("cnn2", "cnn3"),
        protocols=("baseline",),
        budget="demo",
        executor="inprocess",
        results=tmp_path / "results",
        reports=tmp_path / "reports",
    )


@pytest.fixture
def execute(monkeypatch: pytest.MonkeyPatch) -> FakeExecute:
    fake = FakeExecute()
    monkeypatch.setattr("study.execution.run_one.execute", fake)
    return fake


def test_the_first_line_says_which_dataset(
    given: Flags, execute: FakeExecute, capsys: pytest.CaptureFixture[str]
) -> None:
    driver.run(given)
    assert capsys.readouterr().out.startswith(f"Dataset: {DATA}, the built-in faces")


def test_all_done_is_exit_code_0_with_a_ranked_table_and_the_reports_path(
    given: Flags, execute: FakeExecute, capsys: pytest.CaptureFixture[str]
) -> None:
    assert driver.run(given) == 0
    out = capsys.readouterr().out
    assert (
        out.index("Plan: 2 runs")
        < out.index("[1/2]")
        < out.index("[2/2]")
        < out.index("  model  protocol  seeds  validation")
        < out.index("Report: ")
    )
    assert len(Store(given.results, "synthetic-200").records()) == 2
    assert sorted(Store(given.results, "synthetic-200").load_dataset()) == [
        "hashes", "ids", "labels", "near_groups", "splits",
    ]  # fmt: skip


def test_the_same_command_again_executes_nothing(given: Flags, execute: FakeExecute) -> None:
    driver.run(given)
    assert driver.run(given) == 0
    assert len(execute.executed) == 2


def test_more_seeds_execute_only_what_is_missing(given: Flags, execute: FakeExecute) -> None:
    driver.run(given)
    driver.run(replace(given, seeds="2"))
    assert [spec.seed for spec in execute.executed] == [0, 0, 1, 1]


def test_a_failed_run_is_exit_code_1_and_tried_again(
    given: Flags, execute: FakeExecute, capsys: pytest.CaptureFixture[str]
) -> None:
    execute.failing = ("cnn2",)
    assert driver.run(given) == 1
    out = capsys.readouterr().out
    assert "cnn2 baseline seed 0: broken on purpose" in out and "Report: " in out
    execute.failing = ()
    assert driver.run(given) == 0
    assert [spec.model.name for spec in execute.executed] == ["cnn3", "cnn2", "cnn2"]


def test_a_dry_run_writes_and_executes_nothing_and_says_how_many_seeds_see_a_difference(
    given: Flags, execute: FakeExecute, capsys: pytest.CaptureFixture[str]
) -> None:
    assert driver.run(replace(given, dry_run=True)) == 0
    said = r"between two of \d+ recipes with 80 % probability takes: 1 point: .*; 2 points: .*; 3 points: "
    assert re.search(said, capsys.readouterr().out)
    assert not given.results.exists() and not given.reports.exists() and not execute.executed


def test_a_dry_run_of_the_night_measures_nothing(
    given: Flags, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("study.cli.driver.measure_concurrency", lambda *_, **__: pytest.fail("measured"))
    assert driver.run(replace(given, budget="tonight", dry_run=True)) == 0
    assert "will be measured" in capsys.readouterr().out


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, int]]:
    """What is measured: the model and how many of it at once; nothing has been measured on this machine before."""
    asked: list[tuple[str, int]] = []

    def measure(spec: Spec, processes: int, **_: object) -> Pace:
        asked.append((spec.model.name, processes))
        return Pace(1.0, 1.0, 1.0)

    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("study.cli.driver.measure_concurrency", measure)
    return asked


def test_the_night_is_chosen_once(given: Flags, execute: FakeExecute, asked: list[tuple[str, int]]) -> None:
    night = replace(given, budget="tonight")
    assert driver.run(night) == driver.run(night) == 0
    assert asked == [("cnn2", 1), ("cnn3", 1)] and len(execute.executed) == 2


def test_what_the_night_has_measured_is_not_measured_again_for_the_jobs(
    given: Flags, execute: FakeExecute, asked: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.cli.driver.usable_cores", lambda: 2)
    driver.run(replace(given, budget="tonight", jobs=AUTO_JOBS, executor=None, dry_run=False, models=("cnn3",),
                       seeds="2", time_limit_s=1e-3))  # fmt: skip
    assert asked == [("cnn3", 1), ("cnn3", 2)]


def test_every_record_is_read_once_every_run_scored_once_and_specs_resolved_once(
    given: Flags, execute: FakeExecute, asked: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the report is written, which reads and scores; nothing is drawn
    monkeypatch.setattr("study.report.picture.Picture.png", lambda self: b"")
    monkeypatch.setattr("study.report.local.write_local_pictures", lambda store, image_set, reports: None)
    monkeypatch.setenv("STUDY_CACHE", str(given.results.parent / "cache"))
    monkeypatch.setattr("study.execution.run_one.execute", execute)
    monkeypatch.setattr("study.cli.driver.measure_concurrency", lambda *_, **__: Pace(1.0, 1.0, 1.0))
    counts: Counter[str] = Counter()

    def count(where: object, name: str, what: Callable[..., str]) -> None:
        plain = getattr(where, name)

        def counted(*words: Any, **more: Any) -> Any:
            counts[what(*words)] += 1
            return plain(*words, **more)

        monkeypatch.setattr(where, name, counted)

    count(Store, "_read_anew", lambda store, path: f"read {path.name}")
    count(runs, "score_run", lambda record: f"scored {record.key}")
    count(driver, "resolve_specs", lambda *_: "resolved")
    night = replace(given, budget="tonight")
    assert driver.run(night) == 0
    assert len(counts) == 5 and set(counts.values()) == {1}, counts
    counts.clear()
    assert driver.run(replace(night, seeds="2")) == 0, "two are there, two are made"
    assert len(counts) == 9 and set(counts.values()) == {1}, counts


def test_another_dataset_in_the_study_is_refused_before_anything_runs(given: Flags, execute: FakeExecute) -> None:
    driver.run(given)
    with pytest.raises(StoreError, match="--study NAME"):
        driver.run(replace(given, data="synthetic:images=210", study="synthetic-200"))
    assert len(execute.executed) == 2


def test_the_demo_s_study_is_called_demo(given: Flags, capsys: pytest.CaptureFixture[str]) -> None:
    for data in ("synthetic", DATA):
        driver.run(replace(given, data=data, dry_run=True))
    names = re.findall("^Study: ([^,]+),", capsys.readouterr().out, re.MULTILINE)
    assert names == ["demo", "synthetic-200"], "only on the demo's own faces"


def test_the_plan_says_whose_the_runs_are_that_a_committed_study_holds(
    given: Flags, execute: FakeExecute, capsys: pytest.CaptureFixture[str]
) -> None:
    driver.run(replace(given, study="published/synthetic-200", models=("cnn2",)))
    published = Store(given.results, "published/synthetic-200")
    before = contents(published.folder)
    capsys.readouterr()
    driver.run(given)
    out = capsys.readouterr().out
    assert "Study: synthetic-200," in out and "Plan: 2 runs: 0 done" in out
    assert "1 of its runs are in published/synthetic-200 too" in out
    assert contents(published.folder) == before and len(Store(given.results, "synthetic-200").records()) == 2


def test_flags_decide_what_a_spec_holds(given: Flags, execute: FakeExecute) -> None:
    driver.run(
        replace(given, models=("vgg16",), seeds="4,", side=40, weights="none", precision="mixed_bfloat16", epochs=1)
    )
    (spec,) = execute.executed
    assert (spec.seed, spec.side_px, spec.weights.source, spec.precision) == (4, 40, "none", "mixed_bfloat16")


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        ({"jobs": 2}, "--executor process"),
        ({"executor": "proces"}, "process"),
        ({"address": "auto"}, "--executor ray"),
        ({"executor": "process", "gpus_per_run": 0.5}, "--executor ray"),
        ({"budget": "dem"}, "demo"),
        ({"precision": "float16"}, "float32"),
        ({"seeds": "x"}, "seeds are"),
        ({"plugins": ("missing.py",)}, "missing.py"),
    ],
)
def test_wrong_flags_are_refused_before_data_are_read(flags: dict[str, object], hint: str, given: Flags) -> None:
    with pytest.raises(UsageError, match=hint):
        driver.run(replace(given, data="/nowhere", **flags))  # type: ignore[arg-type]


def test_a_backend_that_is_not_installed_is_refused_before_a_run_but_not_a_plan_or_a_report(
    given: Flags, execute: FakeExecute, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert driver.run(given) == 0
    monkeypatch.setattr("study.training.backend.importlib.util.find_spec", lambda name: None)
    assert driver.run(given) == 0, "nothing is left to train"
    assert driver.run(replace(given, seeds="2", dry_run=True)) == 0
    with pytest.raises(UsageError, match="tensorflow, which is not installed"):
        driver.run(replace(given, seeds="2"))
    assert len(execute.executed) == 2


def test_without_a_budget_the_plan_says_which_was_chosen_and_how_to_ask_for_another(
    given: Flags, execute: FakeExecute, capsys: pytest.CaptureFixture[str]
) -> None:
    assert driver.run(replace(given, budget=None)) == 0
    out = capsys.readouterr().out
    assert "Budget: demo, because these are the built-in faces. For another: --budget demo or tonight or full" in out
    assert {spec.budget for spec in execute.executed} == {"demo"}


@pytest.mark.parametrize(
    ("fast", "pace", "budget"), [(False, 1e9, "tonight"), (True, 1e9, "full"), (True, 1.0, "tonight")]
)
def test_photographs_get_all_of_it_where_a_fast_machine_does_that_in_a_night(
    fast: bool, pace: float, budget: str, given: Flags, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("study.cli.driver.is_fast", lambda cores: fast)
    monkeypatch.setattr("study.cli.driver.resolve_specs", lambda pairs, choices, images: resolved(choices, images))
    photographs = replace(load(DATA), drawn=False)
    full = driver.make_choices(replace(given, budget="full"), read_grid("all"))
    store = Store(given.results, "photographs")
    executor = EXECUTORS.get("process")
    paces = Paces(tmp_path, 8, lambda *_: Pace(1.0, pace, 1.0))
    assert driver.find_budget(given, full, [], executor, photographs, store, paces) == budget


def resolved(choices: Choices, images: ImageSet) -> list[PlannedSpec]:
    """Return so many seeds of vgg16 that two cores have more than a night to do."""
    pairs = grid.select_pairs(read_grid("all"), ("vgg16",), ("baseline",))
    many = replace(choices, seeds=tuple(range(100)), weights="none")
    return RESOLVE(pairs, many, images)


RESOLVE = grid.resolve_specs


@pytest.mark.parametrize("answer", [True, False])
def test_a_plan_of_more_than_a_day_asks_back_at_a_terminal(
    answer: bool, given: Flags, execute: FakeExecute, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("study.cli.driver.typer.confirm", lambda text: asked.append(text) or answer)  # type: ignore[func-returns-value]
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("sys.stdout", Terminal())
    assert driver.agreed(given, 25 * 3600) is answer
    assert driver.agreed(given, 23 * 3600) and driver.agreed(replace(given, time_limit_s=60.0), 25 * 3600)
    assert asked == ["This takes about 25 h, more than a day. Start?"]
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert driver.agreed(given, 25 * 3600) and len(asked) == 1, "nobody is there to answer"
    monkeypatch.setattr(driver, "agreed", lambda *_: answer)
    assert driver.run(given) == 0 and len(execute.executed) == 2 * answer


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_names_come_with_commas_or_repeated() -> None:
    assert split_names(["cnn2, cnn3", "cnn5"]) == ("cnn2", "cnn3", "cnn5")
    assert split_names(None) == ()


def started(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    """Start the driver with a plugin that waits in cnn2, and return it once cnn3 is stored and cnn2 waits."""
    marker = tmp_path / "waiting"
    plugin = tmp_path / "waiting_plugin.py"
    plugin.write_text(WAITING.format(marker=str(marker)))
    call = [sys.executable, "-m", "study.run", "--data", DATA, "--budget", "demo", "--jobs", "1"]
    call += ["--protocols", "baseline", "--models", "cnn2,cnn3"]
    call += [
        "--plugin",
        str(plugin),
        "--results",
        str(tmp_path / "results"),
        "--reports",
        str(tmp_path / "reports"),
        *words,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        call,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell that starts the tests in the background has them ignore SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    stored = tmp_path / "results" / "synthetic-200" / "cnn3"
    while not (marker.exists() and list(stored.rglob("*.json"))) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()
    time.sleep(0.2)  # the line about cnn3 follows its record
    return process


def interrupt_group(process: subprocess.Popen[str]) -> None:
    """Do what Ctrl-C in a terminal does: the signal reaches every process of the group."""
    os.killpg(process.pid, signal.SIGINT)


def terminate(process: subprocess.Popen[str]) -> None:
    process.terminate()


@pytest.mark.parametrize(("end", "code"), [(interrupt_group, 130), (terminate, 143)])
@pytest.mark.parametrize("words", [("--executor", "inprocess"), ()], ids=["inprocess", "process"])
def test_signals_end_cleanly_with_a_hint_and_keep_what_is_done(
    end: Callable[[subprocess.Popen[str]], None], code: int, words: tuple[str, ...], tmp_path: Path
) -> None:
    process = started(tmp_path, *words)
    end(process)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert out.splitlines()[-1] == "Stopped after 1 of 2 runs, which are kept; the same command goes on."
    assert "Traceback" not in err
    (record,) = Store(tmp_path / "results", "synthetic-200").records()
    assert (record.spec.model.name, record.status) == ("cnn3", "done")
    deadline = time.monotonic() + 10
    with pytest.raises(ProcessLookupError):  # no worker outlives the driver for long
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.05)


def test_one_training_of_two_protocols_leaves_both_records(given: Flags, monkeypatch: pytest.MonkeyPatch) -> None:
    oracle, twin = "leaky/checkpoint-on-test", "clean-twin/checkpoint-on-validation"
    trained = []

    def execute(spec: Spec, image_set: ImageSet, **more: object) -> Record:
        trained.append(spec.protocol.name)
        paired_spec = replace(spec, protocol=paired_protocol(spec.protocol))
        return replace(done_record(spec, image_set), paired=(done_record(paired_spec, image_set),))

    monkeypatch.setattr("study.execution.run_one.execute", execute)
    pair = replace(given, grid="leakage", models=("cnn3",), protocols=(twin, oracle))
    assert driver.run(pair) == 0
    records = Store(given.results, "synthetic-200").records()
    assert trained == [twin] and [record.spec.protocol.name for record in records] == [twin, oracle]
    assert driver.run(pair) == 0 and trained == [twin], "nothing is left to do"
    store = Store(given.results, "synthetic-200")
    store.record_path(records[1].spec).unlink()
    before = store.record_path(records[0].spec).stat().st_mtime_ns
    assert driver.run(pair) == 0 and trained == [twin, oracle]
    assert store.record_path(records[0].spec).stat().st_mtime_ns == before, "a record that is there stays"


def test_every_run_is_logged_once_where_that_is_asked(
    given: Flags, execute: FakeExecute, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Log:
        def __init__(self, store: Store, folder: Path) -> None:
            self.look = f"look into {folder.name}"

        def log(self, record: Record) -> None:
            logged.append(record.key)

        def log_report(self, folder: Path) -> None:
            logged.append(f"report of {folder.name}")

    logged: list[str] = []
    TRACKERS.names()
    monkeypatch.setitem(TRACKERS._entries, "own", TrackerEntry("own", Log))
    driver.run(replace(given, track=("own",)))
    keys = [record.key for record in Store(given.results, "synthetic-200").records()]
    assert logged == [*keys[::-1], *keys[::-1], "report of synthetic-200"], (
        "as stored, and at the end what was done before"
    )
    assert "Logged: look into tracking" in capsys.readouterr().out
    with pytest.raises(UsageError, match="Did you mean own"):
        driver.run(replace(given, track=("owns",)))


def test_ferplus_labels_are_checked_before_anything_is_trained(given: Flags, execute: FakeExecute) -> None:
    with pytest.raises(DataError, match="not readable"):
        driver.run(replace(given, ferplus=given.results / "none.csv"))
    assert not execute.executed


@pytest.mark.parametrize(
    ("cores", "jobs", "of_the_budget", "measured"),
    [(8, None, 1, True), (2, None, 1, False), (8, 1, 1, False), (8, None, 2, False)],
)
def test_more_cores_than_one_run_uses_are_shared_out_unless_somebody_says_otherwise(
    cores: int, jobs: int | None, of_the_budget: int, measured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from study.cli.driver import leaves_cores
    from study.protocols.budgets import Budget

    monkeypatch.setattr("study.cli.driver.usable_cores", lambda: cores)
    assert leaves_cores(Flags(jobs=jobs), Budget("full", jobs=of_the_budget)) is measured
