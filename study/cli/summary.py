"""The ranked table that ends a grid: recipes by validation accuracy, with the test accuracy beside it."""

from __future__ import annotations

from collections.abc import Sequence

from study.core.record import Record
from study.core.store import Store


def ranked_table(store: Store, records: Sequence[Record]) -> list[str]:
    """Return the table's lines for the done records of a grid; empty without any.

    Leaky recipes follow without a rank.
    """
    from tabulate import tabulate

    from study.analysis.leaderboard import Spread, leaderboard
    from study.analysis.recipes import name_records
    from study.analysis.runs import scored_runs
    from study.planning.plan import duration

    def percent(spread: Spread) -> str:
        if spread.mean is None:
            return "-"
        deviation = f" ± {100 * spread.deviation:.1f}" if spread.deviation is not None else ""
        return f"{100 * spread.mean:.1f}{deviation}"

    done = [record for record in records if record.status == "done"]
    if not done:
        return []
    rows = [
        (
            standing.rank or "-",
            standing.recipe.model,
            standing.recipe.protocol,
            len(standing.runs),
            percent(standing.measures["validation_accuracy"]),
            percent(standing.measures["test_accuracy"]),
            percent(standing.measures["test_macro_f1"]),
            duration(standing.measures["train_s"].mean or 0.0),
        )
        for standing in leaderboard(scored_runs(store, done), name_records(done))
    ]
    heads = ("rank", "model", "protocol", "seeds", "validation %", "test %", "test macro-F1 %", "training")
    sides = ("right", "left", "left", *["right"] * (len(heads) - 3))
    return tabulate(rows, heads, colalign=sides, disable_numparse=True).splitlines()
