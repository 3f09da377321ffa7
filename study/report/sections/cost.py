"""What every recipe costs: size, operations, latency, training time, memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.leaderboard import MEASURES, Spread, pareto_front
from study.analysis.runs import ScoredRun
from study.analysis.statistics import Statistics
from study.core.record import Record
from study.report.collect import StudyData
from study.report.picture import (
    INK,
    MARKERS,
    Axes,
    Figure,
    Picture,
    add_legend,
    labels_of,
    new_figure,
    protocol_colours,
)
from study.report.section import Section, section
from study.report.table import RECIPE, Column, Table, hidden, keys_of
from study.report.wording import NOTHING, duration, escape, large, milliseconds, with_interval_inline

TEMPLATE = """\
{% if pareto %}
{{ picture(pareto) }}

On the line: no other recipe scores as high at less cost. {% endif %}{{ "Means over seeds. " if several_seeds \
}}Training is the time of the training steps alone; one image and batch are the latency of one forward pass, in \
the figure a network's mean over all its runs. Times are compared within one device only: the figure shows those of \
the device with the most runs{{ ", the table has a row for each" if several_devices }}.

{{ folded("Accuracy and cost in numbers", table.markdown(), open=true) }}
"""
_COSTS = {
    "macs": ("multiply-accumulates, millions", 1e-6),
    "latency_single_ms": ("latency of one image, ms", 1.0),
    "train_s": ("training time, minutes", 1 / 60),
}


@section("cost", title="Accuracy and cost", place=110)
def write(data: StudyData) -> Section | None:
    """Return accuracy against cost, and the numbers."""
    found = data.found
    if not found:
        return None
    return Section.of(
        TEMPLATE,
        pareto=_picture(data, found) if data.ranked else None,
        table=_table(data, found),
        several_seeds=data.several_seeds,
        several_devices=len({_device(run.record) for run in data.runs} - {""}) > 1,
    )


def _device(record: Record) -> str:
    """Return what a run's times hold for: its accelerator, else its processor; empty where that is not recorded."""
    return "" if record.imported else record.provenance.device or record.provenance.processor


def _table(data: StudyData, found: Statistics) -> Table:
    """Accuracy beside what every recipe costs, in the order of the leaderboard; means over seeds, device by device."""
    names = ("parameters", "macs", "train_s", "epochs", "train_images_per_s", "latency_single_ms", "latency_batch_ms")
    rows = []
    for one in data.standings:
        of_device: dict[str, list[ScoredRun]] = {}
        for run in one.runs:
            of_device.setdefault(_device(run.record), []).append(run)
        for device, runs in of_device.items():  # times of two machines have no mean
            spent = {name: Spread.of(map(MEASURES[name], runs)) for name in (*names, "peak_memory_mb")}
            named = [one.rank, one.recipe.model, one.recipe.protocol, device, found.scores.score(one.recipe)]
            batch = runs[0].record.cost.latency_batch_size
            costs = [*(spent[name] for name in names), batch, spent["peak_memory_mb"]]
            rows.append([*named, *costs, keys_of(runs)])

    def mean(key: str, title: str, show: Callable[[float], str]) -> Column:
        return Column(key, title, lambda value: NOTHING if value.mean is None else show(value.mean))

    batches = {row[-3] for row in rows}
    several = len({row[3] for row in rows if row[3]}) > 1
    size = f" of {batches.pop()}" if len(batches) == 1 and None not in batches else ""
    columns = [
        Column("rank", "#"),
        *RECIPE,
        Column("device", "device" if several else "", lambda name: escape(name) or NOTHING, right=False),
        Column("test_accuracy", "test acc.", with_interval_inline),
        mean("parameters", "parameters", large),
        mean("macs", "MACs", large),
        mean("train_s", "training", duration),
        *hidden("epochs", "train_images_per_s"),
        mean("latency_single_ms", "one image, ms", milliseconds),
        mean("latency_batch_ms", f"batch{size}, ms", milliseconds),
        Column("latency_batch_size"),
        mean("peak_memory_mb", "memory, MiB", "{:,.0f}".format),
        Column("runs"),
    ]
    return Table("cost", columns, rows)


def _picture(data: StudyData, found: Statistics) -> Picture:
    """Show every ranked recipe's test accuracy with its interval against each cost, on a logarithmic scale."""
    rows = []
    devices = Counter(name for one in data.ranked for run in one.runs if (name := _device(run.record)))
    device = max(sorted(devices), key=lambda name: devices[name]) if devices else ""
    for one in data.ranked:
        score = found.scores.score(one.recipe)
        # Elsewhere, times mean other things; how fast a network answers does not hang on its protocol.
        twins = [run for other in data.ranked if other.recipe.model == one.recipe.model for run in other.runs]
        timed, twins = ([run for run in runs if _device(run.record) in ("", device)] for runs in (one.runs, twins))
        runs = {"macs": one.runs, "latency_single_ms": twins, "train_s": timed}
        costs = {name: Spread.of(map(MEASURES[name], runs[name])).mean for name in _COSTS}
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
    markers = {model: MARKERS[place % len(MARKERS)] for place, model in enumerate(models)}
    used = [name for name in colours if any(row["protocol"] == name for row in rows)]
    names = zip(labels_of(models), markers.values(), strict=True)
    marks: list[dict[str, Any]] = [{"label": name, "marker": one, "linestyle": ""} for name, one in names]
    marks += [{"label": name, "color": colours[name], "linewidth": 4} for name in used]
    marks.append({"label": "Pareto front", "linewidth": 1})
    legend_rows = -(-len(marks) // 5)
    height = 3.0 + 0.22 * legend_rows
    figure = new_figure(height)
    panels = figure.subplots(1, len(_COSTS), sharey=True)
    top = 1 - (0.15 + 0.22 * legend_rows) / height
    figure.subplots_adjust(left=0.065, right=0.985, top=top, bottom=0.5 / height, wspace=0.08)
    for axes, (cost, (label, scale)) in zip(panels, _COSTS.items(), strict=True):
        known = [row for row in rows if row[cost]]
        _panel(axes, known, np.array([scale * row[cost] for row in known]), colours, markers)
        axes.set_xlabel(label)
    panels[0].set_ylabel("test accuracy, %")
    add_legend(figure, marks, columns=5)
    return figure


def _panel(
    axes: Axes, known: list[dict[str, Any]], spent: NDArray[Any], colours: dict[str, str], markers: dict[str, str]
) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    axes.grid()
    if not known:
        axes.text(0.5, 0.5, "not measured", ha="center", va="center", transform=axes.transAxes)
        return
    scores = np.array([100 * row["accuracy"][0] for row in known])
    for row, x, y in zip(known, spent, scores, strict=True):
        colour = colours[row["protocol"]]
        ends = [100 * end for end in row["accuracy"][1:]]
        axes.plot([x, x], ends, color=colour, linewidth=1, alpha=0.6, zorder=2)
        axes.plot(x, y, markers[row["model"]], color=colour, markersize=6.5, alpha=0.9, zorder=3)
    front = np.flatnonzero(pareto_front(scores, spent))
    front = front[np.argsort(spent[front])]
    axes.step(spent[front], scores[front], where="post", color=INK, linewidth=1, zorder=1)
    if spent.max() > 4 * spent.min():
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(0, 1.1 * spent.max())
