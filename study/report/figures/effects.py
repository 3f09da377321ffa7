"""Factor effects as a picture: one mark a matched pair, a bar for the mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from study.analysis.effects import FACTORS
from study.report.collect import StudyData
from study.report.figures.picture import LABEL_SIZE, MARKERS, Picture, label_share, new_figure, protocol_colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS = {"accuracy": "test accuracy", "balanced_accuracy": "balanced accuracy", "macro_f1": "macro-F1"}


def effects_picture(data: StudyData) -> Picture:
    """Show the differences of every matched pair by factor and model."""
    rows: list[dict[str, Any]] = []
    for factor in FACTORS:
        for model in data.naming.models:
            pairs = [pair for pair in data.pairs if (pair.factor, pair.model) == (factor, model)]
            if pairs:
                rows.append(
                    {
                        "factor": factor,
                        "model": model,
                        "protocols": [data.recipe(pair.with_factor.record).protocol for pair in pairs],
                        **{measure: [pair.difference(measure) for pair in pairs] for measure in _PANELS},
                    }
                )
    colours = protocol_colours(data.naming.protocols)
    alt = "Difference that each factor makes in test accuracy, balanced accuracy and macro-F1, by model"
    return Picture("factor-effects", alt, rows, lambda: _draw(rows, colours))


def _draw(rows: list[dict[str, Any]], colours: dict[str, str]) -> Figure:
    from matplotlib.lines import Line2D

    places, heads, place = [], [], 0.0
    for before, row in zip([None, *rows[:-1]], rows, strict=True):
        if before is None or before["factor"] != row["factor"]:
            heads.append((place, row["factor"]))
            place += 1.0
        places.append(place)
        place += 1.0
    height = 0.27 * place + 1.15
    figure = new_figure(height)
    panels = figure.subplots(1, len(_PANELS), sharex=True, sharey=True)
    left = max(0.24, label_share([row["model"] for row in rows]))
    figure.subplots_adjust(left=left, right=0.985, top=1 - 0.4 / height, bottom=0.55 / height, wspace=0.08)
    for axes, (measure, title) in zip(panels, _PANELS.items(), strict=True):
        for spot, row in zip(places, rows, strict=True):
            values = [100 * value for value in row[measure]]
            for value, protocol in zip(values, row["protocols"], strict=True):
                axes.plot(
                    value,
                    spot,
                    MARKERS[list(colours).index(protocol) % len(MARKERS)],
                    color=colours[protocol],
                    markersize=5.5,
                    alpha=0.75,
                )
            mean = sum(values) / len(values)
            axes.plot([mean, mean], [spot - 0.36, spot + 0.36], color="black", linewidth=2.2, zorder=4)
        axes.axvline(0, color="#333333", linewidth=1)
        axes.grid(axis="x")
        axes.set_xlabel(f"{title}, points")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    panels[0].set_yticks(places, [row["model"] for row in rows], fontsize=LABEL_SIZE)
    panels[0].set_ylim(place - 0.3, -0.7)
    for spot, factor in heads:
        low, high = panels[0].get_position().y0, panels[0].get_position().y1
        share = (place - 0.3 - spot) / (place + 0.4)
        figure.text(
            0.008,
            low + share * (high - low),
            factor,
            fontsize=LABEL_SIZE,
            fontweight="bold",
            va="center",
        )
    used = [name for name in colours if any(name in row["protocols"] for row in rows)]
    handles = [
        Line2D(
            [],
            [],
            linestyle="",
            marker=MARKERS[list(colours).index(name) % len(MARKERS)],
            color=colours[name],
            label=name,
        )
        for name in used
    ]
    handles.append(
        Line2D([], [], linestyle="", marker="|", markersize=11, markeredgewidth=2.2, color="black", label="mean")
    )
    figure.legend(handles=handles, loc="upper center", ncols=min(6, len(handles)), fontsize=9, borderaxespad=0.2)
    return figure
