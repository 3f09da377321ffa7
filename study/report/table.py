"""One table: raw values for CSV and words for Markdown from the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from study.analysis.leaderboard import Spread
from study.analysis.runs import ScoredRun
from study.analysis.scores import Statement
from study.core.record import rounded
from study.report.wording import NOTHING, escape

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Column:
    """One column."""

    key: str  #: Name in the CSV; empty leaves the column out of it.
    title: str = ""  #: Heading in Markdown; empty leaves the column out of it.
    show: Callable[[Any], str] = escape  #: Writes a value in Markdown; None is a dash.
    right: bool = True  #: Aligned right (numbers) or left (words).
    #: What a row of ``Table.of`` shows of its item: a function of it, or its attribute of this name, or of the name
    #: ``key``. A dotted name is an attribute of an attribute, None where the first is None.
    value: Callable[[Any], Any] | str = ""

    def cell(self, item: Any) -> Any:
        """Return the cell of an item."""
        if callable(self.value):
            return self.value(item)
        for name in (self.value or self.key).split("."):
            item = None if item is None else getattr(item, name)
        return item


def hidden(*keys: str) -> list[Column]:
    """Return columns that the CSV alone has."""
    return [Column(key) for key in keys]


def text_columns(*names: str) -> list[Column]:
    """Return columns of words that the CSV and the page call the same."""
    return [Column(name, name, right=False) for name in names]


def recipe_columns(recipe: str = "recipe") -> list[Column]:
    """Return the first two columns of most tables; ``recipe`` names the attribute that holds the recipe."""
    return [Column(name, name, right=False, value=f"{recipe}.{name}") for name in ("model", "protocol")]


def keys_of(runs: Iterable[ScoredRun]) -> tuple[str, ...]:
    """Return the keys of runs, for the column ``runs``."""
    return tuple(run.record.key for run in runs)


RECIPE = recipe_columns()
#: The last column of most tables, where rows are about standings.
RUNS = Column("runs", value=lambda one: keys_of(one.runs))


@dataclass(frozen=True)
class Table:
    """Columns and rows; ``name`` is the CSV's path below ``tables/`` without ending, or empty for no CSV."""

    name: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, columns: Sequence[Column], items: Iterable[Any]) -> Table:
        """Return a table with a row for each item, whose cells the columns take from it."""
        return cls(name, columns, [[column.cell(item) for column in columns] for item in items])

    def markdown(self) -> str:
        """Return a GitHub table."""
        from tabulate import tabulate

        shown = [(place, column) for place, column in enumerate(self.columns) if column.title]
        return tabulate(
            [
                [NOTHING if row[place] is None else column.show(row[place]) for place, column in shown]
                for row in self.rows
            ],
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
        return [(key, value.value), (f"{key}_low", value.low), (f"{key}_high", value.high)]
    if key == "runs" and isinstance(value, tuple):
        return [(key, " ".join(value))]
    return [(key, value)]
