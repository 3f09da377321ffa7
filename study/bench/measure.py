"""Measure: the parts of the bench, each returning the JSON data that the report is made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from study.bench.contest import Child, children, take_turns
from study.bench.entrants import ours, peers, without, yardstick
from study.bench.task import Task
from study.bench.tricks import TRICKS
from study.training.precision import PRECISIONS

Say = Callable[[str], None]
#: What every contestant of a model does in each round, in this order.
MEASURES = ("train", "predict", "train_augmented")


def measure_peak(rounds: int, seconds: float, threads: int, say: Say) -> dict[str, Any]:
    """Return floating-point operations per second of a large convolution, by precision, one number a round."""
    entrants = [yardstick(precision, threads) for precision in PRECISIONS]
    with children(entrants, say) as contestants:
        turns = take_turns(contestants, ["convolve"], rounds, seconds, say)
    return {name: [_rate(answer) for answer in answers["convolve"]] for name, answers in turns.items()}


def measure_model(
    task: Task, precisions: Sequence[str], with_peers: bool, rounds: int, seconds: float, say: Say
) -> dict[str, Any]:
    """Return what one model's contestants did, by name: rates a round, losses, memory, size."""
    entrants = [ours(replace(task, precision=precision)) for precision in precisions]
    entrants += peers(task) if with_peers else []
    with children(entrants, say) as contestants:
        about = {
            child.entrant.name: {**child.greeting, "precision": child.entrant.task.precision} for child in contestants
        }
        say(f"  {task.model}: {', '.join(about)}")
        turns = take_turns(contestants, MEASURES, rounds, seconds, say)
    found: dict[str, dict[str, Any]] = {}
    for name, answers in turns.items():
        # What a plain run needs: in the first round nothing was augmented before.
        found[name] = {**about[name], "memory_mb": answers["predict"][0]["memory_mb"]}
        for measure in MEASURES:
            found[name][measure] = [_rate(answer) for answer in answers[measure]]
            found[name][f"{measure}_busy_cores"] = [one["cpu_s"] / one["seconds"] for one in answers[measure]]
    return found


def measure_tricks(task: Task, rounds: int, seconds: float, say: Say) -> list[dict[str, Any]]:
    """Return for each trick that is measured on the task's model the rates with and without it, a round each."""
    found = []
    chosen = [trick for trick in TRICKS if task.model in trick.models]
    with children([ours(task), *(without(trick, task) for trick in chosen)], say) as contestants:
        for measure in sorted({trick.measure for trick in chosen}):
            here = [trick for trick in chosen if trick.measure == measure]
            names = {f"without {trick.name}": trick for trick in here}
            taking: list[Child] = [c for c in contestants if c.entrant.name in names or not c.entrant.task.without]
            say(f"  {task.model}: {measure.replace('_', ' ')}, with and {', '.join(names)}")
            turns = take_turns(taking, [measure], rounds, seconds, say)
            rates = {name: [_rate(answer) for answer in answers[measure]] for name, answers in turns.items()}
            whole = rates.pop(f"study {task.precision}", None)
            for name, rate in rates.items():
                if whole:
                    trick = names[name]
                    about = {"trick": trick.name, "model": task.model, "measure": measure}
                    found.append({**about, "with": whole, "without": rate})
    return found


def _rate(answer: dict[str, Any]) -> float:
    return float(answer["images"]) / float(answer["seconds"])
