"""The leaderboard's rows: made, filtered and sorted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from study.analysis.leaderboard import Standing
from study.analysis.recipes import is_leaky
from study.analysis.scores import RECIPE
from study.report.collect import StudyData
from study.web.overview import all_standings, ends

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
    """Return the rows that fit, in their order.

    Args:
        rows: The rows.
        models: Names of models; empty for all.
        protocols: Names of protocols; empty for all.
        kinds: Of ``RANKED``, ``LEAKY``, ``IMPORTED``, ``ELSEWHERE``, ``HARDLY``; empty for all.
        seeds: The fewest seeds.
        converged: Only recipes of which every run converged.
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


def _row(data: StudyData, standing: Standing) -> Row:
    def mean(name: str, scale: float = 1.0) -> float | None:
        found = standing.measures[name].mean
        return None if found is None else scale * found

    records = [run.record for run in standing.runs]
    found, late = data.found, standing.unconverged
    score = None
    if found and all(record.on_own_test for record in records):
        score = found.winner() if standing.rank == 1 else found.scores.score(standing.recipe)
    shown = score is not None and score.low == score.low
    kinds = {
        RANKED: standing.rank is not None,
        LEAKY: any(map(is_leaky, records)),
        IMPORTED: any(record.imported for record in records),
        ELSEWHERE: not all(record.on_own_test for record in records),
        HARDLY: standing.hardly_trained,
    }
    notes = [kind for kind, fits in kinds.items() if fits and kind != RANKED]
    notes += [f"not converged: {late} of {len(records)} runs"] if late else []
    worst = standing.worst_recall.mean
    return {
        "rank": standing.rank,
        "recipe": str(standing.recipe),
        "name": f"{NOT_CONVERGED if late else ''}{standing.recipe}",
        "model": standing.recipe.model,
        "protocol": standing.recipe.protocol,
        "seeds": len(standing.runs),
        "validation": mean("validation_accuracy", 100),
        "test": mean("test_accuracy", 100),
        "low": 100 * score.low if score and shown else None,
        "high": 100 * score.high if score and shown else None,
        "interval": ends(score) if score else None,
        "covers": None if not score else "new seeds and images" if score.question == RECIPE else "these networks",
        "macro_f1": mean("test_macro_f1", 100),
        "balanced": mean("test_balanced_accuracy", 100),
        "worst_class": data.classes[standing.worst_class],
        "worst_recall": None if worst is None else 100 * worst,
        "parameters": mean("parameters", 1e-6),
        "macs": mean("macs", 1e-6),
        "train_s": mean("train_s", 1 / 60),
        "latency_ms": mean("latency_single_ms"),
        "unconverged": late,
        "kinds": [kind for kind, fits in kinds.items() if fits],
        "notes": ", ".join(notes),
    }
