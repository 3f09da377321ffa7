"""Precision, recall, F1 and other metrics of each class."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.leaderboard import Spread
from study.analysis.metric import METRICS, Metric, ordered
from study.analysis.runs import SplitScores
from study.analysis.scores import Measure
from study.analysis.statistics import Statistics
from study.report.collect import StudyData
from study.report.picture import LABEL_SIZE, Figure, Picture, heatmap, label_share, labels_of, new_figure
from study.report.section import Section, section
from study.report.table import RECIPE, RUNS, Column, Table, hidden
from study.report.wording import escape, whole_percent, with_interval

TEMPLATE = """\
F1 on the test split{{ ", mean over seeds" if several_seeds }}, recipes in the order of the leaderboard.

{{ picture(parts[0][1]) }}

{{ folded(parts[0][0] ~ " of each class in percent with 95 % intervals, test split", f1.markdown()) }}
{% for title, shown in parts[1:] %}
{{ folded((title[:1] | upper) ~ title[1:] ~ " of each class in percent, test split", picture(shown)) }}
{% endfor %}
{% if tables %}

The numbers with their intervals are in {% for name in tables %}[tables/{{ name }}.csv](tables/{{ name }}.csv){{ " \
and " if loop.revindex == 2 else ", " if not loop.last }}{% endfor %}.
{% endif %}
"""


@section("classes", title="Classes", place=70)
def write(data: StudyData) -> Section | None:
    """Return a heatmap for every metric of each class, and the table of the first, F1; the others are kept as CSV."""
    found = data.found
    if not found:
        return None
    metrics = [METRICS.get(name) for name in sorted(found.effects.by_class, key=lambda name: name != "f1")]
    parts = [(one.title, _picture(data, one)) for one in metrics]
    f1, *others = (_table(data, found, one.name) for one in metrics)
    tables = [table.name for table in others]
    unseen = (*others, _every_run(data))
    return Section.of(TEMPLATE, *unseen, several_seeds=data.several_seeds, parts=parts, f1=f1, tables=tables)


def _table(data: StudyData, found: Statistics, measure: str) -> Table:
    """A metric of each class of every recipe on the test split, with intervals."""

    def column(place: int, name: str) -> Column:
        show = functools.partial(with_interval, show_ends=whole_percent)
        return Column(
            name, escape(name), show, value=lambda one: found.scores.score(one.recipe, Measure(measure, place))
        )

    scores = [column(place, name) for place, name in enumerate(data.classes)]
    about = Column("statement_about", value=lambda one: found.scores.score(one.recipe).question)
    return Table.of(f"per-class-{measure}", [*RECIPE, about, *scores, RUNS], data.standings)


def _every_run(data: StudyData) -> Table:
    """Every run's metrics of each class and support on both splits; for the CSV."""
    rows: list[list[Any]] = []
    metrics = ordered(lambda one: one.each_class)
    for run in data.finished:
        recipe = data.recipe(run.record)
        own = "" if run.record.on_own_test else " (split anew)"
        for split, scores in ((f"validation{own}", run.validation), (f"test{own}", run.test)):
            for place, name in enumerate(data.classes) if scores.support.any() else ():
                words = [recipe.model, recipe.protocol, run.spec.seed, split, name]
                scored = [float(_of_class(scores, metric)[place]) for metric in metrics]
                rows.append([*words, *scored, int(scores.support[place]), run.record.key])
    keys = ("model", "protocol", "seed", "split", "class", *(one.name for one in metrics), "support", "runs")
    return Table("per-class", hidden(*keys), rows)


def _of_class(scores: SplitScores, metric: Metric) -> NDArray[np.float64]:
    """Return a metric of each class of one network on one split; a class that is never predicted has precision 0."""
    if hasattr(scores, metric.name):
        return np.asarray(getattr(scores, metric.name))
    return metric.of_sums(scores.confusion.reshape(-1).astype(np.float64), float(scores.support.sum()))


def _picture(data: StudyData, metric: Metric) -> Picture:
    """Show a metric of each class on the test split, mean over seeds, in percent: recipes down, classes across."""
    rows = [
        [Spread.of(values).mean for values in np.transpose([_of_class(run.test, metric) for run in one.runs])]
        for one in data.standings
    ]
    names = labels_of((one.recipe for one in data.standings), 52)
    content = {"recipes": names, "classes": data.classes, "values": rows}
    alt = f"Heatmap of {metric.title} by recipe and class"
    return Picture(f"per-class-{metric.name}", alt, content, lambda: _draw(rows, names, data.classes, metric.title))


def _draw(rows: list[list[float | None]], names: list[str], classes: list[str], title: str) -> Figure:
    height = 0.27 * len(rows) + 0.6
    figure = new_figure(height)
    left, bottom, top = label_share(names), 0.12 / height, 0.4 / height
    axes = figure.add_axes((left, bottom, 0.99 - left, 1 - bottom - top))
    values = 100 * np.array(rows, dtype=np.float64)
    looks: dict[str, Any] = {"cmap": "YlGnBu", "vmin": 0, "vmax": 100, "fmt": ".0f", "annot_kws": {"fontsize": 9}}
    heatmap(axes, values, classes, names, annot=len(classes) <= 20, **looks)
    if len(classes) > 8:
        axes.set_xticks(axes.get_xticks(), classes, rotation=30, ha="left")
    figure.text(0.008, 1 - 0.2 / height, f"{title}, %", fontsize=LABEL_SIZE, fontweight="bold", va="center")
    return figure
