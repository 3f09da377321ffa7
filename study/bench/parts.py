"""The parts of a measurement, one after the other, and the file that keeps what was measured."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from study.bench import PARTS
from study.bench.contest import HERE, Child, ContestError, Entrant, children, ours, peers, take_turns
from study.bench.task import LEAST_UPDATES, Task
from study.bench.tricks import TRICKS
from study.core.environment import package_version, provenance, usable_cores
from study.core.errors import StoreError, UsageError, unknown_name
from study.core.files import read_regular, write_atomically
from study.core.record import rounded
from study.models.entry import MODELS
from study.training.backend import chosen_backend, require_backend
from study.training.device import visible_gpus
from study.training.environment import process_environment
from study.training.precision import PRECISIONS, resolve_precision

Say = Callable[[str], None]
FILE = "measured.json"
FORMAT = 1
#: Digits that are kept of a number.
DIGITS = 5
#: What every contestant of a model does in each round, in this order.
MEASURES = ("train", "predict", "train_augmented")
#: The grid of small runs: six short trainings on drawn faces, so that starting is a good part of each.
GRID = (
    *("--data", "synthetic:images=600", "--models", "cnn3", "--protocols", "baseline,augment"),
    *("--seeds", "3", "--budget", "full", "--epochs", "3"),
)
GRID_RUNS, GRID_WHAT = 6, "cnn3, two protocols, three seeds, 3 epochs of 600 drawn faces"
JOBS_LINE = re.compile(r"^Jobs: .*$", re.MULTILINE)


@dataclass(frozen=True)
class Bounds:
    """How much is measured; ``study bench --help`` says what each means."""

    models: tuple[str, ...]
    peers: bool = False
    rounds: int = 3
    seconds: float = 3.0
    side_px: int = 48
    batch: int = 64
    precision: str = "auto"
    images: int = 28709


def measure_parts(names: Sequence[str], bounds: Bounds, say: Say) -> dict[str, Any]:
    """Measure and return the parts by name, as the file keeps them.

    Raises:
        UsageError: an unknown part, model or precision, a side that a model cannot take, or a backend that is not
            installed.
        ContestError: nobody could measure a model.
    """
    for name in names:
        if name not in PARTS:
            raise unknown_name("part", name, PARTS)
    for name in bounds.models:
        entry = MODELS.get(name)
        if bounds.side_px < entry.minimum_side_px:
            raise UsageError(f"{name} takes sides from {entry.minimum_side_px} px, got {bounds.side_px}: give --side.")
    require_backend()
    chosen = resolve_precision(bounds.precision)
    precisions = list(dict.fromkeys(["float32", chosen] if bounds.precision == "auto" else [chosen]))
    torch = package_version("torch") if bounds.peers else ""
    found: dict[str, Any] = {}

    def keep(name: str, **measured: Any) -> None:
        found[name] = measured | {"made": _stamp(bounds.rounds, bounds.seconds)}

    if "peak" in names:
        say("Measuring the peak")
        keep("peak", rates=_peak(bounds, say))
    for name in bounds.models:
        task = Task(name, chosen, bounds.side_px, bounds.batch, bounds.images, threads=usable_cores())
        if "models" in names:
            say(f"Measuring {name}")
            keep(
                f"models/{name}-{bounds.side_px}px-{chosen_backend()}",
                model=name,
                side_px=bounds.side_px,
                backend=chosen_backend(),
                batch=bounds.batch,
                images=bounds.images,
                auto_precision=chosen,
                peer_versions={"torch": torch} if torch else {},
                contestants=_model(task, precisions, bounds, say),
            )
        if "tricks" in names and any(name in trick.models for trick in TRICKS):
            say(f"Measuring what tricks are worth on {name}")
            about = {trick.name: trick.what for trick in TRICKS}
            keep(f"tricks/{name}", measured=_tricks(task, bounds, say), about=about)
    if "grid" in names:
        say("Measuring a grid of small runs")
        keep("grid", **_grid(bounds.rounds, say))
    return found


def _stamp(rounds: int, seconds: float) -> dict[str, Any]:
    """Return what a part says of where and how it was measured."""
    about = provenance()
    kept = ("commit", "python", "versions", "system", "processor", "threads", "started")
    return {name: getattr(about, name) for name in kept} | {
        "processor": ", ".join([*(gpu.name for gpu in visible_gpus()), about.processor]),
        "rounds": rounds,
        "seconds": seconds,
        "least_updates": LEAST_UPDATES,
    }


def _peak(bounds: Bounds, say: Say) -> dict[str, Any]:
    """Return floating-point operations per second of a large convolution, by precision, one number a round."""
    threads = usable_cores()
    tasks = [Task("convolution", precision, images=1, threads=threads) for precision in PRECISIONS]
    entrants = [Entrant(task.precision, HERE / "peak.py", task, process_environment(threads)) for task in tasks]
    with children(entrants, say) as contestants:
        turns = take_turns(contestants, ["convolve"], bounds.rounds, bounds.seconds, say)
    return {name: [_rate(answer) for answer in answers["convolve"]] for name, answers in turns.items()}


def _model(task: Task, precisions: Sequence[str], bounds: Bounds, say: Say) -> dict[str, Any]:
    """Return what one model's contestants did, by name: rates a round, losses, memory, size."""
    entrants = [ours(replace(task, precision=precision)) for precision in precisions]
    entrants += peers(task) if bounds.peers else []
    with children(entrants, say) as contestants:
        about = {
            child.entrant.name: {**child.greeting, "precision": child.entrant.task.precision} for child in contestants
        }
        if not about:
            raise ContestError(f"Nothing could measure {task.model}: every process ended, as said above.")
        say(f"  {task.model}: {', '.join(about)}")
        turns = take_turns(contestants, MEASURES, bounds.rounds, bounds.seconds, say)
    found: dict[str, dict[str, Any]] = {}
    for name, answers in turns.items():
        # What a plain run needs: in the first round nothing was augmented before.
        found[name] = {**about[name], "memory_mb": answers["predict"][0]["memory_mb"]}
        for measure in MEASURES:
            found[name][measure] = [_rate(answer) for answer in answers[measure]]
            found[name][f"{measure}_busy_cores"] = [one["cpu_s"] / one["seconds"] for one in answers[measure]]
    return found


def _tricks(task: Task, bounds: Bounds, say: Say) -> list[dict[str, Any]]:
    """Return for each trick that is measured on the task's model the rates with and without it, a round each."""
    found = []
    chosen = [trick for trick in TRICKS if task.model in trick.models]
    with children([ours(task), *(ours(task, trick) for trick in chosen)], say) as contestants:
        for measure in sorted({trick.measure for trick in chosen}):
            here = {f"without {trick.name}": trick for trick in chosen if trick.measure == measure}
            taking: list[Child] = [c for c in contestants if c.entrant.name in here or not c.entrant.task.without]
            say(f"  {task.model}: {measure.replace('_', ' ')}, with and {', '.join(here)}")
            turns = take_turns(taking, [measure], bounds.rounds, bounds.seconds, say)
            rates = {name: [_rate(answer) for answer in answers[measure]] for name, answers in turns.items()}
            about = {"model": task.model, "measure": measure, "with": rates.pop(f"study {task.precision}", None)}
            if about["with"]:
                found += [{**about, "trick": here[name].name, "without": rate} for name, rate in rates.items()]
    return found


def _rate(answer: dict[str, Any]) -> float:
    return float(answer["images"]) / float(answer["seconds"])


def _grid(rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Run the grid in both ways in turns and return the seconds of each."""
    times: dict[str, list[float]] = {"1": [], "auto": []}
    choice = ""
    with tempfile.TemporaryDirectory(prefix="study-bench-") as folder:
        for number in range(rounds):
            for jobs, spent in times.items():
                say(f"  grid: --jobs {jobs}, round {number + 1} of {rounds}")
                places = ["--results", str(Path(folder, f"{jobs}{number}")), "--reports", str(Path(folder, "reports"))]
                call = [sys.executable, "-m", "study.run", *GRID, *places, "--jobs", jobs]
                start = time.perf_counter()
                done = subprocess.run(call, capture_output=True, text=True, check=False)
                spent.append(time.perf_counter() - start)
                if done.returncode:
                    raise ContestError(f"the grid ended with code {done.returncode}: {done.stderr.strip()[-300:]}")
                if found := JOBS_LINE.search(done.stdout):
                    choice = found[0]
    seconds = {"one_by_one_s": times["1"], "auto_s": times["auto"]}
    return {"runs": GRID_RUNS, "what": GRID_WHAT, **seconds, "choice": f"{choice}."}


def read(folder: Path) -> dict[str, Any]:
    """Return the parts in a folder of reports, by name; none where nothing was measured yet.

    Raises:
        StoreError: the file cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        content = json.loads(read_regular(path, 64 << 20))
        if content["format"] != FORMAT or not isinstance(content["parts"], dict):
            raise ValueError(f"format {content['format']!r}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{path}: no measurements of the bench ({error}). Remove it and measure again.") from error
    return dict(content["parts"])


def add(folder: Path, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Put parts in place of those with their names, write the file and return all of them.

    Raises:
        StoreError: the file that is there cannot be read.
        WriteError: the folder cannot be written.
    """
    kept = read(folder) | rounded(parts, DIGITS)
    text = json.dumps({"format": FORMAT, "parts": kept}, sort_keys=True, indent=1)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / FILE, text.encode() + b"\n")
    return read(folder)
