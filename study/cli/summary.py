"""What ends a grid: the ranked table, in 80 columns, what its marks mean, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from study.core.record import Record
from study.core.store import Store

#: Columns that a terminal has at least.
WIDTH = 80
#: Names longer than their column are cut here.
CUT = "…"


def ranked_table(store: Store, records: Sequence[Record]) -> list[str]:
    """Return the table's lines for the done records of a grid, and what its marks mean; empty without any.

    Recipes without a rank, such as leaky ones, follow those that have one.
    """
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
    standings = leaderboard(scored_runs(store, done), name_records(done))
    rows = [("", "model", "protocol", "seeds", "validation", "test", "time")]
    for standing in standings:
        converged = all(run.converged for run in standing.runs)
        rows.append(
            (
                f"{'*' if standing.rank == 1 else ' '} {standing.rank or '-'}",
                standing.recipe.model,
                standing.recipe.protocol,
                str(len(standing.runs)),
                percent(standing.measures["validation_accuracy"]) + (" " if converged else "†"),
                percent(standing.measures["test_accuracy"]),
                duration(standing.measures["train_s"].mean or 0.0),
            )
        )
    marks = "".join(row[0][:1] + row[4][-1:] for row in rows[1:])
    notes = ["* best on the validation split"] if "*" in marks else []
    notes += ["† not converged: its best epoch was the last, so longer training may help"] if "†" in marks else []
    unranked = any(standing.rank is None for standing in standings)
    notes += ["- not ranked: leaky, hardly trained, or on other images (see the report)"] if unranked else []
    return ["", *_fitted(rows), "", "Accuracy in %, mean ± deviation over seeds; time to train a run.", *notes, ""]


def next_commands(store: Store, page: Path) -> list[str]:
    """Return what to look at and what to type next."""
    places = [] if store.results == Path("results") else ["--results", str(store.results)]
    study = [] if store.study == store.title else [store.study]
    option = ["--study", store.study] if study else []
    commands = {
        shlex.join(["study", "web", *study, *places]): "look at it in a browser",
        shlex.join(["study", "predict", "--image", "photo.jpg", *option, *places]): "find the emotions in a picture",
    }
    width = max(map(len, commands))
    html = page.with_name("report.html")
    lines = [f"Report: {page}", *([f"        {html} (one file, for a browser)"] if html.is_file() else [])]
    return [*lines, "Next:", *(f"  {command:{width}}  {what}" for command, what in commands.items())]


def _fitted(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows in columns two apart; the two columns of names are cut where the lines would be too long."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    spare = WIDTH - sum(widths) - 2 * (len(widths) - 1)
    for column in (2, 1):
        cut = max(0, min(-spare, widths[column] - 8))
        widths[column] -= cut
        spare += cut
    lines = []
    for row in rows:
        cells = [
            cell if len(cell) <= width else cell[: width - 1] + CUT for cell, width in zip(row, widths, strict=True)
        ]
        padded = [
            cell.ljust(width) if place < 3 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    return lines
