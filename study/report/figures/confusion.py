"""Confusion matrices: one picture a model and seed, one panel a protocol."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from study.report.collect import StudyData
from study.report.figures.picture import WIDTH_IN, Picture, file_name, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Above this many classes the cells are too small for numbers; the colours and the CSV remain.
MOST_CLASSES_WITH_NUMBERS = 12


def confusion_pictures(data: StudyData) -> dict[str, list[Picture]]:
    """Return the pictures of every model, in table order, by model name; rows sum to 100 %."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for run in data.runs:
        recipe = data.recipe(run.record)
        title = f"{recipe.protocol}, test accuracy {100 * run.test.accuracy:.1f} %"
        groups[(recipe.model, run.spec.seed)].append({"title": title, "counts": run.test.confusion.tolist()})
    pictures = defaultdict(list)
    for (model, seed), panels in groups.items():
        name = f"confusion-{file_name(model)}-seed_{seed}"
        alt = f"Confusion matrices of {model}, seed {seed}, on the test split"
        pictures[model].append(_picture(name, alt, data.classes, panels))
    return dict(pictures)


def _picture(name: str, alt: str, classes: list[str], panels: list[dict[str, Any]]) -> Picture:
    return Picture(name, alt, {"classes": classes, "panels": panels}, lambda: _draw(classes, panels))


def _draw(classes: list[str], panels: list[dict[str, Any]]) -> Figure:
    columns = 1 if len(panels) == 1 else 2
    rows = -(-len(panels) // columns)
    margin, gap, top, bottom = 0.95, 0.95, 0.35, 0.95
    side = (WIDTH_IN - margin - 0.1 - gap * (columns - 1)) / columns if columns > 1 else 4.6
    height = rows * (side + top + bottom)
    figure = new_figure(height, WIDTH_IN if columns > 1 else margin + side + 0.4)
    width = figure.get_figwidth()
    for place, panel in enumerate(panels):
        row, column = divmod(place, columns)
        left, low = margin + column * (side + gap), height - (row + 1) * (side + top + bottom) + bottom
        axes = figure.add_axes((left / width, low / height, side / width, side / height))
        _panel(axes, classes, panel)
    return figure


def _panel(axes: Axes, classes: list[str], panel: dict[str, Any]) -> None:
    counts = np.array(panel["counts"])
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    small = len(classes) > MOST_CLASSES_WITH_NUMBERS
    size = 6.0 if small else 8.5
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", rotation_mode="anchor", fontsize=size)
    axes.set_yticks(range(len(classes)), classes, fontsize=size)
    axes.tick_params(length=0, pad=3)
    axes.set_title(panel["title"], fontsize=9.5)
    axes.set_xlabel("predicted", fontsize=8.5)
    axes.set_ylabel("true", fontsize=8.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks(np.arange(1, len(classes)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(classes)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="minor", length=0)
    if small:
        return
    for row, column in np.ndindex(counts.shape):
        text = f"{100 * shares[row, column]:.0f} %\n{counts[row, column]}"
        colour = "white" if shares[row, column] > 0.55 else "#222222"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour, linespacing=1.1)
