"""How runs learned, epoch by epoch: an overview of all models, and loss and accuracy of each."""

from __future__ import annotations

from typing import Any

from study.report.collect import StudyData
from study.report.picture import (
    Axes,
    Figure,
    Picture,
    add_legend,
    file_name,
    labels_of,
    new_figure,
    panel_grid,
    protocol_colours,
)
from study.report.section import Section, section

TEMPLATE = """\
Validation accuracy by epoch; a dot marks the epoch whose weights were kept.

{{ picture(overview) }}

Training curves are those of the batches as the network saw them, with dropout and augmentation, and may lie below \
the validation curves.

{% for model in data.naming.models if model in curves %}
{{ folded(model | md ~ ": loss and accuracy", picture(curves[model])) }}
{% endfor %}
"""
_KEPT = ("phase", "loss", "accuracy", "validation_loss", "validation_accuracy")
Curves = list[dict[str, Any]]


@section("curves", title="Learning curves", place=130)
def write(data: StudyData) -> Section | None:
    """Return the curves of all models together, then of each."""
    every = {model: _curves(data, model) for model in data.naming.models}
    curves = {model: found for model, found in every.items() if found}
    if not curves:  # imported predictions have none
        return None
    colours = protocol_colours(data.naming.protocols)
    shown = {model: _only(found, ("validation_accuracy",)) for model, found in curves.items()}
    alt = "Validation accuracy by epoch, one panel a model"
    overview = Picture("learning-curves", alt, shown, lambda: _draw_overview(curves, colours))
    pictures = {model: _picture(model, found, colours) for model, found in curves.items()}
    return Section.of(TEMPLATE, data=data, overview=overview, curves=pictures)


def _curves(data: StudyData, model: str) -> Curves:
    """Return the history of every finished run of a model that has one."""
    return [
        {
            "protocol": data.recipe(run.record).protocol,
            "seed": run.spec.seed,
            "best": run.record.kept.best_epoch,
            "rows": [{name: getattr(row, name) for name in _KEPT} for row in run.record.history],
        }
        for run in data.finished
        if data.recipe(run.record).model == model and run.record.history
    ]


def _only(curves: Curves, names: tuple[str, ...]) -> Curves:
    return [curve | {"rows": [[row[name] for name in names] for row in curve["rows"]]} for curve in curves]


def _picture(model: str, curves: Curves, colours: dict[str, str]) -> Picture:
    """Show loss and accuracy of a model on the training batches and on the validation split."""
    alt = f"Loss and accuracy of {model} by epoch on training batches and on the validation split"
    return Picture(f"curves-{file_name(model)}", alt, _only(curves, _KEPT), lambda: _draw_model(curves, colours))


def _draw_overview(curves: dict[str, Curves], colours: dict[str, str]) -> Figure:
    every = [curve for found in curves.values() for curve in found]
    marks, columns, rows = _legend(every, colours, {})
    labels, top = ("epoch", "validation accuracy, %"), max(0.75, 0.37 + 0.2 * rows)
    figure, grid = panel_grid(len(curves), 3, 2.3, top, labels, left=0.07, hspace=0.45)
    for axes, title, found in zip(grid, labels_of(curves, 30), curves.values(), strict=True):
        _lines(axes, found, "validation_accuracy", colours, scale=100)
        axes.set_title(title)
    add_legend(figure, marks, columns)
    return figure


def _draw_model(curves: Curves, colours: dict[str, str]) -> Figure:
    marks, columns, rows = _legend(curves, colours, {"validation": "-", "training": "--"})
    top = max(0.6, 0.15 + 0.2 * rows)
    height = 2.9 + top
    figure = new_figure(height)
    loss, accuracy = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.065, right=0.99, top=1 - top / height, bottom=0.5 / height, wspace=0.18)
    for axes, name, scale, label in ((loss, "loss", 1, "loss"), (accuracy, "accuracy", 100, "accuracy, %")):
        _lines(axes, curves, name, colours, scale, training=True)
        _lines(axes, curves, f"validation_{name}", colours, scale)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
    add_legend(figure, marks, columns)
    return figure


def _lines(
    axes: Axes, curves: Curves, name: str, colours: dict[str, str], scale: float, training: bool = False
) -> None:
    """Draw a figure of the history of every run, dashed and without the epoch that is kept for training batches."""
    from matplotlib.ticker import MaxNLocator

    style, width = ("--", 1.0) if training else ("-", 1.6)
    for curve in curves:
        values, phases = [scale * row[name] for row in curve["rows"]], [row["phase"] for row in curve["rows"]]
        colour, marker = colours[curve["protocol"]], "." if len(values) == 1 else None
        axes.plot(range(1, len(values) + 1), values, style, color=colour, linewidth=width, alpha=0.9, marker=marker)
        starts = [place for place in range(1, len(values)) if phases[place] != phases[place - 1]]
        axes.plot([place + 1 for place in starts], [values[place] for place in starts], "|", color=colour, markersize=9)
        if not training and curve["best"] is not None and 0 <= curve["best"] < len(values):
            axes.plot(curve["best"] + 1, values[curve["best"]], "o", color=colour, markersize=5)
    axes.grid(axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _legend(curves: Curves, colours: dict[str, str], lines: dict[str, str]) -> tuple[list[dict[str, Any]], int, int]:
    """Return a legend's marks, columns and rows; ``lines`` are styles by what they stand for."""
    used = {curve["protocol"] for curve in curves}
    marks: list[dict[str, Any]] = [
        {"label": name, "color": one, "linewidth": 2} for name, one in colours.items() if name in used
    ]
    marks += [{"label": name, "linestyle": style} for name, style in lines.items()]
    marks.append({"label": "epoch kept", "linestyle": "", "marker": "o", "markersize": 5})
    if any(len({row["phase"] for row in curve["rows"]}) > 1 for curve in curves):
        marks.append({"label": "new phase", "linestyle": "", "marker": "|", "markersize": 9})
    columns = len(marks) if len(marks) <= 6 else 4
    return marks, columns, -(-len(marks) // columns)
