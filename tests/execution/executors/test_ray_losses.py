"""A study on a Ray cluster that loses a node and its driver, or is interrupted: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.core.store import Store
from study.execution.executors.ray.cluster import Cluster, connected
from tests.execution.executors.clusters import add_node, cluster_of
from tests.execution.executors.test_ray import comparable, needs_ray

ROOT = Path(__file__).parents[3]
RUNS = 12
STEPS_A_RUN = 4
#: Ray's settings by which it notices within seconds that a node is gone.
QUICKLY = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
#: A plugin that replaces training: four steps of half a second, each kept in a checkpoint, and a log of what happens,
#: in which Ray's node is told by the process that Ray has on it.
STEPS = """
import os, time
import study.execution.run_one, study.report.local, study.report.write, study.core.store
from study.training.checkpoint import Checkpoint
from tests.execution.executors.fake_execute import done_record

def note(*words):
    handle = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, (" ".join(map(str, words)) + "\\n").encode())
    os.close(handle)

def execute(spec, image_set, *, checkpoint_folder, progress, **more):
    checkpoint = Checkpoint(checkpoint_folder, spec.key)
    found = checkpoint.load()
    for step in range(found[0]["step"] if found else 0, {steps}):
        time.sleep(0.5 * {pace})
        checkpoint.save(0, {{"step": step + 1}}, {{}})
        note("step", spec.key, step, os.environ.get("RAY_RAYLET_PID", "none"))
    return done_record(spec, image_set)

def keep(store, record, keep=study.core.store.Store.keep):
    kept = keep(store, record)
    note("kept", record.key, record.status)
    return kept

study.execution.run_one.execute = execute
study.core.store.Store.keep = keep
study.report.write.write_report = lambda store, reports, **_: reports / store.study
study.report.local.write_local_pictures = lambda store, image_set, reports: None
"""


class Study:
    """A study of twelve runs in a folder of its own."""

    def __init__(self, folder: Path, pace: float = 1.0) -> None:
        self.folder = folder
        self.log = folder / "log"
        folder.mkdir()
        self.log.touch()
        (folder / "steps.py").write_text(STEPS.format(log=str(self.log), pace=pace, steps=STEPS_A_RUN))
        self.store = Store(folder / "results", "synthetic-200")

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start `study run` in a process group of its own."""
        call = [sys.executable, "-m", "study.run", "--data", "synthetic:images=200", "--budget", "demo", "--seeds", "6"]
        call += ["--models", "cnn2,cnn3", "--protocols", "baseline", "--plugin", str(self.folder / "steps.py"), *words]
        call += ["--results", "results", "--reports", "reports"]
        with (self.folder / "output").open("ab") as output:
            return subprocess.Popen(
                call, cwd=self.folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=output, stderr=output,
                start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )  # fmt: skip

    def lines(self, word: str) -> list[list[str]]:
        """Return the log's lines of one kind."""
        return [words for line in self.log.read_text().splitlines() if (words := line.split())[0] == word]

    def is_amid_a_run_on(self, node: Any) -> bool:
        """Return whether the newest run on a node of Ray's has made a step, but not its last."""
        process = str(node.all_processes["raylet"][0].process.pid)
        steps = [words for words in self.lines("step") if words[3] == process]
        return bool(steps) and int(steps[-1][2]) < STEPS_A_RUN - 1

    def output(self) -> str:
        return (self.folder / "output").read_text()


def wait_for(
    condition: Callable[[], bool], process: subprocess.Popen[bytes], study: Study, seconds: float = 150
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, study.output()
        time.sleep(0.05)


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_study_that_loses_a_node_and_its_driver_ends_as_one_in_a_single_process(tmp_path: Path) -> None:
    whole, hurt = Study(tmp_path / "whole", pace=0.0), Study(tmp_path / "hurt", pace=3.0)
    alone = whole.start("--executor", "inprocess")
    assert alone.wait(200) == 0, whole.output()
    with cluster_of(2, _system_config=QUICKLY) as cluster:
        third = add_node(cluster)
        words = ("--executor", "ray", "--address", cluster.address)
        with hurt.start(*words) as driver:
            wait_for(lambda: len(hurt.lines("kept")) >= 2 and hurt.is_amid_a_run_on(third), driver, hurt)
            cluster.remove_node(third, allow_graceful=False)
            wait_for(lambda: "its node was lost, it goes on elsewhere" in hurt.output(), driver, hurt)
            before = len(hurt.lines("kept"))
            wait_for(lambda: len(hurt.lines("kept")) > before, driver, hurt)
            driver.kill()
        assert 3 <= len(hurt.lines("kept")) < RUNS
        with hurt.start(*words) as driver:
            assert driver.wait(200) == 0, hurt.output()
    assert Counter(words[1] for words in hurt.lines("kept")) == Counter(dict.fromkeys(_keys(whole), 1))
    assert [*map(comparable, hurt.store.records())] == [*map(comparable, whole.store.records())]
    for one, other in zip(hurt.store.records(), whole.store.records(), strict=True):
        assert one.predictions_sha256 == other.predictions_sha256
    twice = Counter((words[1], words[2]) for words in hurt.lines("step")) - Counter(
        (words[1], words[2]) for words in whole.lines("step")
    )
    print(f"{RUNS} runs, {len(hurt.lines('step'))} steps, {twice.total()} of them twice")
    assert twice.total() <= 6, "what a lost process had not kept: at most a step of each run that was going on"
    left = [path.name for path in hurt.folder.rglob("*") if ".study-" in path.name]
    assert left == [] and list(hurt.store.locks_folder.iterdir()) == []


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_driver_leaves_the_cluster_clean(number: signal.Signals, code: int, tmp_path: Path) -> None:
    study = Study(tmp_path / "study", pace=20.0)
    with cluster_of(2) as cluster:
        with study.start("--executor", "ray", "--address", cluster.address) as driver:
            wait_for(lambda: "Ray: 2 nodes" in study.output(), driver, study)
            time.sleep(3)
            os.killpg(driver.pid, number)
            assert driver.wait(60) == code, study.output()
        assert study.output().splitlines()[-1] == (
            f"Stopped after 0 of {RUNS} runs, which are kept; the same command goes on."
        )
        assert "Traceback" not in study.output()
        with connected(Cluster(cluster.address)) as ray:
            deadline = time.monotonic() + 30
            while ray.available_resources().get("CPU") != 2:
                assert time.monotonic() < deadline, ray.available_resources()
                time.sleep(0.2)
    assert [path.name for path in study.folder.rglob(".study-*")] == []


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cluster_of_the_drivers_own_ends_with_it(tmp_path: Path) -> None:
    study = Study(tmp_path / "study", pace=20.0)
    with study.start("--executor", "ray") as driver:
        wait_for(lambda: "Ray: 1 node" in study.output(), driver, study)
        time.sleep(3)
        os.killpg(driver.pid, signal.SIGINT)
        assert driver.wait(60) == 130, study.output()
    assert "the same command goes on" in study.output() and "Traceback" not in study.output()
    deadline = time.monotonic() + 60
    with pytest.raises(ProcessLookupError):  # all that was started is of the driver's process group
        while time.monotonic() < deadline:
            os.killpg(driver.pid, 0)
            time.sleep(0.1)


def _keys(study: Study) -> list[str]:
    return [record.key for record in study.store.records()]
