"""The display of a grid that runs: a calm Rich panel on a terminal, one plain line a finished run elsewhere."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from study.core.record import Record
from study.core.spec import Spec
from study.planning.plan import PlannedRun, duration

#: Bars of runs that a terminal has room for; a cluster may have a thousand going on.
MOST_BARS = 12


class Remaining:
    """Estimate what is left from the plan's estimates and how well they have held so far; ``now`` is in seconds."""

    def __init__(self, runs: Sequence[PlannedRun], now: float) -> None:
        self._estimates = {run.spec.key: max(run.estimate_s, 0.1) for run in runs}
        self._shares = dict.fromkeys(self._estimates, 0.0)
        self._earlier: dict[str, float] = {}
        self._start = now
        # Kept up to date instead of added up anew at each of the many events of a large grid.
        self._total = sum(self._estimates.values())
        self._done = self._given = 0.0

    def resume(self, key: str, share: float) -> None:
        """Take the share (0..1) of a run that an earlier process did, once: it says nothing about the pace."""
        if key not in self._earlier:
            self._earlier[key] = share
            self._given += self._estimates[key] * share
            self.progress(key, share)

    def progress(self, key: str, share: float) -> None:
        """Take the share (0..1) of a run that is done."""
        gained = max(0.0, min(share, 1.0) - self._shares[key])
        self._shares[key] += gained
        self._done += self._estimates[key] * gained

    def estimate(self, seconds: Mapping[str, float]) -> None:
        """Take better estimates of all runs, by their keys."""
        self._estimates = {key: max(seconds[key], 0.1) for key in self._estimates}
        self._total = sum(self._estimates.values())
        self._done = sum(self._estimates[key] * share for key, share in self._shares.items())
        self._given = sum(self._estimates[key] * share for key, share in self._earlier.items())

    @property
    def share(self) -> float:
        """Share of the whole work that is done, 0..1."""
        return min(self._done / self._total, 1.0) if self._total else 1.0

    def seconds(self, now: float) -> float:
        """Return about how many seconds are left; the plan's own estimate at first, the measured pace later."""
        elapsed, left, done = now - self._start, max(self._total - self._done, 0.0), self._done - self._given
        if done <= 0:
            return max(left - elapsed, 0.0)
        paced = elapsed * left / done
        trust = min(1.0, 5 * done / (left + done))
        return trust * paced + (1 - trust) * left


class PlainDisplay:
    """Lines for logs: one for every finished run, and in long ones about one a minute."""

    LINE_EVERY_S = 60.0

    def __init__(self, runs: Sequence[PlannedRun], out: TextIO | None = None) -> None:
        self.total = len(runs)
        self.finished = 0
        self.remaining = Remaining(runs, time.monotonic())
        self._updates = {run.spec.key: max(run.spec.protocol.updates, 1) for run in runs}
        self._out = out or sys.stdout
        self._waited_for: tuple[object, ...] = ()
        self._places: dict[str, str] = {}
        self._said = time.monotonic()

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def on_event(self, spec: Spec, event: Mapping[str, Any]) -> None:
        """Take an event of a run that is going on."""
        name = run_name(spec)
        if event["kind"] == "start":
            self._places[spec.key] = event.get("node", "")
        elif event["kind"] == "epoch":
            # Predictions at the end take a while too, so a run is never full before its record is there.
            share = 0.95 * event["row"]["updates"] / self._updates[spec.key]
            # A fresh run's first event is of epoch 0.
            self.remaining.resume(spec.key, share * event["epoch"] / (event["epoch"] + 1))
            self.remaining.progress(spec.key, share)
            if time.monotonic() - self._said >= self.LINE_EVERY_S:
                accuracy = event["row"]["validation_accuracy"]
                epoch = f"epoch {event['epoch'] + 1} of at most {event['epochs']}"
                self.line(f"{name}: {epoch}, validation {accuracy:.1%}; {self.to_go}")
        elif event["kind"] == "note":
            self.line(f"{name}: {event['text']}")
        elif event["kind"] == "stopped":
            self._places.pop(spec.key, None)
            self.line(f"{name}: stopped at an epoch's end, the time is up")

    def on_record(self, record: Record, elsewhere: bool = False) -> None:
        """Take the record of a run that has ended, here or in another driver."""
        self.finished += 1
        self._places.pop(record.key, None)
        self.remaining.progress(record.key, 1.0)
        self.line(self._summary(record) + (" (by another driver)" if elsewhere else ""))

    def on_waiting(self, runs: int, owners: Sequence[str]) -> None:
        """Take that only runs are left which other drivers are at; it is said once for the same ones."""
        if (runs, *owners) != self._waited_for:
            self._waited_for = (runs, *owners)
            left = "the last run" if runs == 1 else f"the last {runs} runs"
            self.line(f"Waiting for {left}, which {' and '.join(owners) or 'another driver'} is at")

    @property
    def in_flight(self) -> str:
        """How many runs are going on, and on how many nodes, where they have nodes; empty where there is only one."""
        nodes = set(self._places.values()) - {""}
        runs = f"{len(self._places)} running" if len(self._places) > 1 or nodes else ""
        return runs + (f" on {len(nodes)} node{'s' if len(nodes) > 1 else ''}" if nodes else "")

    @property
    def to_go(self) -> str:
        """How long the rest takes from now on."""
        return f"about {duration(self.remaining.seconds(time.monotonic()))} to go"

    def line(self, text: str) -> None:
        """Print one line."""
        print(text, file=self._out, flush=True)
        self._said = time.monotonic()

    def _summary(self, record: Record) -> str:
        head = f"[{self.finished:{len(str(self.total))}d}/{self.total}] {run_name(record.spec)}"
        if record.status != "done":
            return f"{head}: {record.status} - {record.reason}"
        parts = []
        if best := record.best:
            epochs = f"best epoch {best.epoch + 1} of {len(record.history)}"
            parts += [f"validation {best.validation_accuracy:.1%}", epochs]
        parts += [duration(record.timing.wall_s)] if record.timing.wall_s is not None else []
        nodes = f", {self.in_flight}" if any(self._places.values()) else ""
        return f"{head}: {', '.join(parts)}" + (f"; {self.to_go}{nodes}" if self.finished < self.total else "")


class RichDisplay(PlainDisplay):
    """One overall bar with the time left, one for each of the first runs going on, finished runs as lines above."""

    LINE_EVERY_S = math.inf  # its bars say it

    def __init__(self, runs: Sequence[PlannedRun]) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        super().__init__(runs)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28, style="grey37", complete_style="cyan", finished_style="cyan"),
            TextColumn("{task.fields[note]}"),
            refresh_per_second=2,
            transient=True,
        )
        self._overall = self._progress.add_task("all runs", total=1.0, note=self)
        self._tasks: dict[str, Any] = {}

    def __str__(self) -> str:
        """Return the note of the overall bar, asked for whenever it is drawn: time passes between events too."""
        running = f", {self.in_flight}" if self.in_flight else ""
        return f"{self.finished} of {self.total}{running}, {self.to_go}"

    def __enter__(self) -> RichDisplay:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def on_event(self, spec: Spec, event: Mapping[str, Any]) -> None:
        """Take an event of a run that is going on."""
        super().on_event(spec, event)
        self._progress.update(self._overall, completed=self.remaining.share)
        if spec.key not in self._tasks and len(self._tasks) < MOST_BARS:
            self._tasks[spec.key] = self._progress.add_task(run_name(spec), total=None, note="starting")
        task = self._tasks.get(spec.key)
        if task is None:
            return
        if event["kind"] == "phase":
            self._progress.update(task, total=max(event["epochs"], 1), note=f"phase {event['phase']}")
        elif event["kind"] == "epoch":
            done = event["epoch"] + 1
            note = f"epoch {done} of at most {event['epochs']}, best so far {event['best']:.1%}"
            self._progress.update(task, completed=done, total=max(event["epochs"], done), note=note)
        elif event["kind"] == "predict":
            self._progress.update(task, note="predicting")
        elif event["kind"] == "stopped":
            self._progress.remove_task(self._tasks.pop(spec.key))

    def on_record(self, record: Record, elsewhere: bool = False) -> None:
        """Take the record of a run that has ended, here or in another driver."""
        if (task := self._tasks.pop(record.key, None)) is not None:
            self._progress.remove_task(task)
        super().on_record(record, elsewhere)
        self._progress.update(self._overall, completed=self.remaining.share)

    def line(self, text: str) -> None:
        """Print one line above the bars."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)


def make_display(runs: Sequence[PlannedRun]) -> PlainDisplay:
    """Return the display that fits the output: bars on a terminal, lines elsewhere."""
    # A notebook's `!command` has a terminal that keeps every cursor movement as text.
    live = sys.stdout.isatty() and "JPY_PARENT_PID" not in os.environ
    return RichDisplay(runs) if live else PlainDisplay(runs)


def run_name(spec: Spec) -> str:
    """Return what a run is called in lines and bars."""
    return f"{spec.model.name} {spec.protocol.name} seed {spec.seed}"
