"""One table: raw values for CSV and words for Markdown from the same rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from study.analysis.leaderboard import Spread
from study.analysis.scores import Statement
from study.core.record import rounded
from study.report.wording import escape

if TYPE_CHECKING:
    import pandas


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


#: The first two columns of most tables.
RECIPE = (Column("model", "model", right=False), Column("protocol", "protocol", right=False))


def hidden(*keys: str) -> list[Column]:
    """Return columns that the CSV alone has."""
    return [Column(key, "") for key in keys]


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

    def frame(self) -> pandas.DataFrame:
        """Return what ``csv`` writes as a DataFrame, not rounded."""
        import pandas

        return pandas.DataFrame(
            self._raw(), columns=None if self.rows else [one.key for one in self.columns if one.key]
        )

    def csv(self) -> str:
        """Return CSV with six significant digits; means bring their deviation and statements their interval.

        The keys of the runs behind a row stand in its column ``runs``, separated by blanks.
        """
        import pandas

        frame = pandas.DataFrame(rounded(self._raw()), dtype=object)
        if frame.empty:
            frame = self.frame()
        return str(frame.to_csv(index=False, lineterminator="\n"))

    def _raw(self) -> list[dict[str, Any]]:
        return [
            {
                name: cell
                for column, value in zip(self.columns, row, strict=True)
                for name, cell in _cells(column, value)
            }
            for row in self.rows
        ]


def _cells(column: Column, value: Any) -> list[tuple[str, Any]]:
    """Return the CSV cells of one value by name."""
    key = column.key
    if not key:
        return []
    if isinstance(value, Spread):
        return [(key, value.mean), (f"{key}_sd", value.deviation)]
    if isinstance(value, Statement):
        return [
            (key, value.value),
            (f"{key}_low", value.low),
            (f"{key}_high", value.high),
        ]
    if key == "runs" and isinstance(value, tuple):
        return [(key, " ".join(value))]
    return [(key, value)]
