"""The contest: who takes part, each in a process of its own, and their turns, in which only one works at a time."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from study.bench.task import Task
from study.bench.tricks import Trick
from study.core.errors import StudyError
from study.core.toml import experiments_folder
from study.training.backend import chosen_backend
from study.training.device import visible_gpus
from study.training.environment import process_environment
from study.training.precision import PRECISIONS

#: Seconds that a child gets to end.
GRACE_S = 10.0
HERE = Path(__file__).parent
#: How PyTorch drives a GPU: an update at a time, replayed from a CUDA graph, compiled and replayed.
TORCH_WAYS = ("eager", "graph", "compiled")
#: Architectures that the peers have too.
PEER_MODELS = ("cnn3", "cnn5", "vgg16", "resnet50")


class ContestError(StudyError):
    """A contestant cannot take part; the message says why."""


@dataclass(frozen=True)
class Entrant:
    """Who takes part: its name in tables, its Python file (``study.bench.serve``), its task, and variables that its
    process has beside the driver's own.
    """

    name: str
    file: Path
    task: Task
    environment: Mapping[str, str] = field(default_factory=dict)


def ours(task: Task, trick: Trick | None = None) -> Entrant:
    """Return this package on a task, but for one trick where that is given."""
    file, environment = HERE / "ours.py", process_environment(task.threads)
    if trick is None:
        return Entrant(f"study {task.precision}", file, task, environment)
    changed = replace(task, without=trick.name)
    return Entrant(f"without {trick.name}", file, changed, {**environment, **trick.environment})


def peers(task: Task) -> list[Entrant]:
    """Return the peers on a task: Keras on the backend in use, PyTorch in both precisions where it is installed."""
    if task.model not in PEER_MODELS:
        return []
    folder = experiments_folder() / "peers"
    plain = {"KERAS_BACKEND": chosen_backend(), "TF_CPP_MIN_LOG_LEVEL": "2"}
    found = [Entrant("keras float32", folder / "keras_plain.py", replace(task, precision="float32"), plain)]
    if importlib.util.find_spec("torch") is not None:
        for precision, way in itertools.product(PRECISIONS, TORCH_WAYS if visible_gpus() else ("",)):
            environment = process_environment(task.threads) | ({"TORCH_WAY": way} if way else {})
            name = " ".join(filter(None, ["torch", precision, way]))
            found.append(Entrant(name, folder / "torch_loop.py", replace(task, precision=precision), environment))
    return found


class Child:
    """A contestant's process.

    Raises:
        ContestError: it ended before it was ready.
    """

    def __init__(self, entrant: Entrant) -> None:
        self.entrant = entrant
        self._said: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115
        call = [sys.executable, "-m", "study.bench.serve", str(entrant.file), json.dumps(asdict(entrant.task))]
        environment = {**os.environ, **entrant.environment}
        self._process = subprocess.Popen(
            call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True, env=environment
        )
        self.greeting = self._answer()

    def ask(self, **what: Any) -> dict[str, Any]:
        """Return the answer to a line of JSON.

        Raises:
            ContestError: the process has ended.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # an ended process has no answer, which says more
            print(json.dumps(what), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.end()
            raise ContestError(f"{self.entrant.name} ended with code {self._process.returncode}: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = [line.strip() for line in self._said if line.strip()]
        return lines[-1] if lines else "it said nothing"

    def end(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def children(entrants: Sequence[Entrant], failed: Callable[[str], None]) -> Iterator[list[Child]]:
    """Start a process for every entrant, one after the other, and end them all; who cannot start is left out."""
    found: list[Child] = []
    try:
        for entrant in entrants:
            try:
                found.append(Child(entrant))
            except ContestError as error:
                failed(str(error))
        yield found
    finally:
        for child in found:
            child.end()


def take_turns(
    contestants: list[Child], measures: Sequence[str], rounds: int, seconds: float, failed: Callable[[str], None]
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Let the contestants measure in turns, A B A B, and return their answers by name and measure, one a round.

    Each round has a turn of every measure, so that a machine which becomes slower or faster is no difference between
    measures either. Each contestant has warmed up before its first turn. One that ends is taken out of the list and of
    what is returned, and ``failed`` is told why.
    """
    found: dict[str, dict[str, list[dict[str, Any]]]]
    found = {child.entrant.name: {measure: [] for measure in measures} for child in contestants}
    for _, measure in itertools.product(range(rounds), measures):
        for child in list(contestants):
            try:
                found[child.entrant.name][measure].append(child.ask(measure=measure, seconds=seconds))
            except ContestError as error:
                failed(str(error))
                contestants.remove(child)
                del found[child.entrant.name]
    return found
