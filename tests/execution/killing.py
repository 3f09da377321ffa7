"""A small grid under `study run` that is killed again and again, and the log of what was trained for it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from study.core.store import Store

ROOT = Path(__file__).parents[2]
IMAGES = 200
STUDY = f"synthetic-{IMAGES}"
#: Seconds that the processes of a killed driver may take to be gone.
GONE_S = 10.0

#: Three networks that train in no time, of both families, and a line in a log for every epoch and every stored record.
#: ``splash`` starts from a weights file and goes through every kind of phase: head, top block, all.
PLUGIN = '''
"""Small networks, and a log of what happens to them."""
import os
import study.core.store
import study.training.loop as loop
from study.models.entry import model

LOG = {log!r}


@model("speck", source="a test", minimum_side_px=16)
def speck(images, classes):
    """One dense layer."""
    from keras import layers
    x = layers.AveragePooling2D(4)(images)
    x = layers.Dropout(0.2)(layers.BatchNormalization()(layers.Flatten()(x)))
    return layers.Dense(classes, activation="softmax", dtype="float32")(x)


@model("spot", source="a test", minimum_side_px=16)
def spot(images, classes):
    """One convolution."""
    from keras import layers
    x = layers.Conv2D(4, 3, strides=4, activation="relu")(images)
    return layers.Dense(classes, activation="softmax", dtype="float32")(layers.Flatten()(layers.Dropout(0.3)(x)))


@model("splash", family="transfer", source="a test", minimum_side_px=16, stages=("block2", "block1"))
def splash(shape, weights):
    """A body of one convolution in two blocks."""
    import keras
    inputs = keras.Input(shape)
    x = keras.layers.Conv2D(4, 3, strides=4, name="block1_conv")(inputs)
    return keras.Model(inputs, keras.layers.BatchNormalization(name="block2_bn")(x), name="splash")


def note(*words):
    handle = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, (" ".join(map(str, words)) + "\\n").encode())
    os.close(handle)


def watched(real, after):
    def call(self, *words):
        result = real(self, *words)
        after(self, *words)
        return result
    return call


def trained(training, *_):
    note("trained", training.checkpoint.key, training.history[-1].epoch)


def kept(store, record):
    note("kept", record.key, record.status)


loop.Training._epoch = watched(loop.Training._epoch, trained)
study.core.store.Store.keep = watched(study.core.store.Store.keep, kept)
'''


@dataclass
class Grid:
    """The grid in a folder of its own.

    Attributes:
        folder: Everything goes here.
        words: Further words of the command line.
        seeds: Runs of each recipe.
        protocols: The protocols.
        kills: How often it was killed so far.
    """

    folder: Path
    words: tuple[str, ...] = ()
    seeds: int = 1
    protocols: str = "baseline,oversample"
    kills: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "small.py").write_text(PLUGIN.format(log=str(self.log)))
        self.log.touch()
        self._write_weights()

    @property
    def weights(self) -> Path:
        """The file that ``splash`` starts from, the same in every grid."""
        return self.folder / "splash.weights.h5"

    def _write_weights(self) -> None:
        """Write what ``model.save_weights`` writes of such a body."""
        draw = np.random.default_rng(0)
        names = {"conv2d": [(3, 3, 3, 4), (4,)], "batch_normalization": [(4,)] * 4}
        with h5py.File(self.weights, "w") as file:
            for layer, shapes in names.items():
                for number, shape in enumerate(shapes):
                    file[f"layers/{layer}/vars/{number}"] = draw.uniform(0.1, 0.2, shape).astype(np.float32)
            file.create_group("layers/input_layer/vars")

    @property
    def log(self) -> Path:
        """One line for each epoch trained and each record stored: ``trained KEY EPOCH`` or ``kept KEY STATUS``."""
        return self.folder / "log"

    @property
    def store(self) -> Store:
        """Where its records are."""
        return Store(self.folder / "results", STUDY)

    @contextlib.contextmanager
    def started(self) -> Iterator[subprocess.Popen[bytes]]:
        """Start the command in a process group of its own, which ends with the block."""
        call = [sys.executable, "-m", "study.run", "--data", f"synthetic:images={IMAGES}", "--budget", "full"]
        call += ["--models", "speck,spot,splash", "--protocols", self.protocols, "--epochs", "12"]
        call += ["--seeds", str(self.seeds), "--side", "48", "--plugin", str(self.folder / "small.py")]
        call += ["--weights", f"splash={self.weights}"]
        call += ["--results", str(self.folder / "results"), "--reports", str(self.folder / "reports"), *self.words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (self.folder / "output").open("ab") as output:
            process = subprocess.Popen(
                call, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def finish(self) -> int:
        """Let the command run to its end and return its exit code."""
        with self.started() as process:
            return process.wait()

    def kill_after(self, epochs: int, chance: random.Random) -> bool:
        """Start the command and kill it at a random moment once so many epochs were trained, in all its starts.

        Half of the time the driver alone is killed, and its workers have to notice.

        Returns:
            False where the command came to its end before.
        """
        with self.started() as process:
            return self._kill(process, epochs, chance)

    def _kill(self, process: subprocess.Popen[bytes], epochs: int, chance: random.Random) -> bool:
        moment = time.monotonic() + chance.uniform(0.0, 8.0)  # where they are trained already
        if len(self.trained()) < epochs:
            while len(self.trained()) < epochs and process.poll() is None:
                time.sleep(0.01)
            moment = time.monotonic() + chance.uniform(0.0, 1.0) ** 3
        while time.monotonic() < moment and process.poll() is None:
            time.sleep(0.001)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL) if chance.random() < 0.5 else os.killpg(process.pid, signal.SIGKILL)
        killed = process.wait() == -signal.SIGKILL
        self.kills += killed
        self._wait_for_the_others(process.pid)
        return killed

    def trained(self) -> list[tuple[str, int]]:
        """Return run and epoch of every epoch that was trained, in order."""
        return [(words[1], int(words[2])) for words in self._lines() if words[0] == "trained"]

    def trained_twice(self) -> int:
        """Return how many epochs were trained again; each must have been the last one of its run so far.

        Raises:
            AssertionError: progress went backwards, or a run was trained whose record had been stored.
        """
        last: dict[str, int] = defaultdict(lambda: -1)
        stored: set[str] = set()
        twice = 0
        for word, key, value in self._lines():
            assert key not in stored, f"{key} was {word} after it had been stored"
            if word == "kept":
                assert value == "done"
                stored.add(key)
                continue
            assert int(value) - last[key] in (0, 1), f"{key}: epoch {value} after {last[key]}"
            twice += int(value) == last[key]
            last[key] = int(value)
        return twice

    def _lines(self) -> list[list[str]]:
        return [words for line in self.log.read_text().splitlines() if len(words := line.split()) == 3]

    def _wait_for_the_others(self, group: int) -> None:
        deadline = time.monotonic() + GONE_S
        with contextlib.suppress(ProcessLookupError):
            while time.monotonic() < deadline:
                os.killpg(group, 0)
                time.sleep(0.01)
            raise AssertionError("a worker outlived its driver")
