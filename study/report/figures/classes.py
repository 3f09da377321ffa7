"""Heatmaps of per-class scores: recipes down, classes across."""

from __future__ import annotations

from typing import TYPE_CHECKING

from study.analysis.metric import METRICS
from study.report.collect import StudyData
from study.report.figures.picture import LABEL_SIZE, Picture, label_share, new_figure, shortened
from study.report.tables.results import class_spreads

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def class_picture(data: StudyData, measure: str) -> Picture:
    """Show a metric of each class on the test split, mean over seeds, in percent."""
    title = METRICS.get(measure).title
    rows = [[spread.mean for spread in class_spreads(one, measure)] for one in data.standings]
    names = [shortened(str(one.recipe), 52) for one in data.standings]
    return Picture(
        f"per-class-{measure}",
        f"Heatmap of {title} by recipe and class",
        {"recipes": names, "classes": data.classes, "values": rows},
        lambda: _draw(rows, names, data.classes, title),
    )


def _draw(rows: list[list[float | None]], names: list[str], classes: list[str], title: str) -> Figure:
    import numpy as np
    import seaborn

    height = 0.27 * len(rows) + 0.6
    figure = new_figure(height)
    left, bottom, top = label_share(names), 0.12 / height, 0.4 / height
    axes = figure.add_axes((left, bottom, 0.99 - left, 1 - bottom - top))
    values = 100 * np.array(rows, dtype=np.float64)
    seaborn.heatmap(
        values,
        ax=axes,
        cbar=False,
        cmap="YlGnBu",
        vmin=0,
        vmax=100,
        annot=len(classes) <= 20,
        fmt=".0f",
        annot_kws={"fontsize": 9},
        linewidths=0.6,
        linecolor="white",
        xticklabels=classes,
        yticklabels=names,
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0, rotation=0)
    axes.tick_params(axis="y", labelsize=LABEL_SIZE)
    if len(classes) > 8:
        axes.set_xticks(axes.get_xticks(), classes, rotation=30, ha="left")
    figure.text(0.008, 1 - 0.2 / height, f"{title}, %", fontsize=LABEL_SIZE, fontweight="bold", va="center")
    return figure
