"""One study as the page has it: the report's data, read and tested once as long as nothing stored changes."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass

from study.analysis.leaderboard import Standing, leaderboard
from study.analysis.scores import RECIPE, Statement
from study.core.record import Record
from study.core.store import Store
from study.report.collect import StudyData, collect
from study.report.wording import NOTHING, percent, points

_ONE_AT_A_TIME = threading.Lock()


def current_study(results: str, study: str) -> StudyData:
    """Return a study's data.

    Raises:
        StoreError: it has no records, or none that can be read.
    """
    with _ONE_AT_A_TIME:  # two who look at once wait for one reading
        return _study(results, study, freshness(Store(results, study)))


@functools.lru_cache(maxsize=8)
def _study(results: str, study: str, fresh: tuple[tuple[str, int, int], ...]) -> StudyData:
    return collect(Store(results, study))


def freshness(store: Store) -> tuple[tuple[str, int, int], ...]:
    """Return what changes whenever something stored does: names, times and sizes of the study's files."""
    files = [*store.folder.rglob("seed_*.json"), *store.folder.glob("*.npz")]
    stats = [(path.relative_to(store.folder).as_posix(), path.stat()) for path in sorted(files)]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def all_standings(data: StudyData) -> list[Standing]:
    """Return the leaderboard and, never ranked, the recipes that were scored on another split."""
    return [*data.standings, *leaderboard(data.elsewhere, data.naming)]


def run_label(data: StudyData, record: Record) -> str:
    """Return how a run is named on the page: recipe, seed, and whether it has not converged."""
    late = record.outcome is not None and not record.outcome.converged and not record.imported
    return f"{data.recipe(record)}, seed {record.spec.seed}" + (", not converged" if late else "")


@dataclass(frozen=True)
class Glance:
    """A study in a few numbers.

    Attributes:
        best: The best recipe on the validation split.
        validation: Its validation accuracy in percent.
        test: Its test accuracy in percent.
        interval: The 95 % interval of the test accuracy.
        covers: What the interval covers.
        runs: Number of its runs.
        unconverged: How many of them have not converged.
        factors: What each factor that was varied does to test accuracy over all models: its name, the change in points
            with its 95 % interval, and whether it is significant after Holm's correction.
    """

    best: str
    validation: str
    test: str
    interval: str
    covers: str
    runs: int
    unconverged: int
    factors: tuple[tuple[str, str, bool], ...]


def glance(data: StudyData) -> Glance | None:
    """Return a study's few numbers, or None where no run may be ranked."""
    if not data.ranked or data.found is None:
        return None
    first, score = data.ranked[0], data.found.winner()
    return Glance(
        best=str(first.recipe),
        validation=percent(first.measures["validation_accuracy"].mean),
        test=percent(score.value),
        interval=ends(score),
        covers="new seeds and new images" if score.question == RECIPE else "new images, not new seeds",
        runs=len(first.runs),
        unconverged=first.unconverged,
        factors=tuple(
            (
                one.contrast.factor,
                f"{points(one.difference.value)} points ({ends(one.difference, points)})",
                one.told_apart,
            )
            for one in data.found.effects.overall["accuracy"]
        ),
    )


def ends(score: Statement, show: Callable[[float], str] = percent) -> str:
    """Write an interval; a dash where the data support none."""
    return f"{show(score.low)} to {show(score.high)}" if score.low == score.low else NOTHING
