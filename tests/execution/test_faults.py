"""Faults of the place: a full or read-only disk, data that vanish, damaged files. What was whole stays.

Training is replaced by a plugin; what trains for real is in `test_failures.py`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study.core.store import Store
from tests.places import needs_mounts, on_a_small_disk

ROOT = Path(__file__).parents[2]
#: A plugin that replaces training. What happens in a run is a line of Python for its seed.
PLUGIN = """
import os, pathlib, shutil, sys, time
import study.execution.run_one, study.report.local, study.report.write
from tests.execution.executors.fake_execute import done_record

ACTS = {acts!r}

def execute(spec, image_set, **more):
    with open({log!r}, "a") as log:
        log.write(f"{{spec.seed}} {{os.getpid()}}\\n")
    print("seed", spec.seed, "begins", flush=True)
    exec(ACTS.get(spec.seed, ""))
    return done_record(spec, image_set)

study.execution.run_one.execute = execute
study.report.write.write_report = lambda store, reports, **_: reports / "README.md"
study.report.local.write_local_pictures = lambda *words: None
"""


class Command:
    """`study run` on one recipe whose runs do as they are told.

    Args:
        folder: Everything goes here.
        data: The dataset.
        acts: What happens in a run, by its seed.
    """

    def __init__(self, folder: Path, data: str = "synthetic:images=200", **acts: str) -> None:
        self.folder = folder
        self.data = data
        self.log = folder / "log"
        self.log.touch()
        self.act(**acts)
        (folder / "study").mkdir()
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "STUDY_CACHE": str(folder / "cache")}

    def act(self, **acts: str) -> None:
        """Tell the runs what to do: ``seed_1="..."``."""
        numbered = {int(name.removeprefix("seed_")): act for name, act in acts.items()}
        (self.folder / "acts.py").write_text(PLUGIN.format(acts=numbered, log=str(self.log)))

    def words(self, *more: str) -> list[str]:
        """Return the command line."""
        call = [sys.executable, "-m", "study.run", "--data", self.data, "--study", "s", "--budget", "demo"]
        call += ["--models", "cnn2", "--protocols", "baseline", "--seeds", "4", "--jobs", "1"]
        call += ["--plugin", str(self.folder / "acts.py"), "--results", str(self.folder / "study" / "results")]
        return [*call, "--reports", str(self.folder / "study" / "reports"), *more]

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return self.call(self.words(*more))

    def call(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command in its surroundings."""
        return subprocess.run(
            words, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )

    @property
    def store(self) -> Store:
        """Its store."""
        return Store(self.folder / "study" / "results", "s")

    @property
    def states(self) -> dict[int, str]:
        """Status by seed, of the records that are whole."""
        records, damaged = self.store.examine(weights=True)
        assert not damaged
        return {record.spec.seed: record.status for record in records}

    @property
    def begun(self) -> list[int]:
        """The seeds of all runs that were begun, in order."""
        return [int(line.split()[0]) for line in self.log.read_text().splitlines()]


def litter(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.name.startswith(".") or path.suffix == ".lock"]


@needs_mounts
def test_a_disk_that_runs_full_stops_the_study_with_whole_records_and_more_room_lets_it_go_on(tmp_path: Path) -> None:
    place = tmp_path / "study"
    # The driver stores seed 1 while seed 2 runs.
    fill = f"""
time.sleep(2)
try:
    open({str(place / "filler")!r}, "wb").write(bytes(10_000_000))
except OSError:
    pass
"""
    command = Command(tmp_path, seed_2=fill)
    harmless = command.words()
    harmless[harmless.index("--plugin") + 1] = str(tmp_path / "harmless.py")
    (tmp_path / "harmless.py").write_text(PLUGIN.format(acts={}, log=str(command.log)))
    done = command.call(on_a_small_disk(place, "400k", command.words(), ["rm", place / "filler"], harmless))
    assert [line for line in done.stdout.splitlines() if line.startswith("exit")] == ["exit 2", "exit 0", "exit 0"]
    (line,) = done.stderr.splitlines()
    assert line.startswith("study: cannot write") and "No space left on device" in line
    assert "Stopped after 2 of 4 runs, which are kept; the same command goes on." in done.stdout
    assert command.states == dict.fromkeys(range(4), "done")
    assert command.begun == [0, 1, 2, 2, 3]
    assert litter(place) == []


@pytest.mark.slow
def test_a_limit_on_file_sizes_stops_the_study_as_a_full_disk_does(tmp_path: Path) -> None:
    command = Command(tmp_path)
    command.run("--seeds", "1")
    before = {path: path.read_bytes() for path in command.store.folder.rglob("*") if path.is_file()}
    limited = ["sh", "-c", 'ulimit -f 2 && exec "$@"', "sh", *command.words()]
    done = command.call(limited)
    assert done.returncode == 2
    assert "File too large" in done.stderr and len(done.stderr.splitlines()) == 1
    assert {path: path.read_bytes() for path in before} == before
    assert command.run().returncode == 0 and command.states == dict.fromkeys(range(4), "done")


@pytest.mark.slow
@needs_mounts
def test_a_read_only_folder_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    command = Command(tmp_path)
    assert command.run("--seeds", "1").returncode == 0
    place = tmp_path / "study"
    done = command.call(on_a_small_disk(place, "10m", "ro", command.words(), "rw"))
    assert "exit 2" in done.stdout
    (line,) = done.stderr.splitlines()
    assert "Read-only file system" in line
    assert command.states == {0: "done"} and command.begun == [0]


def test_a_folder_that_takes_no_files_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    command = Command(tmp_path)
    (tmp_path / "study" / "results").write_text("a file where the folder should be")
    done = command.run()
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and command.begun == []


def write_faces(folder: Path) -> None:
    """Write a dataset of 60 pictures in two classes."""
    rng = np.random.default_rng(0)
    for label in ("happy", "sad"):
        (folder / label).mkdir(parents=True)
        for number in range(30):
            Image.fromarray(rng.integers(0, 256, (48, 48), np.uint8)).save(folder / label / f"{number}.png")


@pytest.mark.slow
def test_a_dataset_that_has_vanished_is_said_and_nothing_is_touched(tmp_path: Path) -> None:
    write_faces(tmp_path / "faces")
    command = Command(tmp_path, str(tmp_path / "faces"))
    assert command.run("--seeds", "1").returncode == 0
    shutil.rmtree(tmp_path / "faces")
    done = command.run()
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "faces" in line and command.states == {0: "done"} and command.begun == [0]


@pytest.mark.slow
def test_a_dataset_that_vanishes_while_the_grid_runs_fails_the_runs_that_need_it_anew(tmp_path: Path) -> None:
    write_faces(tmp_path / "faces")
    places = [str(tmp_path / "faces"), str(tmp_path / "cache")]
    gone = f"[shutil.rmtree(place) for place in {places}]"
    command = Command(tmp_path, places[0], seed_0=gone)
    done = command.run()
    assert done.returncode == 1, done.stderr
    assert command.states == {0: "done", 1: "failed", 2: "failed", 3: "failed"}
    for record in command.store.records()[1:]:
        assert "cached images cannot be opened (No such file or directory)" in record.reason
    write_faces(tmp_path / "faces")
    command.act()
    assert command.run().returncode == 0 and set(command.states.values()) == {"done"}


def test_a_worker_that_is_killed_from_outside_fails_its_run_alone(tmp_path: Path) -> None:
    command = Command(tmp_path, seed_1="time.sleep(60)")
    driver = subprocess.Popen(
        command.words(), cwd=ROOT, env=command.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while command.begun != [0, 1]:
        assert driver.poll() is None
        time.sleep(0.02)
    worker = int(command.log.read_text().split()[-1])
    assert worker != driver.pid
    os.kill(worker, signal.SIGKILL)
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 1 and err == "", err
    assert command.states == {0: "done", 1: "failed", 2: "done", 3: "done"}
    record = command.store.records()[1]
    assert "SIGKILL" in record.reason and "run out of memory" in record.reason
    assert record.traceback == "seed 1 begins"


@pytest.mark.slow
def test_a_run_that_hangs_is_a_failed_record_and_the_grid_goes_on(tmp_path: Path) -> None:
    command = Command(tmp_path, seed_0="while True: pass")
    done = command.run("--run-limit", "0.1")
    assert done.returncode == 1
    assert command.states == {0: "failed", 1: "done", 2: "done", 3: "done"}
    assert "failed - took longer than a run may take (0.1 min): give more with --run-limit" in done.stdout


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.slow
def test_damaged_files_are_said_set_aside_and_made_again_and_nothing_else(tmp_path: Path) -> None:
    command = Command(tmp_path)
    assert command.run().returncode == 0
    folder = command.store.folder
    stored = {path: path.read_bytes() for path in folder.rglob("seed_*.npz")}
    by_seed = {path.name.split("-")[0]: path for path in stored}
    flip(by_seed["seed_0"])
    cut(by_seed["seed_1"].with_suffix(".json"))
    cut(folder / "dataset.npz")
    dry = command.run("--dry-run")
    assert dry.returncode == 0 and len([line for line in dry.stdout.splitlines() if line.startswith("Damaged")]) == 2
    assert not list(folder.rglob("*.damaged"))
    done = command.run()
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("Damaged, set aside as seed_")]
    assert len(lines) == 2
    assert command.begun == [0, 1, 2, 3, 0, 1]
    assert {path: path.read_bytes() for path in stored} == stored
    assert len(list(folder.rglob("*.damaged"))) == 4, "record and predictions of two runs"
    assert command.run().returncode == 0 and len(command.begun) == 6
    command.store.load_dataset()


@pytest.mark.slow
def test_a_damaged_record_of_another_grid_does_not_stop_this_one(tmp_path: Path) -> None:
    command = Command(tmp_path)
    assert command.run("--seeds", "1,3").returncode == 0
    cut(next(command.store.folder.rglob("seed_3-*.npz")))
    done = command.run("--seeds", "0,1")
    assert done.returncode == 0 and "set aside as seed_3" in done.stdout
    assert command.states == {0: "done", 1: "done"}


@pytest.mark.slow
def test_nothing_that_is_not_ours_is_ever_removed(tmp_path: Path) -> None:
    command = Command(tmp_path)
    folder = command.store.folder
    folder.mkdir(parents=True)
    foreign = [folder / name for name in (".hidden", "notes.tmp", ".study-notes", "x.lock", "y.damaged", ".a.json.tmp")]
    for path in foreign:
        path.write_text("mine")
    assert command.run("--seeds", "1").returncode == 0
    assert [path.read_text() for path in foreign] == ["mine"] * len(foreign)
