"""Tables for papers: the leaderboard and the scores of each class as LaTeX with booktabs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from study.analysis.leaderboard import Spread
from study.analysis.scores import NETWORK, Statement
from study.analysis.statistics import CLASS_MEASURES
from study.report.collect import StudyData
from study.report.table import Table
from study.report.wording import FIXED_BLANK, NOTHING, UNCONVERGED, percent, whole_percent

_HEADINGS = {
    "rank": r"\#",
    "model": "Model",
    "protocol": "Protocol",
    "seeds": "Seeds",
    "validation_accuracy": "Validation acc.",
    "test_accuracy": "Test acc.",
    "test_macro_f1": "Macro-F1",
    "test_balanced_accuracy": "Balanced acc.",
}
_MEASURES = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
_MARKS = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", UNCONVERGED: r"\textdagger{}",
    NOTHING: "--", FIXED_BLANK: "~", **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}  # fmt: skip
_ALONE = r"$^{\ast}$"


def latex_tables(data: StudyData, tables: Mapping[str, Table]) -> dict[str, str]:
    """Return LaTeX text by file name; empty before a run has finished.

    Args:
        data: The study.
        tables: Those of the report, by name.
    """
    if not data.found:
        return {}
    return {"leaderboard.tex": _leaderboard(data, tables["leaderboard"])} | {
        f"per-class-{measure}.tex": _per_class(data, tables[f"per-class-{measure}"], _MEASURES[measure])
        for measure in CLASS_MEASURES
    }


def escaped(text: Any) -> str:
    """Return text that LaTeX sets as it is, on one line."""
    return "".join(_MARKS.get(letter, letter) for letter in " ".join(str(text).split(" ")))


def _leaderboard(data: StudyData, table: Table) -> str:
    keys = [column.key for column in table.columns]
    shown = [key for key in _HEADINGS if key in keys]
    scores = range(shown.index("validation_accuracy"), len(shown))
    rows = []
    for row in table.rows:
        cells = dict(zip(keys, row, strict=True))
        cells["protocol"] += FIXED_BLANK + UNCONVERGED if cells["runs_not_converged"] else ""
        rows.append([_cell(cells[key]) for key in shown])
        rows[-1][shown.index("protocol")] += _mark(cells["statement_about"])
    caption = (
        f"Study {escaped(data.study)}: recipes ranked by accuracy on the validation split. Scores in percent on the "
        f"test split ({sum(data.card.counts['test']):,} images) with 95\\,\\% intervals. "
    ) + _notes(table, unconverged=any(standing.unconverged for standing in data.standings))
    columns = "rll" + "r" * (len(shown) - 3)
    return _table(columns, [_HEADINGS[key] for key in shown], rows, caption, "tab:leaderboard", scores)


def _per_class(data: StudyData, table: Table, measure: str) -> str:
    rows = []
    for model, protocol, question, *scores, _ in table.rows:
        rows.append([escaped(model), escaped(protocol) + _mark(question), *(percent(one.value) for one in scores)])
        rows.append(["", "", *(rf"{{\scriptsize [{_ends(one, whole_percent)}]}}" for one in scores)])
    caption = (
        f"Study {escaped(data.study)}: {measure} of each class in percent on the test split, below it the 95\\,\\% "
        "interval; recipes in the order of the leaderboard. "
    ) + _notes(table, unconverged=False)
    heads = ["Model", "Protocol", *map(escaped, data.classes)]
    return _table("ll" + "r" * len(data.classes), heads, rows, caption, f"tab:per-class-{measure.lower()}", (), 2)


def _table(
    columns: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    caption: str,
    label: str,
    centred: Sequence[int],
    lines_each: int = 1,
) -> str:
    titles = [rf"\multicolumn{{1}}{{c}}{{{head}}}" if place in centred else head for place, head in enumerate(heads)]
    body = []
    for place, row in enumerate(rows):
        last_of_several = lines_each > 1 and place % lines_each == lines_each - 1 and place + 1 < len(rows)
        body.append("    " + " & ".join(row) + r" \\" + ("[2pt]" if last_of_several else ""))
    lines = [
        r"% Needs \usepackage{booktabs}. Written by study report --latex from the records; not edited by hand.",
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{caption.strip()}}}",
        rf"  \label{{{label}}}",
        rf"  \begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"    \toprule",
        "    " + " & ".join(titles) + r" \\",
        r"    \midrule",
        *body,
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines).replace("−", "$-$") + "\n"


def _notes(table: Table, unconverged: bool) -> str:
    return " ".join(_sentences(table, unconverged))


def _sentences(table: Table, unconverged: bool) -> Iterator[str]:
    place = [column.key for column in table.columns].index("statement_about")
    kinds = {row[place] for row in table.rows}
    if kinds != {NETWORK}:
        yield "Intervals cover new seeds and new images."
    if kinds == {NETWORK}:
        yield "Intervals hold for the trained networks alone, over new images."
    elif NETWORK in kinds:
        yield f"{_ALONE}~fewer than three seeds: for the trained networks alone, over new images."
    if unconverged:
        yield r"\textdagger{}~best epoch is the last one in at least one run."


def _mark(question: str) -> str:
    return _ALONE if question == NETWORK else ""


def _cell(value: Any) -> str:
    if isinstance(value, Statement):
        return rf"{percent(value.value)} {{\scriptsize [{_ends(value, percent)}]}}"
    if isinstance(value, Spread):
        return percent(value.mean)
    return escaped(NOTHING if value is None else value)


def _ends(value: Statement, show: Any) -> str:
    return "--" if value.low != value.low else f"{show(value.low)}, {show(value.high)}"
