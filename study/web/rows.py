"""The leaderboard's rows: made, filtered and sorted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.analysis.leaderboard import Standing
from study.analysis.recipes import is_leaky
from study.web.overview import Overview

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
RANKED, LEAKY, IMPORTED, ELSEWHERE = "ranked", "leaky", "imported", "own split"


@dataclass(frozen=True)
class Filters:
    """Which rows are wanted; empty means all.

    Attributes:
        models: Names of models.
        protocols: Names of protocols.
        kinds: Of ``RANKED``, ``LEAKY``, ``IMPORTED``, ``ELSEWHERE``.
        seeds: The fewest seeds.
        converged: Only recipes of which every run converged.
    """

    models: Sequence[str] = ()
    protocols: Sequence[str] = ()
    kinds: Sequence[str] = ()
    seeds: int = 1
    converged: bool = False


def leaderboard_rows(overview: Overview) -> list[Row]:
    """Return one row a recipe, in the order of the leaderboard; scores in percent, None where there is none."""
    return [_row(overview, standing) for standing in overview.standings]


def filtered(rows: Sequence[Row], wanted: Filters) -> list[Row]:
    """Return the rows that fit, in their order."""
    return [
        row
        for row in rows
        if (not wanted.models or row["model"] in wanted.models)
        and (not wanted.protocols or row["protocol"] in wanted.protocols)
        and (not wanted.kinds or set(row["kinds"]) & set(wanted.kinds))
        and row["seeds"] >= wanted.seeds
        and not (wanted.converged and row["unconverged"])
    ]


def ordered(rows: Sequence[Row], by: str, reverse: bool = False) -> list[Row]:
    """Return the rows sorted, the best first or with ``reverse`` the worst; those without a value come last.

    Args:
        rows: The rows; equal ones keep their order.
        by: One of ``ORDERS``.
        reverse: The other way round.
    """
    key, more_is_better = ORDERS[by]
    having = [row for row in rows if row[key] is not None]
    without = [row for row in rows if row[key] is None]
    return sorted(having, key=lambda row: row[key], reverse=more_is_better != reverse) + without


def _row(overview: Overview, standing: Standing) -> Row:
    def mean(name: str, scale: float = 1.0) -> float | None:
        found = standing.measures[name].mean
        return None if found is None else scale * found

    records = [run.record for run in standing.runs]
    kinds = [RANKED] if standing.rank is not None else []
    kinds += [LEAKY] if any(map(is_leaky, records)) else []
    kinds += [IMPORTED] if any(record.imported for record in records) else []
    kinds += [ELSEWHERE] if not all(record.on_own_test for record in records) else []
    worst = standing.worst_recall.mean
    return {
        "rank": standing.rank,
        "recipe": str(standing.recipe),
        "model": standing.recipe.model,
        "protocol": standing.recipe.protocol,
        "seeds": len(standing.runs),
        "validation": mean("validation_accuracy", 100),
        "test": mean("test_accuracy", 100),
        "macro_f1": mean("test_macro_f1", 100),
        "balanced": mean("test_balanced_accuracy", 100),
        "worst_class": overview.classes[standing.worst_class],
        "worst_recall": None if worst is None else 100 * worst,
        "parameters": mean("parameters", 1e-6),
        "train_s": mean("train_s", 1 / 60),
        "latency_ms": mean("latency_single_ms"),
        "unconverged": standing.unconverged,
        "kinds": kinds,
        "notes": ", ".join(
            [kind for kind in kinds if kind != RANKED] + (["not converged"] if standing.unconverged else [])
        ),
    }
