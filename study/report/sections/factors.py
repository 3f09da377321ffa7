"""What oversampling, augmentation and transfer do to the scores, and to each class."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from study.analysis.comparisons import Effect
from study.analysis.factors import FactorContrast, is_random_start
from study.analysis.metric import METRICS
from study.analysis.scores import RECIPE
from study.analysis.statistics import Effects, Statistics
from study.report.collect import StudyData
from study.report.picture import INK, LABEL_SIZE, Axes, Figure, Picture, label_share, labels_of, new_figure
from study.report.section import Section, section
from study.report.table import Column, Table, hidden, text_columns
from study.report.wording import escape, in_points, listed, p_sentence, points

TEMPLATE = """\
{{ about }}. Effect = score with the factor minus score without it, in \
points on the test split, averaged over everything else that was run both ways, so that a model with more such runs \
weighs more. An interaction is the difference between two such effects.

Bars are 95 % intervals. Each interval holds for its effect alone; p is corrected for all of them. An interval may \
therefore exclude zero where p is above 0.05. **Filled** markers and bold numbers are significant after Holm's \
correction within a score. Diamonds are effects over all models that ran both ways, circles those of single models; \
each kind is one family of the correction. These contrasts follow from the factors, not from the results{{ ", except \
that validation accuracy chose one of several random starts" if several_starts }}.

{{ picture(effects) }}
{% set body %}
{{ table.markdown() }}

p after Holm's correction; raw values are in [tables/factor-effects.csv](tables/factor-effects.csv).
{% endset %}
{{ folded("Factor effects in numbers", body) }}
{% if others %}
{{ folded(others_about, others.markdown()) }}
{% endif %}

### Effect on each class

Effects on the recall of each class, over the models that ran both ways. Precision and F1 are in \
[tables/factor-effects-by-class.csv](tables/factor-effects-by-class.csv); a precision is blank where some network \
never predicted the class.

{{ picture(by_class) }}

{{ folded("Recall of each class: effects in points", recall.markdown()) }}
"""
#: Panels of the picture by class beside each other.
_MOST_FACTORS = 4
#: An effect of more models names their number.
_MOST_NAMES = 4


@section("factors", title="What each factor does", place=60)
def write(data: StudyData) -> Section | None:
    """Return the effects over all models, model by model and class by class; None without any."""
    found = data.found
    if not found or not found.effects:
        return None
    starts = {data.recipe(run.record) for run in data.runs if is_random_start(run.spec.protocol.name)}
    groups, others = _groups(found.effects, data.naming.models), found.other_effects
    return Section.of(
        TEMPLATE,
        _every_class_table(data, found),
        found=found,
        several_starts=len(starts) > 1,
        about=_about(found, found.effects),
        effects=_picture(found, groups),
        by_class=_class_picture(data, found),
        table=_table("factor-effects", found.effects, groups),
        others=others and _table(f"factor-effects-of-{others.question}s", others, _groups(others, data.naming.models)),
        others_about=others and _about(found, others).replace("**", ""),
        recall=_class_table(data.classes, found.effects.by_class["recall"]),
    )


def _about(found: Statistics, effects: Effects) -> str:
    """Say what the effects hold for."""
    if effects.question == RECIPE:
        return "Over new seeds and new images" + (", of the recipes with three seeds" if found.other_effects else "")
    return f"**Among the trained networks of seed {effects.seed} alone**, over new images"


def _groups(effects: Effects, models: Sequence[str]) -> list[tuple[Effect, ...]]:
    """Return the effects on every score of each factor over all models, followed by those model by model."""
    families = (effects.overall, effects.by_model)
    groups = [group for family in families for group in zip(*family.values(), strict=True)]
    factors = list(dict.fromkeys(group[0].contrast.factor for group in groups))
    order = [None, *models]

    def place(group: tuple[Effect, ...]) -> tuple[int, int]:
        return factors.index(group[0].contrast.factor), order.index(group[0].contrast.model)

    return sorted(groups, key=place)


def _models(contrast: FactorContrast, brief: bool = False) -> str:
    """Return the models behind an effect; of one model's effect against that of others, both sides."""
    every = sorted({recipe.model for recipe in contrast.weights})
    if contrast.model is None:
        return _named(every, brief)
    if contrast.factor.endswith(" × model"):
        others = [model for model in every if model != contrast.model]
        return f"{_named([contrast.model], brief)} vs {_named(others, brief)}"
    return contrast.model


def _named(models: list[str], brief: bool) -> str:
    """Return names of models, if ``brief`` those of their networks alone, or their number where they are many."""
    names = sorted({model.partition(" (")[0] for model in models}) if brief else labels_of(models)
    return ", ".join(names) if len(names) <= _MOST_NAMES else f"{len(names)} models"


def _table(name: str, effects: Effects, groups: Sequence[Sequence[Effect]]) -> Table:
    """Each factor's effect over all models and for each, on accuracy, balanced accuracy and macro-F1."""
    rows = []
    for group in groups:
        contrast = group[0].contrast
        flat = [number for one in group for number in (one.difference, one.difference.p_value, one.adjusted)]
        named = [contrast.factor, _models(contrast), contrast.model or "all"]
        rows.append([*named, *group, *flat, group[0].difference.runs])
    columns = [Column("", METRICS.get(metric).title, _words) for metric in effects.overall]
    keys = [f"{metric}{end}" for metric in effects.overall for end in ("", "_p", "_p_holm")]
    first = [*text_columns("factor"), Column("", "model", right=False), *hidden("model")]
    return Table(name, [*first, *columns, *hidden(*keys, "runs")], rows)


def _class_table(classes: Sequence[str], effects: Sequence[Effect]) -> Table:
    """Each factor's effect on every class, over all models."""
    by_factor: dict[str, list[Effect]] = {}
    for one in effects:
        by_factor.setdefault(one.contrast.factor, []).append(one)
    columns = [Column("", "class", right=False), *(Column("", escape(factor), _words) for factor in by_factor)]
    return Table("", columns, list(zip(classes, *by_factor.values(), strict=False)))


def _every_class_table(data: StudyData, found: Statistics) -> Table:
    """The same for every measure in one CSV."""
    rows = [
        [one.contrast.factor, measure, data.classes[one.measure.class_index or 0], one.difference]
        + [one.difference.p_value, one.adjusted, one.difference.runs]
        for measure, effects in found.effects.by_class.items()
        for one in effects
    ]
    return Table("factor-effects-by-class", hidden("factor", "measure", "class", "effect", "p", "p_holm", "runs"), rows)


def _words(one: Effect) -> str:
    """Write an effect with its interval and corrected p, bold where it is significant."""
    value = points(one.difference.value)
    text = in_points(one.difference)
    text = f"**{value}**{text.removeprefix(value)}" if one.told_apart else text
    return text if one.adjusted != one.adjusted else f"{text}<br><sub>{p_sentence(one.adjusted)}</sub>"


def _picture(found: Statistics, groups: Sequence[Sequence[Effect]]) -> Picture:
    """Show every effect with its interval, one panel a score, one row a factor and model."""
    metrics = [METRICS.get(name) for name in found.effects.overall]
    rows = [
        {"factor": group[0].contrast.factor, "models": _models(group[0].contrast, brief=True)}
        | {"overall": group[0].contrast.model is None}
        | {one.measure.metric: _mark(one) for one in group}
        for group in groups
    ]
    about = "new seeds and images" if found.effects.question == RECIPE else f"the networks of seed {found.effects.seed}"
    alt = f"Effect of each factor on test {listed([one.title for one in metrics])} with 95 % intervals, for {about}"
    return Picture(
        "factor-effects", alt, rows, lambda: _draw(rows, {one.name: one.heading or one.title for one in metrics})
    )


def _class_picture(data: StudyData, found: Statistics) -> Picture:
    """Show every factor's effect on each class's recall."""
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


def _draw(rows: list[dict[str, Any]], headings: Mapping[str, str]) -> Figure:
    heads, places, place = [], [], 0.0
    for factor, members in itertools.groupby(rows, key=lambda row: row["factor"]):
        heads.append((place, factor))
        for _ in members:
            place += 1.0
            places.append(place)
        place += 1.35
    height = 0.25 * place + 0.65
    figure = new_figure(height)
    panels = figure.subplots(1, len(headings), sharex=True, sharey=True, squeeze=False)[0]
    names = labels_of(row["models"] for row in rows)
    left = max(label_share(names), 0.262)
    figure.subplots_adjust(left=left, right=0.985, top=1 - 0.1 / height, bottom=0.5 / height, wspace=0.08)
    for axes, (measure, title) in zip(panels, headings.items(), strict=True):
        for spot, row in zip(places, rows, strict=True):
            _whisker(axes, spot, row[measure], large=row["overall"])
        _finish(axes, title)
    panels[0].set_yticks(places, names, fontsize=LABEL_SIZE)
    panels[0].set_ylim(place - 0.3, -0.7)
    low, high = panels[0].get_position().y0, panels[0].get_position().y1
    for spot, factor in heads:
        share = (place - 0.3 - spot) / (place + 0.4)
        spacing: dict[str, Any] = {"fontsize": LABEL_SIZE, "fontweight": "bold", "va": "center"}
        figure.text(0.008, low + share * (high - low), factor, **spacing)
    return figure


def _draw_classes(classes: Sequence[str], panels: dict[str, list[list[Any]]]) -> Figure:
    height = 0.27 * len(classes) + 0.95
    figure = new_figure(height)
    grid = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    left, top = max(0.09, label_share(list(classes))), 1 - 0.35 / height
    figure.subplots_adjust(left=left, right=0.985, top=top, bottom=0.5 / height, wspace=0.12)
    for axes, (factor, marks) in zip(grid, panels.items(), strict=True):
        for spot, mark in enumerate(marks):
            _whisker(axes, spot, mark, large=False)
        axes.set_title(factor)
        _finish(axes, "recall")
    grid[0].set_yticks(range(len(classes)), classes, fontsize=LABEL_SIZE)
    grid[0].set_ylim(len(classes) - 0.4, -0.6)
    return figure


def _whisker(axes: Axes, spot: float, mark: Sequence[Any], large: bool) -> None:
    """Draw one effect; filled where it stands after Holm's correction, hollow where not."""
    value, low, high, told_apart = mark
    colour = "#0072B2" if told_apart else "#777777"
    if low == low:
        axes.plot([100 * low, 100 * high], [spot, spot], color=colour, linewidth=2.4 if large else 1.5, zorder=2)
    marker, size, fill = "D" if large else "o", 7 if large else 5.5, colour if told_apart else "white"
    axes.plot(
        100 * value, spot, marker, color=colour, markersize=size, markerfacecolor=fill, markeredgewidth=1.4, zorder=3
    )


def _finish(axes: Axes, label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 2.5, 5, 10)))
    axes.axvline(0, color=INK, linewidth=1, zorder=1)
    axes.grid(axis="x")
    axes.set_xlabel(label)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
