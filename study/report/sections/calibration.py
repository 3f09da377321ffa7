"""Whether probabilities can be believed, before and after temperature scaling."""

from __future__ import annotations

from typing import Any

import numpy as np

from study.analysis.calibration import BINS, reliability
from study.analysis.scores import CALIBRATED, PLAIN, Measure
from study.analysis.statistics import Statistics
from study.report.collect import StudyData
from study.report.picture import (
    Axes,
    Figure,
    Picture,
    add_legend,
    labels_of,
    legend_rows,
    panel_grid,
    protocol_colours,
    protocol_marks,
)
from study.report.section import Section, section
from study.report.table import RECIPE, RUNS, Column, Table
from study.report.wording import plain, plain_with_interval, with_interval

TEMPLATE = """\
{% if shown %}
Above the diagonal, accuracy exceeds confidence (underconfident); below, confidence exceeds accuracy (overconfident). \
The temperature of each network was fitted on the validation split alone. Bins with fewer than {{ fewest }} answers \
are left out, and break the line.

{{ picture(shown) }}
{% endif %}
{% set body %}
log loss: mean negative log-likelihood. ECE: expected calibration error. Scaled: with the temperature.

{{ table.markdown() }}
{% endset %}
{{ folded("Negative log-likelihood, Brier score, expected calibration error, temperature", body) }}
"""
#: Bins with fewer answers over all seeds are left out: their share says nothing.
_FEWEST = 50
_TITLES = {PLAIN: "as trained", CALIBRATED: "with temperature"}


@section("calibration", title="Calibration", place=90)
def write(data: StudyData) -> Section | None:
    """Return reliability diagrams and calibration scores."""
    found = data.found
    if not found:
        return None
    return Section.of(TEMPLATE, shown=_picture(data, found), table=_table(data, found), fewest=_FEWEST)


def _table(data: StudyData, found: Statistics) -> Table:
    """Negative log-likelihood, Brier score and ECE, and the first and last with each network's own temperature."""

    def score(metric: str, answers: str = PLAIN) -> Any:
        return lambda one: found.scores.score(one.recipe, Measure(metric, None, answers))

    def temperature(one: Any) -> float:
        return float(np.mean([found.scores.temperature(run) for run in one.runs]))

    columns = [
        *RECIPE,
        Column("log_loss", "log loss", plain_with_interval, value=score("log_loss")),
        Column("brier", "Brier", plain_with_interval, value=score("brier")),
        Column("ece", "ECE, %", with_interval, value=score("ece")),
        Column("temperature", "temperature", lambda value: plain(value, 2), value=temperature),
        Column(
            "log_loss_with_temperature", "log loss, scaled", plain_with_interval, value=score("log_loss", CALIBRATED)
        ),
        Column("ece_with_temperature", "ECE, scaled, %", with_interval, value=score("ece", CALIBRATED)),
        RUNS,
    ]
    return Table.of("calibration", columns, data.standings)


def _picture(data: StudyData, found: Statistics) -> Picture | None:
    """Show accuracy by confidence on the test split, seeds of a recipe together, two panels a model.

    None where no ranked recipe has probabilities.
    """
    panels: list[dict[str, Any]] = []
    for model in data.naming.models:
        standings = [
            one
            for one in data.ranked
            if one.recipe.model == model and all(run.record.has_probabilities for run in one.runs)
        ]
        for answers in (PLAIN, CALIBRATED) if standings else ():
            lines = []
            for one in sorted(standings, key=lambda standing: data.naming.order(standing.recipe)):
                every = [found.scores.probabilities(run, answers) for run in one.runs]
                bins = reliability(np.concatenate(every), np.tile(found.scores.labels, len(every)))
                marks = {
                    name: [
                        float(share) if count >= _FEWEST else None
                        for share, count in zip(shares, bins.counts, strict=True)
                    ]
                    for name, shares in (("confidence", bins.confidence), ("accuracy", bins.accuracy))
                }
                lines.append({"protocol": one.recipe.protocol} | marks)
            panels.append({"model": model, "answers": answers, "lines": lines})
    if not panels:
        return None
    colours = protocol_colours(data.naming.protocols)
    alt = f"Reliability diagrams with {BINS} bins of confidence: accuracy by confidence on the test split"
    return Picture("reliability", alt, panels, lambda: _draw(panels, colours))


def _draw(panels: list[dict[str, Any]], colours: dict[str, str]) -> Figure:
    used = {line["protocol"] for panel in panels for line in panel["lines"]}
    marks = protocol_marks(colours, used, marker="o", markersize=4)
    marks.append({"label": "perfect calibration", "color": "#999999", "linestyle": "--"})
    axis_labels, top = ("confidence, %", "accuracy, %"), 0.45 + 0.2 * legend_rows(marks, 6)
    figure, grid = panel_grid(len(panels), 4, 2.5, top, axis_labels, left=0.072, hspace=0.36)
    models = list(dict.fromkeys(panel["model"] for panel in panels))
    titles = dict(zip(models, labels_of(models, 32), strict=True))
    for axes, panel in zip(grid, panels, strict=True):
        _panel(axes, panel, titles[panel["model"]], colours)
    add_legend(figure, marks, columns=6)
    return figure


def _panel(axes: Axes, panel: dict[str, Any], model: str, colours: dict[str, str]) -> None:
    axes.plot([0, 100], [0, 100], "--", color="#999999", linewidth=1)
    for line in panel["lines"]:
        confidence, accuracy = (100 * np.array(line[name], dtype=float) for name in ("confidence", "accuracy"))
        axes.plot(confidence, accuracy, "-o", color=colours[line["protocol"]], linewidth=1.3, markersize=3.2, alpha=0.9)
    axes.set_title(f"{model}\n{_TITLES[panel['answers']]}", fontsize=9.5)
    axes.set_xticks((20, 40, 60, 80))  # none at the ends, where panels meet
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.grid()
