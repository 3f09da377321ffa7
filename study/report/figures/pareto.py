"""Accuracy against cost: multiply-accumulates, latency and training time, with the front that nothing beats."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from study.analysis.leaderboard import MEASURES, Spread, pareto_front
from study.analysis.statistics import Statistics
from study.report.collect import StudyData
from study.report.figures.picture import MARKERS, Picture, new_figure, protocol_colours
from study.report.tables.results import device_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COSTS = {
    "macs": ("multiply-accumulates, millions", 1e-6),
    "latency_single_ms": ("latency of one image, ms", 1.0),
    "train_s": ("training time, minutes", 1 / 60),
}


def pareto_picture(data: StudyData, found: Statistics) -> Picture:
    """Show every ranked recipe's test accuracy with its interval against each cost, on a logarithmic scale."""
    rows = []
    runs = [run for one in data.ranked for run in one.runs]
    devices = Counter(name for run in runs if (name := device_of(run.record)))
    device = max(sorted(devices), key=lambda name: devices[name]) if devices else ""
    for one in data.ranked:
        score = found.scores.score(one.recipe)
        timed = [run for run in one.runs if device_of(run.record) in ("", device)]  # elsewhere, times mean other things
        costs = {
            name: Spread.of(MEASURES[name](run) for run in (one.runs if name == "macs" else timed)).mean
            for name in _COSTS
        }
        if all(cost is None for cost in costs.values()):  # imported predictions
            continue
        interval = [score.value, score.low, score.high]
        rows.append({"model": one.recipe.model, "protocol": one.recipe.protocol, "accuracy": interval, **costs})
    colours = protocol_colours(data.naming.protocols)
    models = [model for model in data.naming.models if any(row["model"] == model for row in rows)]
    alt = "Test accuracy of every recipe against multiply-accumulates, latency and training time, with the Pareto front"
    alt += f"; times on {device}" if len(devices) > 1 else ""
    return Picture("pareto", alt, rows, lambda: _draw(rows, colours, models))


def _draw(rows: list[dict[str, Any]], colours: dict[str, str], models: list[str]) -> Figure:
    from matplotlib.lines import Line2D

    markers = {model: MARKERS[place % len(MARKERS)] for place, model in enumerate(models)}
    used = [name for name in colours if any(row["protocol"] == name for row in rows)]
    grey: dict[str, Any] = {"color": "#333333", "linestyle": ""}
    handles = [Line2D([], [], marker=marker, label=model, **grey) for model, marker in markers.items()]
    handles += [Line2D([], [], color=colours[name], linewidth=4, label=name) for name in used]
    handles.append(Line2D([], [], color="#333333", linewidth=1, label="Pareto front"))
    legend_rows = -(-len(handles) // 5)
    height = 3.0 + 0.22 * legend_rows
    figure = new_figure(height)
    panels = figure.subplots(1, len(_COSTS), sharey=True)
    top = 1 - (0.15 + 0.22 * legend_rows) / height
    figure.subplots_adjust(left=0.065, right=0.985, top=top, bottom=0.5 / height, wspace=0.08)
    for axes, (cost, (label, scale)) in zip(panels, _COSTS.items(), strict=True):
        _panel(axes, rows, cost, scale, colours, markers)
        axes.set_xlabel(label)
    panels[0].set_ylabel("test accuracy, %")
    figure.legend(handles=handles, loc="upper center", ncols=5, fontsize=9, columnspacing=1.4, borderaxespad=0.2)
    return figure


def _panel(
    axes: Axes,
    rows: list[dict[str, Any]],
    cost: str,
    scale: float,
    colours: dict[str, str],
    markers: dict[str, str],
) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    known = [row for row in rows if row[cost]]
    axes.grid()
    if not known:
        axes.text(0.5, 0.5, "not measured", ha="center", va="center", transform=axes.transAxes)
        return
    spent = np.array([scale * row[cost] for row in known])
    scores = np.array([100 * row["accuracy"][0] for row in known])
    for row, x, y in zip(known, spent, scores, strict=True):
        colour = colours[row["protocol"]]
        ends = [100 * end for end in row["accuracy"][1:]]
        axes.plot([x, x], ends, color=colour, linewidth=1, alpha=0.6, zorder=2)
        axes.plot(x, y, markers[row["model"]], color=colour, markersize=6.5, alpha=0.9, zorder=3)
    front = np.flatnonzero(pareto_front(scores, spent))
    front = front[np.argsort(spent[front])]
    axes.step(spent[front], scores[front], where="post", color="#333333", linewidth=1, zorder=1)
    if spent.max() > 4 * spent.min():
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(0, 1.1 * spent.max())
