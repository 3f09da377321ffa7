"""How runs learned, epoch by epoch: an overview of all models, and loss and accuracy of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from study.analysis.leaks import ORACLE
from study.analysis.runs import ScoredRun
from study.report.collect import StudyData
from study.report.picture import (
    Axes,
    Figure,
    Picture,
    add_legend,
    file_name,
    labels_of,
    legend_rows,
    new_figure,
    panel_grid,
    protocol_colours,
    protocol_marks,
)
from study.report.section import Section, section
from study.report.wording import escape, listed

TEMPLATE = """\
Validation accuracy by epoch. A dot marks the epoch that was kept: {{ kept }}. It need not have the highest \
accuracy.{{ " Where training has several phases, it is an epoch of the last one." if phases }}\
{{ " Thick lines are means over seeds, thin ones single runs." if several_seeds }}\
{{ " Leaky runs stand beside their clean twins. Their validation images may be test images or copies of training \
images, so that their validation accuracy does not compare with that of clean runs." if data.leaks }}

{{ picture(overview) }}

Training curves are those of the batches as the network saw them, with dropout and augmentation, and may lie below \
the validation curves.

{% for model in data.naming.models if model in curves %}
{{ folded(model | md ~ ": loss and accuracy", picture(curves[model])) }}
{% endfor %}
"""
#: What makes an epoch the one that is kept, by the monitor of the last phase, or by the leak that chooses otherwise.
_FOLLOWED = {
    "loss": "the one with the lowest validation loss",
    "brier": "the one with the lowest validation Brier score",
    "last": "the last one",
    ORACLE: "the one with the highest test accuracy",
}
_KEPT = ("phase", "loss", "accuracy", "validation_loss", "validation_accuracy")
#: Most columns of a legend.
_COLUMNS = 7
Curves = list[dict[str, Any]]


@section("curves", title="Learning curves", place=130)
def write(data: StudyData) -> Section | None:
    """Return the curves of all models together, then of each."""
    every = {model: _curves(data, model) for model in data.naming.models}
    curves = {model: found for model, found in every.items() if found}
    if not curves:  # imported predictions have none
        return None
    colours = protocol_colours(data.naming.protocols)
    panels = _panels(data, curves)
    shown = {title: _only(found, ("validation_accuracy",)) for title, found in panels.items()}
    alt = f"Validation accuracy by epoch, one panel a model{' and leak' if data.leaks else ''}"
    overview = Picture("learning-curves", alt, shown, lambda: _draw_overview(panels, colours))
    pictures = {model: _picture(model, found, colours) for model, found in curves.items()}
    runs = [run for run in data.finished if run.record.history]
    return Section.of(
        TEMPLATE,
        data=data,
        kept=_kept_words(data, runs),
        phases=any(len(run.spec.protocol.phases) > 1 for run in runs),
        several_seeds=any(len(group) > 1 for found in curves.values() for group in _by_protocol(found)),
        overview=overview,
        curves=pictures,
    )


def _kept_words(data: StudyData, runs: list[ScoredRun]) -> str:
    """Return what the kept epochs have, first that of most runs, then the others with their models or protocols."""
    followed: dict[str, list[ScoredRun]] = {}
    for run in runs:
        protocol = run.spec.protocol
        kind = ORACLE if protocol.leak == ORACLE else protocol.phases[-1].monitor
        followed.setdefault(_FOLLOWED[kind], []).append(run)
    main, *others = sorted(followed, key=lambda words: -len(followed[words]))
    of_most = {run.spec.model.name for run in followed[main]}
    exceptions = []
    for words in others:
        models = dict.fromkeys(run.spec.model.name for run in followed[words])
        protocols = dict.fromkeys(data.recipe(run.record).protocol for run in followed[words])
        names = listed([*protocols] if of_most & {*models} else [*models])
        exceptions.append(f"{escape(names)}: {words}")
    return main + (f" ({'; '.join(exceptions)})" if exceptions else "")


def _panels(data: StudyData, curves: dict[str, Curves]) -> dict[str, Curves]:
    """Return the overview's panels by title: the curves of each model, and of each leaky recipe with its twin."""
    panels, paired = dict(curves), set()
    for leak in data.leaks:
        model, protocol = leak.recipe.model, leak.recipe.protocol
        paired |= {(model, protocol), (model, leak.twin)}
        pair = [curve for curve in curves.get(model, []) if curve["protocol"] in (protocol, leak.twin)]
        panels[f"{model} / {protocol.removeprefix('leaky/')}"] = pair
    for model, found in curves.items():
        panels[model] = [curve for curve in found if (model, curve["protocol"]) not in paired]
    return {title: found for title, found in panels.items() if found}


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


def _draw_overview(panels: dict[str, Curves], colours: dict[str, str]) -> Figure:
    every = [curve for found in panels.values() for curve in found]
    marks = _legend(every, colours, {})
    labels, top = ("epoch", "validation accuracy, %"), 0.45 + 0.2 * legend_rows(marks, _COLUMNS)
    figure, grid = panel_grid(len(panels), 3, 2.3, top, labels, left=0.07, hspace=0.45)
    for axes, title, found in zip(grid, labels_of(panels, 34), panels.values(), strict=True):
        _lines(axes, found, "validation_accuracy", colours, scale=100)
        axes.set_title(title)
    add_legend(figure, marks, _COLUMNS)
    return figure


def _draw_model(curves: Curves, colours: dict[str, str]) -> Figure:
    marks = _legend(curves, colours, {"validation": "-", "training": "--"})
    top = 0.3 + 0.2 * legend_rows(marks, _COLUMNS)
    height = 2.9 + top
    figure = new_figure(height)
    loss, accuracy = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.078, right=0.99, top=1 - top / height, bottom=0.5 / height, wspace=0.18)
    for axes, name, scale, label in ((loss, "loss", 1, "loss"), (accuracy, "accuracy", 100, "accuracy, %")):
        _lines(axes, curves, name, colours, scale, training=True)
        _lines(axes, curves, f"validation_{name}", colours, scale)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
    add_legend(figure, marks, _COLUMNS)
    return figure


def _lines(
    axes: Axes, curves: Curves, name: str, colours: dict[str, str], scale: float, training: bool = False
) -> None:
    """Draw the history of every run, thin below the mean where there are several seeds.

    Lines of training batches are dashed and without the epoch that is kept.
    """
    from matplotlib.ticker import MaxNLocator

    style, width = ("--", 1.0) if training else ("-", 1.6)
    for found in _by_protocol(curves):
        colour, several = colours[found[0]["protocol"]], len(found) > 1
        looks: dict[str, Any] = {
            "color": colour,
            "linewidth": 0.6 if several else width,
            "alpha": 0.35 if several else 0.9,
        }
        histories = [[scale * row[name] for row in curve["rows"]] for curve in found]
        for curve, values in zip(found, histories, strict=True):
            phases = [row["phase"] for row in curve["rows"]]
            axes.plot(range(1, len(values) + 1), values, style, marker="." if len(values) == 1 else None, **looks)
            starts = [place for place in range(1, len(values)) if phases[place] != phases[place - 1]]
            new = [place + 1 for place in starts], [values[place] for place in starts]
            axes.plot(*new, "|", color=colour, markersize=9)
            if not training and curve["best"] is not None and 0 <= curve["best"] < len(values):
                axes.plot(curve["best"] + 1, values[curve["best"]], "o", color=colour, markersize=3.5 if several else 5)
        if several:
            epochs = min(map(len, histories))  # those that every run has
            mean = np.mean([values[:epochs] for values in histories], axis=0)
            axes.plot(range(1, epochs + 1), mean, style, color=colour, linewidth=width, alpha=0.9)
    axes.grid(axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _by_protocol(curves: Curves) -> list[Curves]:
    """Return the curves of a model, those of one protocol together."""
    groups: dict[str, Curves] = {}
    for curve in curves:
        groups.setdefault(curve["protocol"], []).append(curve)
    return list(groups.values())


def _legend(curves: Curves, colours: dict[str, str], lines: dict[str, str]) -> list[dict[str, Any]]:
    """Return a legend's marks; ``lines`` are styles by what they stand for."""
    used = {curve["protocol"] for curve in curves}
    marks = protocol_marks(colours, used, linewidth=2)
    marks += [{"label": name, "linestyle": style} for name, style in lines.items()]
    marks.append({"label": "epoch kept", "linestyle": "", "marker": "o", "markersize": 5})
    if any(len({row["phase"] for row in curve["rows"]}) > 1 for curve in curves):
        marks.append({"label": "new phase", "linestyle": "", "marker": "|", "markersize": 9})
    return marks
