"""The report on one card and the leaderboard as a picture: what is best, how good, how sure, what the factors do."""

from __future__ import annotations

from typing import Any

import numpy as np

from study.analysis.comparisons import Comparisons
from study.analysis.factors import AUGMENTATION, OVERSAMPLING
from study.analysis.recipes import Recipe
from study.analysis.scores import NETWORK, RECIPE
from study.analysis.statistics import Statistics
from study.report.collect import StudyData, mean_beside_score, shown_score
from study.report.picture import (
    INK,
    LABEL_SIZE,
    Figure,
    Picture,
    add_legend,
    label_share,
    labels_of,
    new_figure,
    protocol_colours,
)
from study.report.section import Section, section
from study.report.sections.conclusions import effect_words, models_behind
from study.report.sections.leakage import by_worth
from study.report.wording import escape, in_points, listed, percent, plural, probability

TEMPLATE = """\
| | |
|:---|:---|
{% for what, words in lines %}
| **{{ what }}** | {{ words }} |
{% endfor %}

{{ picture(ranking) }}
"""
#: More names than this are counted.
_MOST_NAMES = 3
#: Validation lies this much of a row above the mean on test, single runs below it, so that no mark hides another.
_APART = 0.27
#: More rows than this make a picture that nobody reads; the table has them all.
MOST_ROWS = 40


@section("glance", title="At a glance", place=5)
def write(data: StudyData) -> Section | None:
    """Return the card and the leaderboard's figure; None before a run has finished."""
    found = data.found
    if not found:
        return None
    ranking = ranking_picture(data, found)
    lines = _card(data, found) if data.ranked else [("Best", "nothing that may be ranked has finished")]
    return Section.of(TEMPLATE, lines=lines, ranking=ranking)


def _card(data: StudyData, found: Statistics) -> list[tuple[str, str]]:
    first = data.ranked[0]
    score = found.winner()
    about = "over new seeds and images" if score.question == RECIPE else "over new images, for what was trained here"
    if score.low == score.low:
        about = f"95 % interval {percent(score.low)} to {percent(score.high)} {about}"
    if mean := mean_beside_score(found):
        about += f"; mean of its seeds: {mean} %"
    majority = f"always the most frequent class: {percent(data.card.majority_share)} %"
    return [
        ("Best", f"{escape(first.recipe)}, by validation accuracy"),
        ("Test accuracy", f"**{percent(score.value)} %** ({about}); {majority}"),
        ("How sure", _sure(data, found)),
        ("Training", _training(data)),
        ("Leaks", _leaks(data)) if any(leak.paired for leak in data.leaks) else ("Factors", _factors(found)),
    ]


def _sure(data: StudyData, found: Statistics) -> str:
    first = data.ranked[0]
    words = [plural(len(first.runs), "seed")]
    if first.recipe in found.best:
        chance = probability(found.best[first.recipe])
        words.append(f"best of {len(found.best)} recipes on new seeds and images with probability {chance}")
    if len(data.ranked) == 1:
        return f"{words[0]}; no other ranked recipe"
    of_recipes = found.of_best.question == RECIPE
    others = _against(found.of_best, first.recipe)
    some = "" if len(others) == len(data.ranked) - 1 else " with three seeds" if of_recipes else " with its seed"
    alike = [escape(other) for other, told_apart in others.items() if not told_apart]
    if not others:
        words.append("no other ranked recipe has its seed")
    elif not alike:
        named = escape(next(iter(others))) if len(others) == 1 else f"the {len(others)} others{some}"
        words.append(f"significantly different from {named}")
    else:
        named = listed(alike) if len(alike) <= _MOST_NAMES else f"{len(alike)} of {len(others)} others{some}"
        words.append(f"not significantly different from {named}")
    if not of_recipes:
        words.append("another seed could change the order")
    return "; ".join(words)


def _against(comparisons: Comparisons, best: Recipe) -> dict[Recipe, bool]:
    """Tell of every recipe that is compared with the best whether the two differ significantly."""
    pairs = comparisons.declared if best in comparisons.compared[:1] else comparisons.pairs
    return {
        other: one.told_apart
        for one in pairs
        if best in (one.first, one.second)
        for other in {one.first, one.second} - {best}
    }


def _training(data: StudyData) -> str:
    """Say why the best's training ended, and how many runs would have gone on."""
    best = [run for run in data.ranked[0].runs if run.record.outcome]
    trained = [run for run in data.finished if run.record.outcome]
    late, every = (sum(not run.converged for run in runs) for runs in (best, trained))
    if not best:
        return "imported predictions do not say"
    if late:
        which = f"{late} of {len(best)} runs of the best" if len(best) > 1 else "the best"
        words = f"{which} {_was(late)} still improving when the budget ended"
    elif all(run.record.kept.stopped[-1:] == ("patience",) for run in best):
        words = "the best stopped when validation no longer improved"
    elif all(run.spec.protocol.phases[-1].monitor == "last" for run in best):
        words = "the best ran its whole schedule"
    else:
        words = "the best had its best epoch before the budget ended"
    return f"{words}; {every} of {len(trained)} runs in all {_was(every)} still improving (†)" if every else words


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _factors(found: Statistics) -> str:
    """Say what each switch does to accuracy; families of networks differ in more than one and have no place here."""
    parts = []
    for one in found.effects.overall["accuracy"]:
        way, factor = one.contrast.way, one.contrast.factor
        if name := f"pretraining, {way}" if way else factor if factor in (OVERSAMPLING, AUGMENTATION) else "":
            if some := models_behind(found, found.effects, one):
                name += f" ({escape(some)})"
            parts.append(f"{name} {effect_words(found, found.effects, one)[1]}")
    return "; ".join(parts) or "no runs differ in one factor alone"


def _leaks(data: StudyData) -> str:
    """Say what each leak is worth, the largest first; those that no test tells from nothing are counted."""
    known = [leak for leak in by_worth(data.leaks) if leak.paired and not leak.hardly_trained]
    worth = [(leak.recipe.protocol, leak.worth[leak.measure]) for leak in known]
    parts = [f"{escape(name)} {in_points(one)} points" for name, one in worth if one.low > 0 or one.high < 0]
    if rest := len(worth) - len(parts):
        parts.append(f"{plural(rest, 'other leak' if parts else 'leak')} not told from zero")
    return "; ".join(parts) or "hardly trained, so that nothing follows"


def ranking_picture(data: StudyData, found: Statistics) -> Picture:
    """Show the best recipes, best on top: test accuracy with its interval, one dot a run, and validation."""
    rows: list[dict[str, Any]] = []
    for one in data.standings[:MOST_ROWS]:
        score = shown_score(found, one)
        rows.append(
            {
                "recipe": str(one.recipe),
                "protocol": one.recipe.protocol,
                "validation": [run.validation.accuracy for run in one.runs],
                "test": [run.test.accuracy for run in one.runs],
                "interval": [score.low, score.high],
                "question": score.question,
                "ranked": one.rank is not None,
            }
        )
    content: dict[str, Any] = {"rows": rows, "majority": data.card.majority_share, "bound": data.card.bound}
    colours = protocol_colours(data.naming.protocols)
    alt = "Validation and test accuracy of every recipe in the order of the leaderboard"
    return Picture("leaderboard", alt, content, lambda: _draw(colours, **content))


def _draw(colours: dict[str, str], rows: list[dict], majority: float, bound: float | None) -> Figure:
    height = 0.32 * len(rows) + 0.95
    figure = new_figure(height)
    names = labels_of((row["recipe"] for row in rows), 42)
    names = [name + ("" if row["ranked"] else " – not ranked") for name, row in zip(names, rows, strict=True)]
    left = label_share(names)
    axes = figure.add_axes((left, 0.55 / height, 0.985 - left, 1 - 0.9 / height))
    for place, row in enumerate(rows):
        colour = colours[row["protocol"]]
        validation, test = (100 * sum(row[split]) / len(row[split]) for split in ("validation", "test"))
        ends = [100 * end for end in row["interval"]]
        whole = row["question"] == RECIPE  # a network's interval is drawn thinner: it holds for less
        axes.plot(ends, [place, place], color=colour, linewidth=2.6 if whole else 1.2, alpha=0.75, zorder=2)
        if len(row["test"]) > 1:
            every = [100 * value for value in row["test"]]
            axes.plot(every, [place + _APART] * len(every), ".", color=colour, markersize=6, zorder=5)
        axes.plot(test, place, "o", color=colour, markersize=7, zorder=3)
        axes.plot(validation, place - _APART, "D", color=colour, markerfacecolor="white", markersize=5, zorder=4)
    axes.set_yticks(range(len(rows)), names, fontsize=LABEL_SIZE)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("accuracy, %")
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    # The axis spans what is measured, whatever the majority class or the label noise allow.
    shown = [100 * value for row in rows for what in ("validation", "test", "interval") for value in row[what]]
    least, most = np.nanmin(shown), np.nanmax(shown)
    margin = max(0.5, 0.04 * (most - least))
    low, high = axes.set_xlim(max(0.0, least - margin), min(100.0, most + margin))
    lines = [("majority", majority, ":")] + ([("label noise", bound, "--")] if bound else [])
    lines = [line for line in lines if low <= 100 * line[1] <= high]
    for _, value, style in lines:
        axes.axvline(100 * value, color=INK, linestyle=style, linewidth=1.1, zorder=1)
    marks: list[dict[str, Any]] = [
        {"label": "validation", "linestyle": "", "marker": "D", "markersize": 5, "markerfacecolor": "white"},
        {"label": "test", "linestyle": "", "marker": "o", "markersize": 7},
    ]
    questions = {row["question"] for row in rows}
    if RECIPE in questions:
        marks.append({"label": "95 %, recipe", "linewidth": 2.6, "alpha": 0.75})
    if NETWORK in questions:
        marks.append({"label": "95 %, these networks", "linewidth": 1.2, "alpha": 0.75})
    if any(len(row["test"]) > 1 for row in rows):
        marks.append({"label": "each run", "linestyle": "", "marker": ".", "markersize": 6})
    marks += [{"label": name, "linestyle": style, "linewidth": 1.1} for name, _, style in lines]
    add_legend(figure, marks, columns=len(marks))
    return figure
