"""A long grid needs no more memory at its end than after its first runs, but for what TensorFlow keeps in a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

from study.core.store import Store

ROOT = Path(__file__).parents[2]
#: Runs of each executor. With a plugin every run has a worker of its own, so that there the driver alone lives on.
RUNS = {"process": 12, "inprocess": 30}
#: MiB that a process may grow by from its fifth to its last run: what caches fill in and allocators keep.
GROWTH_MIB = 60
#: MiB that TensorFlow keeps of each network trained in one process: workers are replaced for it, the driver cannot be.
KEPT_MIB = 5

#: Three small networks, and a line in a log with the memory of each process at the end of each run.
PLUGIN = '''
"""Small networks; the memory that training takes."""
import os
import resource
import study.core.store
import study.training.loop as loop
from study.models.entry import model

LOG = {log!r}


def note(part, key):
    pages = int(open("/proc/self/statm").read().split()[1])
    with open(LOG, "a") as log:
        log.write(f"{{part}} {{key}} {{os.getpid()}} {{pages * resource.getpagesize() >> 20}}\\n")


def network(images, classes, filters):
    from keras import layers
    x = layers.Conv2D(filters, 3, strides=2, activation="relu")(images)
    x = layers.Dropout(0.2)(layers.Flatten()(layers.BatchNormalization()(x)))
    return layers.Dense(classes, activation="softmax", dtype="float32")(x)


@model("narrow", source="a test")
def narrow(images, classes):
    """Few filters."""
    return network(images, classes, 4)


@model("wide", source="a test")
def wide(images, classes):
    """More of them."""
    return network(images, classes, 16)


def after(real, act):
    def call(self, *words):
        result = real(self, *words)
        act(self, *words)
        return result
    return call


loop.Training.run = after(loop.Training.run, lambda training: note("training", training.checkpoint.key))
study.core.store.Store.keep = after(study.core.store.Store.keep, lambda store, record: note("storing", record.key))
'''


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("executor", ["process", "inprocess"])
def test_memory_stays_flat_over_many_runs(tmp_path: Path, executor: str) -> None:
    runs = RUNS[executor]
    (tmp_path / "plugin.py").write_text(PLUGIN.format(log=str(tmp_path / "log")))
    call = [sys.executable, "-m", "study.run", "--data", "synthetic:images=400", "--study", "s", "--budget", "demo"]
    call += ["--models", "narrow,wide", "--protocols", "baseline,oversample,mixup", "--epochs", "2"]
    call += ["--seeds", str(runs // 6), "--jobs", "1", "--executor", executor, "--plugin", str(tmp_path / "plugin.py")]
    call += ["--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(Store(tmp_path / "results", "s").records()) == runs
    for part in ("training", "storing"):
        lines = [line.split() for line in (tmp_path / "log").read_text().splitlines() if line.startswith(part)]
        sizes = [int(words[3]) for words in lines]
        own = part == "training" and executor == "process"
        assert len({words[2] for words in lines}) == (runs if own else 1) and len(sizes) == runs
        print(f"{executor}, {part}: {sizes[4]} MiB after run 5, {sizes[-1]} after run {runs}: {sizes}")
        kept = KEPT_MIB * runs if executor == "inprocess" else 0
        assert median(sizes[-5:]) - median(sizes[3:6]) < max(GROWTH_MIB, kept)
