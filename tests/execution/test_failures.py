"""Runs that fail in every way a plugin can: each is a failed record with its reason, and the grid goes on."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from study.core.store import Store
from tests.places import needs_mounts, on_a_small_disk

ROOT = Path(__file__).parents[2]

#: One network that works, one after each that does not, so that the grid has to go on every time.
PLUGIN = '''
"""Networks that fail as their names say."""
import os, resource, signal, sys, time
from study.models.entry import model

def small(images, classes):
    from keras import layers
    x = layers.Flatten()(layers.AveragePooling2D(8)(images))
    return layers.Dense(classes, activation="softmax", dtype="float32")(x)

@model("a-good", source="a test")
def good(images, classes):
    return small(images, classes)

@model("b-raises", source="a test")
def raises(images, classes):
    raise RuntimeError("no such layer\\nsecond line")

@model("c-leaves", source="a test")
def leaves(images, classes):
    print("leaving now")
    sys.exit(4)

@model("d-nan", source="a test")
def nan(images, classes):
    import keras
    return small(keras.layers.Rescaling(float("nan"))(images), classes)

@model("e-hog", source="a test")
def hog(images, classes):
    import numpy as np
    limit = resource.getrlimit(resource.RLIMIT_AS)
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), limit[1]))
    try:
        np.ones(1 << 30)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limit)

@model("f-hangs", source="a test")
def hangs(images, classes):
    print("thinking", flush=True)
    while True:
        time.sleep(1)

@model("g-exits", source="a test")
def exits(images, classes):
    print("last words", flush=True)
    os._exit(5)

@model("h-killed", source="a test")
def killed(images, classes):
    os.kill(os.getpid(), signal.SIGKILL)

@model("i-good", source="a test")
def good_too(images, classes):
    return small(images, classes)
'''


def study_run(folder: Path, *words: str, plugin: str = PLUGIN) -> list[str]:
    (folder / "failing.py").write_text(plugin)
    call = [sys.executable, "-m", "study.run", "--data", "synthetic:images=200", "--study", "s", "--budget", "demo"]
    call += ["--protocols", "baseline", "--epochs", "1", "--jobs", "1", "--plugin", str(folder / "failing.py")]
    return [
        *call,
        "--results",
        str(folder / "study" / "results"),
        "--reports",
        str(folder / "study" / "reports"),
        *words,
    ]


def call(words: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=False)


#: Status, reason and a part of the traceback or of what the worker printed, by model.
EXPECTED = {
    "a-good": ("done", "", ""),
    "b-raises": ("failed", "RuntimeError: no such layer", "second line"),
    "c-leaves": ("failed", "SystemExit: 4", "in leaves"),
    "d-nan": ("failed", "the loss became NaN or infinite in epoch 1", "loop.py"),
    "e-hog": ("failed", "MemoryError", "in hog"),
    "f-hangs": ("failed", "took longer than a run may take (0.5 min)", "thinking"),
    "g-exits": ("failed", "the worker process exited with code 5", "last words"),
    "h-killed": ("failed", "the worker process was ended by SIGKILL", ""),
    "i-good": ("done", "", ""),
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("executor", ["process", "inprocess"])
def test_every_failure_is_a_record_with_its_reason_and_the_grid_goes_on(tmp_path: Path, executor: str) -> None:
    """In process a run can still end everything: exits and kills are left to the executor that has workers."""
    names = [name for name in EXPECTED if executor == "process" or name[0] not in "gh"]
    words = ["--models", ",".join(names), "--run-limit", "0.5", "--executor", executor]
    done = call(study_run(tmp_path, *words))
    assert done.returncode == 1, done.stdout + done.stderr
    records, damaged = Store(tmp_path / "study" / "results", "s").examine(weights=True)
    assert not damaged and [record.spec.model.name for record in records] == names
    for record in records:
        status, reason, tail = EXPECTED[record.spec.model.name]
        if executor == "inprocess" and record.spec.model.name == "f-hangs":
            tail = "in hangs"
        assert (record.status, record.reason.startswith(reason)) == (status, True), record.reason
        assert tail in record.traceback, record.traceback
        assert str(tmp_path) not in record.traceback
    table = (tmp_path / "study" / "reports" / "s" / "tables" / "unfinished.csv").read_text().splitlines()
    shown = [row["model"] for row in csv.DictReader(table) if row["status"] == "failed"]
    assert shown == [name for name in names if EXPECTED[name][0] == "failed"]
    assert f"{len(names) - 2} of {len(names)} runs failed" in done.stdout
    assert "Traceback" not in done.stderr


#: A network whose checkpoints take 5 MB each.
LARGE = '''
"""A network that is large on disk."""
from study.models.entry import model

@model("large", source="a test")
def large(images, classes):
    from keras import layers
    x = layers.Dense(180, activation="relu")(layers.Flatten()(images))
    return layers.Dense(classes, activation="softmax", dtype="float32")(x)
'''


@pytest.mark.slow
@needs_mounts
@pytest.mark.timeout(600)
@pytest.mark.parametrize("executor", ["process", "inprocess"])
def test_a_disk_that_is_full_of_checkpoints_stops_the_study_which_goes_on_from_the_last_whole_one(
    tmp_path: Path, executor: str
) -> None:
    """Two checkpoints fit, the third, written before the first one goes, does not."""
    place = tmp_path / "study"
    place.mkdir()
    command = study_run(tmp_path, "--models", "large", "--epochs", "4", "--executor", executor, plugin=LARGE)
    look = ["find", place, "-type", "f", "-path", "*checkpoints*"]
    done = call(on_a_small_disk(place, "15m", command, look, "size=100m", command))
    assert [line for line in done.stdout.splitlines() if line.startswith("exit")] == ["exit 2", "exit 0", "exit 0"]
    (line,) = done.stderr.splitlines()
    assert line.startswith("study: cannot write") and "No space left on device" in line
    assert "Stopped after 0 of 1 runs" in done.stdout
    kept = [Path(line).name for line in done.stdout.splitlines() if line.endswith(".checkpoint")]
    assert sorted(kept) == ["000000-0.checkpoint", "000001-0.checkpoint"]
    (record,) = Store(place / "results", "s").records()
    assert record.status == "done" and [row.epoch for row in record.history] == [0, 1, 2, 3]
