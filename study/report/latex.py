"""Tables for papers: the leaderboard and the scores of each class as LaTeX with booktabs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import Template
from typing import Any

from study.analysis.leaderboard import Spread
from study.analysis.metric import Metric, ordered
from study.analysis.scores import NETWORK, Statement
from study.report.collect import StudyData
from study.report.table import Table
from study.report.wording import FIXED_BLANK, NOTHING, UNCONVERGED, percent, plain, whole_percent

TABLE = Template(r"""% Needs \usepackage{booktabs}. Written by study report --latex; not edited by hand.
\begin{table}
  \centering
  \caption{$caption}
  \label{tab:$label}
  \begin{tabular}{@{}$columns@{}}
    \toprule
    $heads \\
    \midrule
    $rows \\
    \bottomrule
  \end{tabular}
\end{table}
""")
_HEADS = {"rank": r"\#", "model": "Model", "protocol": "Protocol", "seeds": "Seeds"}
_MARKS = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", UNCONVERGED: r"\textdagger{}",
    NOTHING: "--", FIXED_BLANK: "~", **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}  # fmt: skip
_ALONE = r"$^{\ast}$"


def latex_tables(data: StudyData, tables: Mapping[str, Table]) -> dict[str, str]:
    """Return LaTeX text by file name, made from the report's tables by name; empty before a run has finished.

    Each metric with a heading has a column, each of classes a table.
    """
    if not data.found:
        return {}
    return {"leaderboard.tex": _leaderboard(data, tables["leaderboard"])} | {
        f"per-class-{one.name}.tex": _per_class(data, tables[f"per-class-{one.name}"], one)
        for one in ordered(lambda metric: metric.each_class)
    }


def escaped(text: Any) -> str:
    """Return text that LaTeX sets as it is, on one line."""
    return "".join(_MARKS.get(letter, letter) for letter in " ".join(str(text).split(" ")))


def _leaderboard(data: StudyData, table: Table) -> str:
    metrics = ordered(lambda one: one.on_leaderboard and bool(one.heading))
    shows = {f"test_{one.name}": percent if one.share else plain for one in metrics}
    titles = {
        one.key: one.title for one in table.columns if one.key in ("validation_accuracy", "test_accuracy", *shows)
    }
    rows = []
    for row in table.rows:
        cells = dict(zip((column.key for column in table.columns), row, strict=True))
        cells["protocol"] += FIXED_BLANK + UNCONVERGED if cells["runs_not_converged"] else ""
        named = [escaped(NOTHING if cells[key] is None else cells[key]) for key in _HEADS]
        named[2] += _mark(cells["statement_about"])
        scores = [_score(cells[key], shows.get(key, percent)) for key in titles]
        rows.append(" & ".join([*named, *scores]))
    caption = (
        "recipes ranked by accuracy on the validation split. Scores in percent on the test split "
        f"({sum(data.card.counts['test']):,} images) with 95\\,\\% intervals."
    )
    heads = [rf"\multicolumn{{1}}{{c}}{{{title[:1].upper()}{title[1:]}}}" for title in map(escaped, titles.values())]
    if any(standing.unconverged for standing in data.standings):
        caption += r" \textdagger{}~best epoch is the last one in at least one run."
    return _filled(data, table, "leaderboard", caption, [*_HEADS.values(), *heads], "rllr", rows)


def _per_class(data: StudyData, table: Table, metric: Metric) -> str:
    rows = []
    for model, protocol, question, *scores, _ in table.rows:
        values = [escaped(model), escaped(protocol) + _mark(question), *(percent(one.value) for one in scores)]
        intervals = ["", "", *(_interval(one, whole_percent) for one in scores)]
        rows.append(f"{' & '.join(values)} \\\\\n    {' & '.join(intervals)}")
    caption = (
        f"{escaped(metric.title)} of each class in percent on the test split, below it the 95\\,\\% interval; recipes "
        "in the order of the leaderboard."
    )
    heads = ["Model", "Protocol", *map(escaped, data.classes)]
    return _filled(data, table, f"per-class-{metric.name}", caption, heads, "ll", rows, gap="[2pt]")


def _filled(
    data: StudyData, table: Table, label: str, caption: str, heads: list[str], left: str, rows: list[str], gap: str = ""
) -> str:
    """Return a LaTeX table whose caption says what its intervals mean; the columns after ``left`` are aligned right."""
    place = [column.key for column in table.columns].index("statement_about")
    questions = {row[place] for row in table.rows}
    notes = [f"Study {escaped(data.study)}: {caption}"]
    if questions != {NETWORK}:
        notes.append("Intervals cover new seeds and new images.")
    if questions == {NETWORK}:
        notes.append("Intervals hold for the trained networks alone, over new images.")
    elif NETWORK in questions:
        notes.append(f"{_ALONE}~fewer than three seeds: for the trained networks alone, over new images.")
    text = TABLE.substitute(
        caption=" ".join(notes),
        label=label,
        columns=left + "r" * (len(heads) - len(left)),
        heads=" & ".join(heads),
        rows=f" \\\\{gap}\n    ".join(rows),
    )
    return text.replace("−", "$-$")


def _mark(question: str) -> str:
    return _ALONE if question == NETWORK else ""


def _score(value: Statement | Spread, show: Callable[[Any], str]) -> str:
    if isinstance(value, Spread):
        return show(value.mean)
    return f"{show(value.value)} {_interval(value, show)}"


def _interval(value: Statement, show: Callable[[Any], str]) -> str:
    ends = "--" if value.low != value.low else f"{show(value.low)}, {show(value.high)}"
    return rf"{{\scriptsize [{ends}]}}"
