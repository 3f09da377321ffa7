"""The matrix of contrasts: every pair's difference in test accuracy, and which stand after correction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from study.analysis.comparisons import Comparisons
from study.analysis.scores import RECIPE
from study.report.figures.picture import LABEL_SIZE, Picture, label_share, new_figure, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: More rows than this make cells that nobody can read; the letters of the leaderboard say the same.
MOST_ROWS = 14


def contrasts_picture(comparisons: Comparisons) -> Picture:
    """Show row less column in points, best on validation first; pairs that are told apart are printed bold."""
    compared = comparisons.compared[:MOST_ROWS]
    names = [shortened(str(recipe), 52) for recipe in compared]
    values: list[list[float | None]] = [[None] * len(names) for _ in names]
    apart = [[False] * len(names) for _ in names]
    for pair in comparisons.pairs:
        if pair.first in compared and pair.second in compared:
            row, column = compared.index(pair.first), compared.index(pair.second)
            values[row][column], values[column][row] = pair.difference.value, -pair.difference.value
            apart[row][column] = apart[column][row] = pair.told_apart
    about = "recipes" if comparisons.question == RECIPE else f"the networks of seed {comparisons.seed}"
    return Picture(
        "contrasts",
        f"Matrix of differences in test accuracy between {about}: row less column, in points",
        {"names": names, "values": values, "apart": apart},
        lambda: _draw(names, values, apart),
    )


def _draw(names: list[str], values: list[list[float | None]], apart: list[list[bool]]) -> Figure:
    import numpy as np
    import seaborn

    numbers = 100 * np.array(values, dtype=np.float64)
    left = label_share([f"{place}  {name}" for place, name in enumerate(names, start=1)])
    cell = min(0.62, 9.0 * (0.99 - left) / len(names))
    height = max(0.27, min(0.34, cell)) * len(names) + 0.5
    figure = new_figure(height)
    axes = figure.add_axes((left, 0.1 / height, cell * len(names) / 9.0, 1 - 0.5 / height))
    reach = max(1.0, float(np.nanmax(np.abs(numbers))))
    words = np.array(
        [["" if value != value else f"{value:+.1f}".replace("-", "−") for value in row] for row in numbers]
    )
    size = 9 if len(names) <= 12 else 7.5 if len(names) <= 18 else 6.5
    seaborn.heatmap(
        numbers,
        ax=axes,
        cbar=False,
        cmap="RdBu",
        vmin=-reach,
        vmax=reach,
        annot=words,
        fmt="",
        annot_kws={"fontsize": size},
        linewidths=0.6,
        linecolor="white",
        xticklabels=[str(place) for place in range(1, len(names) + 1)],
        yticklabels=[f"{name}  {place}" for place, name in enumerate(names, start=1)],
    )
    told = [
        flag for row, shown in zip(apart, words, strict=True) for flag, word in zip(row, shown, strict=True) if word
    ]
    for text, flag in zip((text for text in axes.texts if text.get_text()), told, strict=True):
        text.set_fontweight("bold" if flag else "normal")
    axes.xaxis.tick_top()
    axes.tick_params(length=0, rotation=0)
    axes.tick_params(axis="y", labelsize=LABEL_SIZE)
    return figure
