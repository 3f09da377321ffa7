"""One study as the page has it: read and tested once as long as nothing stored changes; its leaderboard's rows."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from study.analysis.comparisons import Effect
from study.analysis.leaderboard import Spread, Standing, leaderboard
from study.analysis.recipes import is_leaky
from study.analysis.scores import RECIPE, Statement
from study.analysis.statistics import Statistics
from study.core.record import Record
from study.core.store import Store
from study.report.collect import StudyData, collect, shown_score
from study.report.sections.conclusions import models_behind
from study.report.wording import NOTHING, percent, points

Row = dict[str, Any]
#: What the rows can be sorted by: title -> key, and whether more is better.
ORDERS: Mapping[str, tuple[str, bool]] = {
    "Rank (validation accuracy)": ("rank", False),
    "Test accuracy": ("test", True),
    "Macro-F1": ("macro_f1", True),
    "Balanced accuracy": ("balanced", True),
    "Recall of the worst class": ("worst_recall", True),
    "Parameters": ("parameters", False),
    "Training time": ("train_s", False),
    "One image": ("latency_ms", False),
    "Name": ("recipe", False),
}
RANKED, LEAKY, IMPORTED, ELSEWHERE, HARDLY = "ranked", "leaky", "imported", "own split", "hardly trained"
#: Stands before the name of a recipe of which at least one run has not converged, wherever it is shown.
NOT_CONVERGED = "† "
#: What intervals cover that hold for trained networks, or for recipes.
COVERS = ("new images, not new seeds", "new seeds and new images")
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


def leaderboard_rows(data: StudyData) -> list[Row]:
    """Return one row a recipe, in the order of the leaderboard; scores in percent, None where there is none."""
    return [_row(data, standing) for standing in all_standings(data)]


def filtered(
    rows: Sequence[Row],
    models: Sequence[str] = (),
    protocols: Sequence[str] = (),
    kinds: Sequence[str] = (),
    seeds: int = 1,
    converged: bool = False,
) -> list[Row]:
    """Return the rows that fit, in their order: with at least so many ``seeds``, with ``converged`` those alone.

    Where no models, protocols or kinds (``RANKED``, ``LEAKY``, ...) are given, all fit.
    """
    return [
        row
        for row in rows
        if (not models or row["model"] in models)
        and (not protocols or row["protocol"] in protocols)
        and (not kinds or set(row["kinds"]) & set(kinds))
        and row["seeds"] >= seeds
        and not (converged and row["unconverged"])
    ]


def ordered(rows: Sequence[Row], by: str, reverse: bool = False) -> list[Row]:
    """Return the rows by one of ``ORDERS``, best first or with ``reverse`` worst first; those without one last."""
    key, more_is_better = ORDERS[by]
    having = [row for row in rows if row[key] is not None]
    without = [row for row in rows if row[key] is None]
    return sorted(having, key=lambda row: row[key], reverse=more_is_better != reverse) + without


def _row(data: StudyData, standing: Standing) -> Row:
    def mean(spread: Spread, scale: float = 1.0) -> float | None:
        return None if spread.mean is None else scale * spread.mean

    measures = standing.measures
    records = [run.record for run in standing.runs]
    found, late = data.found, standing.unconverged
    own = all(record.on_own_test for record in records)
    score = shown_score(found, standing) if found and own else None
    shown = score is not None and score.low == score.low
    kinds = {
        RANKED: standing.rank is not None,
        LEAKY: any(map(is_leaky, records)),
        IMPORTED: any(record.imported for record in records),
        ELSEWHERE: not own,
        HARDLY: standing.hardly_trained,
    }
    notes = [kind for kind, fits in kinds.items() if fits and kind != RANKED]
    notes += [f"not converged: {late} of {len(records)} runs"] if late else []
    return {
        "rank": standing.rank,
        "recipe": str(standing.recipe),
        "name": f"{NOT_CONVERGED if late else ''}{standing.recipe}",
        "model": standing.recipe.model,
        "protocol": standing.recipe.protocol,
        "seeds": len(standing.runs),
        "validation": mean(measures["validation_accuracy"], 100),
        "test": 100 * score.value if score else mean(measures["test_accuracy"], 100),
        "low": 100 * score.low if score and shown else None,
        "high": 100 * score.high if score and shown else None,
        "interval": ends(score) if score else None,
        "covers": None if not score else COVERS[score.question == RECIPE],
        "macro_f1": mean(measures["test_macro_f1"], 100),
        "balanced": mean(measures["test_balanced_accuracy"], 100),
        "worst_class": data.classes[standing.worst_class],
        "worst_recall": mean(standing.worst_recall, 100),
        "parameters": mean(measures["parameters"], 1e-6),
        "macs": mean(measures["macs"], 1e-6),
        "train_s": mean(measures["train_s"], 1 / 60),
        "latency_ms": mean(measures["latency_single_ms"]),
        "unconverged": late,
        "kinds": [kind for kind, fits in kinds.items() if fits],
        "notes": ", ".join(notes),
    }


def factor_changes(data: StudyData) -> list[tuple[str, str, bool]]:
    """Return what each factor that was varied does to test accuracy over the models that ran it both ways.

    A factor has its name (with the models, where they are not all), the change in points with its 95 % interval, and
    whether that is significant (Holm).
    """
    if not data.found:
        return []
    return [
        (
            factor_name(data.found, one),
            f"{points(one.difference.value)} points ({ends(one.difference, points)})",
            one.told_apart,
        )
        for one in data.found.effects.overall["accuracy"]
    ]


def factor_name(found: Statistics, one: Effect) -> str:
    """Name an effect's factor, with its model or with the models behind it where they are not all."""
    models = one.contrast.model or models_behind(found, found.effects, one)
    return f"{one.contrast.factor} in {models}" if models else one.contrast.factor


def ends(score: Statement, show: Callable[[float], str] = percent) -> str:
    """Write an interval; a dash where the data support none."""
    return f"{show(score.low)} to {show(score.high)}" if score.low == score.low else NOTHING
