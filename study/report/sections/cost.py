"""What every recipe costs: size, operations, latency, training time, memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping
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
    legend_rows,
    new_figure,
    protocol_colours,
    protocol_marks,
)
from study.report.section import Section, section
from study.report.table import RECIPE, Column, Table, hidden, keys_of
from study.report.wording import NOTHING, duration, escape, large, listed, milliseconds, with_interval_inline

TEMPLATE = """\
{% if pareto %}
{{ picture(pareto) }}

On the line: no other recipe scores as high at less cost. \
{{ "Times are those of the device with the most runs. " if several_devices }}\
{{ "Recipes that train a head alone are not in the panel of training times. " if head_alone }}
{% endif %}

{{ "Means over seeds. " if several_seeds }}Training is the time of the training steps alone\
{{ "; head alone: the features of the frozen body were computed before, and that time is not included" if head_alone \
}}. \
One image and batch are the latency of one forward pass, the mean over all runs of a network on one device\
{{ "; the table has a row for each" if several_devices }}.

{{ folded("Accuracy and cost in numbers", table.markdown(), open=true) }}
"""
#: Name, label with unit and scale of each cost.
_COSTS = {
    "macs": ("multiply-accumulates", "multiply-accumulates, millions", 1e-6),
    "latency_single_ms": ("latency", "latency of one image, ms", 1.0),
    "train_s": ("training time", "training time, minutes", 1 / 60),
}
#: A panel of fewer different costs shows no trade-off.
_FEWEST_COSTS = 3


@section("cost", title="Accuracy and cost", place=110)
def write(data: StudyData) -> Section | None:
    """Return accuracy against cost, and the numbers."""
    found = data.found
    if not found:
        return None
    networks = _networks(data)
    return Section.of(
        TEMPLATE,
        pareto=_picture(data, found, networks),
        table=_table(data, found, networks),
        several_seeds=data.several_seeds,
        several_devices=len({_device(run.record) for run in data.runs} - {""}) > 1,
        head_alone=any(_head_alone(run) for run in data.runs),
    )


def _device(record: Record) -> str:
    """Return what a run's times hold for: its accelerator, else its processor; empty where that is not recorded."""
    return "" if record.imported else record.provenance.device or record.provenance.processor


def _network(run: ScoredRun) -> Hashable:
    """Return what decides how fast a network answers on a device."""
    return run.spec.model, run.spec.side_px, run.spec.precision, run.spec.backend


def _networks(data: StudyData) -> Mapping[tuple[Hashable, str], list[ScoredRun]]:
    """Return the runs of every network on every device, whatever their protocols and first weights."""
    runs: dict[tuple[Hashable, str], list[ScoredRun]] = defaultdict(list)
    for run in data.finished:
        runs[_network(run), _device(run.record)].append(run)
    return runs


def _head_alone(run: ScoredRun) -> bool:
    """Tell whether a run trained nothing but a head on features that were computed once, before its first step."""
    protocol = run.spec.protocol
    return bool(protocol.phases) and all(map(protocol.fixes_images, protocol.phases))


def _table(data: StudyData, found: Statistics, networks: Mapping[tuple[Hashable, str], list[ScoredRun]]) -> Table:
    """Accuracy beside what every recipe costs, in the order of the leaderboard; means over seeds, device by device."""
    names = ("parameters", "macs", "train_s", "epochs", "train_images_per_s", "peak_memory_mb")
    rows = []
    for one in data.standings:
        of_device: dict[str, list[ScoredRun]] = {}
        for run in one.runs:
            of_device.setdefault(_device(run.record), []).append(run)
        for device, runs in of_device.items():  # times of two machines have no mean
            spent = {name: Spread.of(map(MEASURES[name], runs)) for name in names}
            alike = networks[_network(runs[0]), device]
            single, batch = (
                Spread.of(map(MEASURES[name], alike)) for name in ("latency_single_ms", "latency_batch_ms")
            )
            training = duration(spent["train_s"].mean) + (" (head alone)" if _head_alone(runs[0]) else "")
            named = [one.rank, one.recipe.model, one.recipe.protocol, device, found.scores.score(one.recipe)]
            trained = [spent["parameters"], spent["macs"], training, *(spent[name] for name in names[2:5])]
            batch_size = runs[0].record.cost.latency_batch_size
            rows.append([*named, *trained, single, batch, batch_size, spent["peak_memory_mb"], keys_of(runs)])

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
        Column("", "training"),
        *hidden("train_s", "epochs", "train_images_per_s"),
        mean("latency_single_ms", "one image, ms", milliseconds),
        mean("latency_batch_ms", f"batch{size}, ms", milliseconds),
        Column("latency_batch_size"),
        mean("peak_memory_mb", "memory, MiB", "{:,.0f}".format),
        Column("runs"),
    ]
    return Table("cost", columns, rows)


def _picture(
    data: StudyData, found: Statistics, networks: Mapping[tuple[Hashable, str], list[ScoredRun]]
) -> Picture | None:
    """Show every ranked recipe's test accuracy with its interval against each cost; None where costs hardly differ."""
    rows = []
    devices = Counter(name for one in data.ranked for run in one.runs if (name := _device(run.record)))
    device = max(sorted(devices), key=lambda name: devices[name]) if devices else ""
    for one in data.ranked:
        score = found.scores.score(one.recipe)
        here = ("", device)  # elsewhere, times mean other things
        timed = [run for run in one.runs if _device(run.record) in here and not _head_alone(run)]
        alike = [run for name in dict.fromkeys(here) for run in networks.get((_network(one.runs[0]), name), [])]
        runs = {"macs": one.runs, "latency_single_ms": alike, "train_s": timed}
        costs = {name: Spread.of(map(MEASURES[name], runs[name])).mean for name in _COSTS}
        if all(cost is None for cost in costs.values()):  # imported predictions
            continue
        interval = [score.value, score.low, score.high]
        rows.append({"model": one.recipe.model, "protocol": one.recipe.protocol, "accuracy": interval, **costs})
    shown = [name for name in _COSTS if len({row[name] for row in rows} - {None}) >= _FEWEST_COSTS]
    if not shown:
        return None
    colours = protocol_colours(data.naming.protocols)
    models = [model for model in data.naming.models if any(row["model"] == model for row in rows)]
    alt = f"Test accuracy of every recipe against {listed([_COSTS[name][0] for name in shown])}, with the Pareto front"
    alt += f"; times on {device}" if len(devices) > 1 else ""
    return Picture("pareto", alt, rows, lambda: _draw(rows, shown, colours, models))


def _draw(rows: list[dict[str, Any]], shown: list[str], colours: dict[str, str], models: list[str]) -> Figure:
    markers = {model: MARKERS[place % len(MARKERS)] for place, model in enumerate(models)}
    names = zip(labels_of(models), markers.values(), strict=True)
    marks: list[dict[str, Any]] = [{"label": name, "marker": one, "linestyle": ""} for name, one in names]
    marks += protocol_marks(colours, {row["protocol"] for row in rows}, linewidth=4)
    marks.append({"label": "Pareto front", "linewidth": 1})
    above = 0.15 + 0.22 * legend_rows(marks, 5)
    height = 2.85 + above
    figure = new_figure(height)
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(left=0.075, right=0.985, top=1 - above / height, bottom=0.5 / height, wspace=0.08)
    for axes, cost in zip(panels, shown, strict=True):
        _, label, scale = _COSTS[cost]
        known = [row for row in rows if row[cost]]
        _panel(axes, known, np.array([scale * row[cost] for row in known]), colours, markers)
        axes.set_xlabel(label)
    panels[0].set_ylabel("test accuracy, %")
    add_legend(figure, marks, columns=5)
    return figure


def _panel(
    axes: Axes, known: list[dict[str, Any]], spent: NDArray[Any], colours: dict[str, str], markers: dict[str, str]
) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.grid()
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
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if spent.max() < 100 * spent.min() else (1,)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(0, 1.1 * spent.max())
