"""One table: raw values for CSV and words for Markdown from the same rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from study.analysis.leaderboard import Spread
from study.record import rounded
from study.report.wording import escape


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        key: Name in the CSV; empty leaves the column out of it.
        title: Heading in Markdown; empty leaves the column out of it.
        show: Writes a value in Markdown.
        right: Aligned right (numbers) or left (words).
    """

    key: str
    title: str
    show: Callable[[Any], str] = escape
    right: bool = True


@dataclass(frozen=True)
class Table:
    """Columns and rows; ``name`` is the CSV's path below ``tables/`` without ending, or empty for no CSV."""

    name: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]] = field(default_factory=list)

    def markdown(self) -> str:
        """Return a GitHub table."""
        from tabulate import tabulate

        shown = [(place, column) for place, column in enumerate(self.columns) if column.title]
        return tabulate(
            [[column.show(row[place]) for place, column in shown] for row in self.rows],
            headers=[column.title for _, column in shown],
            tablefmt="pipe",
            colalign=["right" if column.right else "left" for _, column in shown] if self.rows else None,
            disable_numparse=True,
        )

    def csv(self) -> str:
        """Return CSV with unrounded names, six significant digits and a deviation column beside every mean."""
        kept = [(place, column) for place, column in enumerate(self.columns) if column.key]
        spreads = {place for place, _ in kept if any(isinstance(row[place], Spread) for row in self.rows)}
        header: list[str] = []
        for place, column in kept:
            header += [column.key, f"{column.key}_sd"] if place in spreads else [column.key]
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(header)
        for row in self.rows:
            cells: list[Any] = []
            for place, _ in kept:
                value = row[place]
                cells += [value.mean, value.deviation] if isinstance(value, Spread) else [value]
            writer.writerow(["" if cell is None else cell for cell in rounded(cells)])
        return buffer.getvalue()
