"""Forest plots of factor effects: on the scores over all classes, and on each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from study.analysis.comparisons import Effect
from study.analysis.metric import METRICS
from study.analysis.scores import RECIPE
from study.analysis.statistics import Statistics
from study.report.collect import StudyData
from study.report.figures.picture import LABEL_SIZE, Picture, label_share, new_figure
from study.report.wording import listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ALL = "all models"
#: Panels of the picture by class beside each other.
_MOST_FACTORS = 4


def effects_picture(data: StudyData, found: Statistics) -> Picture:
    """Show every effect with its interval, one panel a score, one row a factor and model."""
    by_place: dict[tuple[str, str], dict[str, Any]] = {}
    titles = {name: METRICS.get(name).title for name in found.effects.overall}
    for measure in titles:
        for one in (*found.effects.overall[measure], *found.effects.by_model[measure]):
            place = (one.contrast.factor, one.contrast.model or _ALL)
            by_place.setdefault(place, {})[measure] = _mark(one)
    factors = list(dict.fromkeys(factor for factor, _ in by_place))
    order = [_ALL, *data.naming.models]
    places = sorted(by_place, key=lambda place: (factors.index(place[0]), order.index(place[1])))
    rows = [{"factor": factor, "model": model, **by_place[factor, model]} for factor, model in places]
    about = "new seeds and images" if found.effects.question == RECIPE else f"the networks of seed {found.effects.seed}"
    alt = f"Effect of each factor on test {listed(list(titles.values()))} with 95 % intervals, for {about}"
    return Picture("factor-effects", alt, rows, lambda: _draw(rows, titles))


def class_effects_picture(data: StudyData, found: Statistics) -> Picture:
    """Show every factor's effect on each class's recall: who gains and who pays."""
    factors = list(dict.fromkeys(one.contrast.factor for one in found.effects.by_class["recall"]))[:_MOST_FACTORS]
    panels = {
        factor: [_mark(one) for one in found.effects.by_class["recall"] if one.contrast.factor == factor]
        for factor in factors
    }
    alt = "Effect of each factor on the recall of every class with 95 % intervals"
    content = {"classes": data.classes, "panels": panels}
    return Picture("factor-effects-by-class", alt, content, lambda: _draw_classes(data.classes, panels))


def _mark(one: Effect) -> list[float | bool]:
    return [one.difference.value, one.difference.low, one.difference.high, one.told_apart]


def _draw(rows: list[dict[str, Any]], titles: Mapping[str, str]) -> Figure:
    places, heads, labels, place = [], [], [], 0.0
    for number, row in enumerate(rows):
        alone = sum(other["factor"] == row["factor"] for other in rows) == 1
        if number and rows[number - 1]["factor"] != row["factor"]:
            place += 0.35
        if not alone and (number == 0 or rows[number - 1]["factor"] != row["factor"]):
            heads.append((place, row["factor"]))
            place += 1.0
        places.append(place)
        labels.append(row["factor"] if alone else row["model"])
        if alone:
            heads.append((place, row["factor"]))
        place += 1.0
    height = 0.25 * place + 0.65
    figure = new_figure(height)
    panels = figure.subplots(1, len(titles), sharex=True, sharey=True, squeeze=False)[0]
    names = [label if len(label) < 24 else label.replace(" × ", " ×\n") for label in labels]
    left = max(label_share([line for name in names for line in name.split("\n")]), 0.2)
    figure.subplots_adjust(left=left, right=0.985, top=1 - 0.1 / height, bottom=0.5 / height, wspace=0.08)
    for axes, (measure, title) in zip(panels, titles.items(), strict=True):
        for spot, row in zip(places, rows, strict=True):
            _whisker(axes, spot, row[measure], large=row["model"] == _ALL)
        _finish(axes, f"test {title}, points")
    shown = [("" if (spot, label) in heads else name) for spot, label, name in zip(places, labels, names, strict=True)]
    panels[0].set_yticks(places, shown, fontsize=LABEL_SIZE)
    panels[0].set_ylim(place - 0.3, -0.7)
    low, high = panels[0].get_position().y0, panels[0].get_position().y1
    for spot, factor in heads:
        words = factor if len(factor) < 26 else factor.replace(" × ", " ×\n", 1)
        share = (place - 0.3 - spot) / (place + 0.4)
        spacing: dict[str, Any] = {"fontsize": LABEL_SIZE, "fontweight": "bold", "va": "center", "linespacing": 0.95}
        figure.text(0.008, low + share * (high - low), words, **spacing)
    return figure


def _draw_classes(classes: Sequence[str], panels: dict[str, list[list[Any]]]) -> Figure:
    height = 0.27 * len(classes) + 0.95
    figure = new_figure(height)
    grid = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    figure.subplots_adjust(
        left=max(0.09, label_share(list(classes))), right=0.985, top=1 - 0.35 / height, bottom=0.5 / height, wspace=0.06
    )
    for axes, (factor, marks) in zip(grid, panels.items(), strict=True):
        for spot, mark in enumerate(marks):
            _whisker(axes, spot, mark, large=False)
        axes.set_title(factor)
        _finish(axes, "recall, points")
    grid[0].set_yticks(range(len(classes)), classes, fontsize=LABEL_SIZE)
    grid[0].set_ylim(len(classes) - 0.4, -0.6)
    return figure


def _whisker(axes: Axes, spot: float, mark: Sequence[Any], large: bool) -> None:
    """Draw one effect; filled where it stands after Holm's correction, hollow where not."""
    value, low, high, told_apart = mark
    colour = "#0072B2" if told_apart else "#777777"
    if low == low:
        axes.plot([100 * low, 100 * high], [spot, spot], color=colour, linewidth=2.4 if large else 1.5, zorder=2)
    axes.plot(
        100 * value,
        spot,
        "D" if large else "o",
        markersize=7 if large else 5.5,
        markerfacecolor=colour if told_apart else "white",
        markeredgecolor=colour,
        markeredgewidth=1.4,
        zorder=3,
    )


def _finish(axes: Axes, label: str) -> None:
    axes.axvline(0, color="#333333", linewidth=1, zorder=1)
    axes.grid(axis="x")
    axes.set_xlabel(label)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
