"""Who takes part in a contest: ourselves in each precision, and the peers that are installed."""

from __future__ import annotations

import importlib.util
import itertools
from dataclasses import replace
from pathlib import Path

from study.bench.contest import Entrant
from study.bench.task import Task
from study.bench.tricks import Trick
from study.core.toml import experiments_folder
from study.training.backend import chosen_backend
from study.training.device import visible_gpus
from study.training.environment import process_environment
from study.training.precision import PRECISIONS

OURS = Path(__file__).with_name("ours.py")
PEAK = Path(__file__).with_name("peak.py")
KERAS, TORCH = "keras_plain.py", "torch_loop.py"
#: How PyTorch drives a GPU: an update at a time, replayed from a CUDA graph, compiled and replayed.
TORCH_WAYS = ("eager", "graph", "compiled")
#: Architectures that the peers have too.
PEER_MODELS = ("cnn3", "cnn5", "vgg16", "resnet50")


def ours(task: Task) -> Entrant:
    """Return this package on a task."""
    return Entrant(f"study {task.precision}", OURS, task, process_environment(task.threads))


def without(trick: Trick, task: Task) -> Entrant:
    """Return this package on a task, but for one trick."""
    environment = {**process_environment(task.threads), **trick.environment}
    return Entrant(f"without {trick.name}", OURS, replace(task, without=trick.name), environment)


def yardstick(precision: str, threads: int) -> Entrant:
    """Return the convolution that shares of the peak refer to."""
    task = Task("convolution", precision, images=1, threads=threads)
    return Entrant(precision, PEAK, task, process_environment(threads))


def peers(task: Task) -> list[Entrant]:
    """Return the peers on a task: Keras on the backend in use, PyTorch in both precisions where it is installed."""
    if task.model not in PEER_MODELS:
        return []
    folder = experiments_folder() / "peers"
    plain = {"KERAS_BACKEND": chosen_backend(), "TF_CPP_MIN_LOG_LEVEL": "2"}
    found = [Entrant("keras float32", folder / KERAS, replace(task, precision="float32"), plain)]
    if importlib.util.find_spec("torch") is not None:
        for precision, way in itertools.product(PRECISIONS, TORCH_WAYS if visible_gpus() else ("",)):
            environment = process_environment(task.threads) | ({"TORCH_WAY": way} if way else {})
            name = " ".join(filter(None, ["torch", precision, way]))
            found.append(Entrant(name, folder / TORCH, replace(task, precision=precision), environment))
    return found
