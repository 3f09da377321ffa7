"""What is logged of a run: a pure function of its record."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from study.analysis.runs import ScoredRun, score_run
from study.core.record import Record
from study.report.wording import escape, percent

CURVES = ("loss", "accuracy", "validation_loss", "validation_accuracy", "rate")
_TIMINGS = ("train_s", "wall_s", "train_images_per_s")
_COSTS = ("parameters", "macs", "latency_single_ms", "peak_memory_mb")


@dataclass(frozen=True)
class Point:
    """One value of a curve."""

    epoch: int  #: 0-based, over all phases.
    value: float  #: The value.
    time_s: float  #: When, in seconds since 1970, as far as the record tells.


@dataclass(frozen=True)
class Content:
    """What is logged of one finished run."""

    key: str  #: Run key.
    version: str  #: Changes when the run is done again: the hash of its predictions.
    params: Mapping[str, str]  #: What was run, flat, in words.
    metrics: Mapping[str, float]  #: Scores (shares, 0..1), timings and costs by name.
    curves: Mapping[str, tuple[Point, ...]]  #: By name of ``CURVES``.
    report: str  #: The run in Markdown: scores, classes, what to know.
    start_s: float  #: When it started, in seconds since 1970; 0 where the record does not say.
    end_s: float  #: When it ended.


def content_of(record: Record) -> Content:
    """Return what is logged of a done record with its arrays.

    Raises:
        StoreError: its predictions do not fit its labels.
    """
    run = score_run(record)
    start = 0.0
    with contextlib.suppress(ValueError):
        start = datetime.fromisoformat(record.provenance.started).timestamp()
    return Content(
        key=record.key,
        version=record.predictions_sha256,
        params=flat(record.spec.to_json()),
        metrics=_metrics(run),
        curves=_curves(record, start),
        report=run_report(run),
        start_s=start,
        end_s=start + float(record.timing.wall_s or 0.0),
    )


def flat(data: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Return nested JSON data as one level of words: ``protocol.phases.0.updates``."""
    found: dict[str, str] = {}
    for name, value in data.items():
        if isinstance(value, list):
            value = {str(place): item for place, item in enumerate(value)} or ""
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = str(value)
    return found


def run_report(run: ScoredRun) -> str:
    """Return a run in Markdown."""
    record, test = run.record, run.test
    parts = [f"# {escape(record.key)}"]
    if record.dataset.drawn:
        parts.append("**The faces are drawn, not photographed: these numbers say nothing about people.**")
    if record.leaky:
        parts.append("**Leaky: it saw or chose on test images on purpose, and is never ranked.**")
    splits = [
        (split, *map(percent, (scores.accuracy, scores.macro_f1, scores.balanced_accuracy)))
        for split, scores in (("validation", run.validation), ("test", test))
    ]
    rows = zip(record.dataset.classes, test.precision, test.recall, test.f1, test.support, strict=True)
    classes = [(escape(name), *map(percent, shares), int(images)) for name, *shares, images in rows]
    return "\n\n".join(
        [
            *parts,
            _table(("split", "accuracy", "macro-F1", "balanced accuracy"), splits),
            "Test split, in percent:",
            _table(("class", "precision", "recall", "F1", "images"), classes),
            "",
        ]
    )


def _table(head: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> str:
    from tabulate import tabulate

    return tabulate(rows, head, "pipe", disable_numparse=True, colalign=("left", *["right"] * (len(head) - 1)))


def _metrics(run: ScoredRun) -> dict[str, float]:
    record, classes = run.record, run.record.dataset.classes
    found: dict[str, Any] = {}
    for split, scores in (("validation", run.validation), ("test", run.test)):
        found |= {
            f"{split}_{name}": getattr(scores, name)
            for name in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
        }
    found |= {f"test_recall_{place}_{name}": run.test.recall[place] for place, name in enumerate(classes)}
    found |= {name: getattr(record.timing, name) for name in _TIMINGS}
    found |= {name: getattr(record.cost, name) for name in _COSTS}
    found["best_epoch"] = record.outcome.best_epoch if record.outcome else None
    return {name: float(value) for name, value in found.items() if value is not None and value == value}


def _curves(record: Record, start_s: float) -> dict[str, tuple[Point, ...]]:
    times = itertools.accumulate((row.train_s + row.validation_s for row in record.history), initial=start_s)
    ends = list(times)[1:]
    curves = {
        name: tuple(
            Point(row.epoch, float(getattr(row, name)), time_s)
            for row, time_s in zip(record.history, ends, strict=True)
            if getattr(row, name) is not None
        )
        for name in CURVES
    }
    return {name: points for name, points in curves.items() if points}
