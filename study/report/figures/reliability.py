"""Reliability diagrams: how often answers of a given confidence are right, before and after temperature scaling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from study.analysis.calibration import BINS, reliability
from study.analysis.scores import CALIBRATED, PLAIN
from study.analysis.statistics import Statistics
from study.report.collect import StudyData
from study.report.figures.picture import Picture, new_figure, protocol_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Bins with fewer answers over all seeds are left out: their share says nothing.
_FEWEST = 20
_TITLES = {PLAIN: "as trained", CALIBRATED: "with temperature"}


def reliability_picture(data: StudyData, found: Statistics) -> Picture | None:
    """Show accuracy by confidence on the test split, seeds of a recipe together, two panels a model.

    None where no ranked recipe has probabilities.
    """
    panels: list[dict[str, Any]] = []
    for model in data.naming.models:
        standings = [
            one
            for one in data.standings
            if one.recipe.model == model
            and one.rank is not None
            and all(run.record.has_probabilities for run in one.runs)
        ]
        for answers in (PLAIN, CALIBRATED) if standings else ():
            lines = []
            for one in sorted(standings, key=lambda standing: data.naming.order(standing.recipe)):
                every = [found.scores.probabilities(run, answers) for run in one.runs]
                bins = reliability(np.concatenate(every), np.tile(found.scores.labels, len(every)))
                enough = bins.counts >= _FEWEST
                lines.append(
                    {
                        "protocol": one.recipe.protocol,
                        "confidence": bins.confidence[enough].tolist(),
                        "accuracy": bins.accuracy[enough].tolist(),
                    }
                )
            panels.append({"model": model, "answers": answers, "lines": lines})
    if not panels:
        return None
    colours = protocol_colours(data.naming.protocols)
    alt = f"Reliability diagrams with {BINS} bins of confidence: accuracy by confidence on the test split"
    return Picture("reliability", alt, panels, lambda: _draw(panels, colours))


def _draw(panels: list[dict[str, Any]], colours: dict[str, str]) -> Figure:
    from matplotlib.lines import Line2D

    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    height = 2.35 * rows + 0.75
    figure = new_figure(height)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    figure.subplots_adjust(left=0.065, right=0.99, top=1 - 0.6 / height, bottom=0.48 / height, wspace=0.08, hspace=0.24)
    for place, axes in enumerate(grid.flat):
        if place >= len(panels):
            axes.set_visible(False)
            continue
        _panel(axes, panels[place], colours)
        axes.set_xlabel("confidence, %" if place >= len(panels) - columns else "")
        axes.tick_params(labelbottom=place >= len(panels) - columns)
        axes.set_ylabel("right, %" if place % columns == 0 else "")
    used = {line["protocol"] for panel in panels for line in panel["lines"]}
    handles = [
        Line2D([], [], color=colour, marker="o", markersize=4, label=name)
        for name, colour in colours.items()
        if name in used
    ]
    handles.append(Line2D([], [], color="#999999", linestyle="--", label="as confident as right"))
    figure.legend(handles=handles, loc="upper center", ncols=min(5, len(handles)), fontsize=9, borderaxespad=0.2)
    return figure


def _panel(axes: Axes, panel: dict[str, Any], colours: dict[str, str]) -> None:
    axes.plot([0, 100], [0, 100], "--", color="#999999", linewidth=1)
    for line in panel["lines"]:
        confidence, accuracy = (100 * np.array(line[name]) for name in ("confidence", "accuracy"))
        axes.plot(confidence, accuracy, "-o", color=colours[line["protocol"]], linewidth=1.3, markersize=3.2, alpha=0.9)
    axes.set_title(f"{panel['model']}, {_TITLES[panel['answers']]}", fontsize=9.5)
    axes.set_xticks((20, 40, 60, 80))  # none at the ends, where panels meet
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.grid()
