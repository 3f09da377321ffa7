"""What each leak claims, what its clean twin scores, and what lies between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from study.analysis.leaks import ORACLE, PLAIN, REWEIGHTED, Leak
from study.analysis.scores import Statement
from study.report.collect import StudyData
from study.report.picture import INK, LABEL_SIZE, Figure, Picture, add_legend, label_share, new_figure, panel_grid
from study.report.section import Section, section
from study.report.table import Column, Table, hidden
from study.report.wording import marks, percent, points, with_interval

TEMPLATE = """\
What it is worth to let test images into training or into a choice. **Claimed** is what the leaky pipeline would have \
reported of itself, on its own test part. **Leaky** and **clean** are its networks and those of its clean twin, which \
differs in the leak alone, both on the images that the twin holds out; **worth** is leaky less clean in points, with \
95 % intervals in small type. *Balanced accuracy* weighs every class the same, as an oversampled test split does.

{{ picture(ladder) }}

{{ table.markdown() }}

{% if oracle %}
For `checkpoint-on-test`, clean is the same training at its highest validation accuracy. It is not the leaderboard's \
clean twin, which keeps the lowest loss.

{% endif %}
{% if data.leaks | selectattr("hardly_trained") | list %}
‡ hardly trained: nothing follows on this leak.

{% endif %}
{% for leak in data.leaks if not leak.paired %}
{{ leak.recipe | md }}: no run of its clean twin{{ " " ~ (leak.twin | code) if leak.twin }} with the same seed, so \
that nothing can be said about its worth.

{% endfor %}
{% set body %}
- Leaks **before the split** (`oversample-before-split`, `augment-before-split`, `cnn5-notebook`): all images are \
split anew at random. The claim is made on the leaky pipeline's own test part, copies included; the comparison on the \
images that the clean twin holds out. {% if augmented %}The own test part of `augment-before-split` contains augmented \
copies, which are harder, so its claim can lie below both. {% endif %}Both make the same number of updates and keep \
the checkpoint with the lowest loss on their own validation part.
- **`checkpoint-on-test`**: one training. Leaky is the epoch with the highest test accuracy, clean the epoch with the \
highest validation accuracy.
- **`test-as-validation`**: checkpoint, stopping and learning rate follow the loss on the test split, or on the \
validation split.
- With three seeds or more the intervals hold for new seeds and new images, seeds paired; with fewer for the trained \
networks on new images. A chosen epoch counts as given: the intervals do not choose it again.
- **Trained on** and **unseen** part the scored images by whether the leaky networks trained on them, or on an \
identical copy. The counts, and the clean twin's accuracy without images that have an identical copy in its training \
part, are in [tables/leakage.csv](tables/leakage.csv).
{% endset %}
{{ folded("How the pairs are made", body) }}

{% if by_epoch %}
By epoch: leaks of images as the networks stood after each epoch; leaks of a choice as the checkpoint that would have \
been kept up to it. All numbers, with training accuracies, are in \
[tables/leakage-by-epoch.csv](tables/leakage-by-epoch.csv).

{{ picture(by_epoch) }}
{% endif %}
"""
_CLAIMED = "#D55E00"
#: What is shown of a leak: its key, how its mark looks, and its words. A leaky mark on a clean one hides only a part.
_MARKS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("clean", {"color": "#0072B2", "marker": "o", "markersize": 9}, "clean twin"),
    ("leaky", {"color": "#E69F00", "marker": "o", "markersize": 5.5}, "leaky, same images as clean"),
    (
        "claimed",
        {"color": _CLAIMED, "marker": "D", "markersize": 6, "markerfacecolor": "white"},
        "claimed, on its own test part",
    ),
)


@section("leakage", title="Leakage", place=20)
def write(data: StudyData) -> Section | None:
    """Return the ladder of leaks; None without leaky runs."""
    if not data.leaks:
        return None
    leaks = by_worth(data.leaks)
    return Section.of(
        TEMPLATE,
        _curve_table(leaks),
        data=data,
        ladder=_picture(leaks),
        by_epoch=_curve_picture(leaks),
        table=_table(leaks),
        oracle=any(leak.kind == ORACLE and leak.paired for leak in leaks),
        augmented=any(leak.kind == "augment-before-split" for leak in leaks),
    )


def by_worth(leaks: Sequence[Leak]) -> list[Leak]:
    """Return leaks by what they are worth, the largest first; those without a clean twin last."""
    return sorted(leaks, key=lambda leak: -leak.worth[leak.measure].value if leak.paired else float("inf"))


def _table(leaks: Sequence[Leak]) -> Table:
    """Every leak: claimed, the same networks and their clean twins on the same images, and what the leak was worth."""

    def name(leak: Leak) -> str:
        return leak.recipe.protocol.removeprefix("leaky/") + marks(False, leak.hardly_trained)

    def value(one: Statement) -> str:
        return percent(one.value)

    def worth(one: Statement) -> str:
        return with_interval(one, points)

    def scored(measure: str, key: str = "", title: str = "") -> list[Column]:
        return [
            Column(f"leaky{key}", f"leaky{title}", value, value=lambda leak: leak.leaky.get(measure)),
            Column(f"clean{key}", f"clean{title}", with_interval, value=lambda leak: leak.clean.get(measure)),
            Column(f"worth{key}", f"worth{title}", worth, value=lambda leak: leak.worth.get(measure)),
        ]

    columns = [
        Column("model", "model", right=False, value="recipe.model"),
        Column("", "protocol", right=False, value=name),
        Column("protocol", value="recipe.protocol"),
        Column("leak", value="kind"),
        Column("clean_twin", value="twin"),
        Column("seeds", "n", value=lambda leak: len(leak.seeds)),
        Column("statement_about", value=lambda leak: leak.leaky[PLAIN].question),
        Column("claimed", "claimed, on its own test part", with_interval),
        *scored(PLAIN),
        *scored(REWEIGHTED, "_reweighted", ", balanced acc."),
        Column("worth_on_images_trained_on", "trained on", worth, value="worth_trained_on"),
        Column("worth_on_unseen_images", "unseen", worth, value="worth_unseen"),
        Column("images"),
        Column("images_trained_on", value="trained_on"),
        *hidden("clean_without_copies", "hardly_trained", "runs"),
    ]
    return Table.of("leakage", columns, leaks)


def _curve_table(leaks: Sequence[Leak]) -> Table:
    """Every leak epoch by epoch; for the CSV."""
    rows = []
    for leak in leaks:
        score = "balanced accuracy" if leak.measure == REWEIGHTED else "accuracy"
        for step in leak.curve:
            found = [step.epoch, step.leaky, step.clean, step.worth, step.leaky_training, step.clean_training]
            rows.append([leak.recipe.model, leak.recipe.protocol, score, *found, leak.runs])
    scores = ("leaky", "clean", "worth", "leaky_training_accuracy", "clean_training_accuracy")
    return Table("leakage-by-epoch", hidden("model", "protocol", "score", "epoch", *scores, "runs"), rows)


def _picture(leaks: Sequence[Leak]) -> Picture:
    """Show for every leak what was claimed, and what leaky and clean networks score on the same images."""
    rows = [
        {
            "name": _name(leak),
            "claimed": _ends(leak.claimed),
            "leaky": _ends(leak.leaky[leak.measure]),
            "clean": _ends(leak.clean[leak.measure]) if leak.paired else None,
            "worth": _ends(leak.worth[leak.measure]) if leak.paired else None,
        }
        for leak in leaks
    ]
    alt = "What leaky pipelines claim, and what they and their clean twins score on the same images"
    return Picture("leakage", alt, rows, lambda: _draw_ladder(rows))


def _curve_picture(leaks: Sequence[Leak]) -> Picture | None:
    """Show what each leak is worth epoch by epoch, one panel a leak; None without any curve."""
    panels = [
        {"name": _name(leak), "epochs": [step.epoch for step in leak.curve]}
        | {"worth": [_ends(step.worth) for step in leak.curve]}
        for leak in leaks
        if leak.curve
    ]
    alt = "What each leak is worth by epoch, in points, with 95 % intervals"
    return Picture("leakage-by-epoch", alt, panels, lambda: _draw_curves(panels)) if panels else None


def _name(leak: Leak) -> str:
    equal = ", balanced acc." if leak.measure == REWEIGHTED else ""
    return f"{leak.recipe.model}: {leak.recipe.protocol.removeprefix('leaky/')}{equal}"


def _ends(value: Statement) -> list[float | None]:
    """Return a statement as value and ends, None where it has no interval."""
    return [one if one == one else None for one in (value.value, value.low, value.high)]


def _draw_ladder(rows: list[dict[str, Any]]) -> Figure:
    height = 0.5 * len(rows) + 1.0
    figure = new_figure(height)
    names = [row["name"] for row in rows]
    left = label_share(names)
    axes = figure.add_axes((left, 0.55 / height, 0.985 - left, 1 - 0.95 / height))
    for place, row in enumerate(rows):
        if row["clean"]:
            ends = [100 * row["clean"][0], 100 * row["leaky"][0]]
            axes.plot(ends, [place, place], color="#bbbbbb", linewidth=6, solid_capstyle="butt", zorder=1)
            right = 100 * max(one for what, *_ in _MARKS for one in row[what] if one is not None)
            aside: dict[str, Any] = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", "fontsize": 9}
            axes.annotate(points(row["worth"][0]), (right, place), **aside)
        # Intervals lie beside each other, so that none hides another. The claim is on other images and stands higher.
        for mark, interval, (what, looks, _) in zip((0.0, 0.0, -0.24), (0.22, 0.3, -0.24), _MARKS, strict=True):
            if row[what]:
                value, low, high = (float("nan") if one is None else 100 * one for one in row[what])
                axes.plot([low, high], [place + interval] * 2, color=looks["color"], linewidth=1.4, zorder=2)
                axes.plot(value, place + mark, linestyle="", zorder=3, **looks)
    axes.margins(x=0.08)
    axes.set_yticks(range(len(rows)), names, fontsize=LABEL_SIZE)
    axes.set_ylim(len(rows) - 0.45, -0.65)
    axes.set_xlabel("accuracy, %")
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    marks = [{"label": label, "linestyle": "", **looks} for _, looks, label in reversed(_MARKS)]
    add_legend(figure, [*marks, {"label": "worth, points", "color": "#bbbbbb", "linewidth": 6}], columns=4)
    return figure


def _draw_curves(panels: list[dict[str, Any]]) -> Figure:
    from matplotlib.ticker import MaxNLocator

    figure, grid = panel_grid(len(panels), 3, 2.4, 0.45, ("epoch", "worth, points"), left=0.075, hspace=0.6)
    missing = float("nan")
    for axes, panel in zip(grid, panels, strict=True):
        value, low, high = (
            [missing if one[part] is None else 100 * one[part] for one in panel["worth"]] for part in range(3)
        )
        axes.fill_between(panel["epochs"], low, high, color=_CLAIMED, alpha=0.2, linewidth=0)
        axes.plot(panel["epochs"], value, color=_CLAIMED, marker="." if len(value) == 1 else None)
        axes.axhline(0, color=INK, linewidth=0.9)
        axes.set_title(panel["name"].replace(": ", "\n", 1), fontsize=9.5)  # fits a narrow panel
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure
