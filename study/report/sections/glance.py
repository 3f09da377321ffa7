"""The report on one card: what is best, how good, how sure, whether it converged, and what the factors do."""

from __future__ import annotations

from study.analysis.factors import AUGMENTATION, OVERSAMPLING, TRANSFER
from study.analysis.scores import RECIPE
from study.analysis.statistics import Statistics
from study.report.collect import StudyData
from study.report.conclusions import effect_in_short
from study.report.figures.ranking import ranking_picture
from study.report.section import Section, fill, section
from study.report.wording import escape, listed, percent, plural, probability, with_interval_inline

TEMPLATE = """\
| | |
|:---|:---|
{% for what, words in lines %}
| **{{ what }}** | {{ words }} |
{% endfor %}

{{ picture(ranking) }}
"""
_FACTORS = {OVERSAMPLING: "oversampling", AUGMENTATION: "augmentation", f"{TRANSFER} vs custom": "transfer vs custom"}
#: More names than this are counted.
_MOST_NAMES = 3


@section("glance", title="At a glance", place=5)
def write(data: StudyData) -> Section | None:
    """Return the card and the leaderboard's figure; None before a run has finished."""
    found = data.found
    if not found:
        return None
    ranking = ranking_picture(data, found)
    lines = _card(data, found) if data.ranked else [("Best", "nothing that may be ranked has finished")]
    return Section(fill(TEMPLATE, lines=lines, ranking=ranking), (), [ranking])


def _card(data: StudyData, found: Statistics) -> list[tuple[str, str]]:
    first = data.ranked[0]
    score = found.winner()
    how = f"{with_interval_inline(score)} % of test images right"
    how += "; seeds and images vary" if score.question == RECIPE else "; these trained networks, images vary"
    return [
        ("Best", f"{escape(first.recipe)}, by validation accuracy"),
        ("How good", f"{how}; the most frequent class alone gives {percent(data.majority_share)} %"),
        ("How sure", _sure(data, found)),
        ("Converged", _converged(data)),
        ("Factors", _factors(found)),
    ]


def _sure(data: StudyData, found: Statistics) -> str:
    first = data.ranked[0]
    words = [plural(len(first.runs), "seed")]
    if first.recipe in found.best:
        chance = probability(found.best[first.recipe])
        words.append(f"best of {len(found.best)} recipes on new seeds and images with probability {chance}")
    declared = found.recipes.declared or found.networks.declared
    if not declared:
        return f"{words[0]}; nothing to compare with"
    open_ = [escape(one.first) for one in declared if not one.told_apart]
    if not open_:
        words.append("significantly different from every other")
    else:
        named = listed(open_) if len(open_) <= _MOST_NAMES else f"{len(open_)} of {len(declared)} others"
        words.append(f"not significantly different from {named}")
    if not found.recipes.declared:
        words.append("another seed may turn it round")
    return "; ".join(words)


def _converged(data: StudyData) -> str:
    late = sum(not run.converged for run in data.ranked[0].runs)
    every = sum(not run.converged for run in data.runs)
    if not every:
        return "every run"
    which = (
        "the best did" if not late else f"no: {late} of {len(data.ranked[0].runs)} runs of the best were still rising"
    )
    return f"{which}; {every} of {len(data.runs)} runs in all were still rising at the end (†)"


def _factors(found: Statistics) -> str:
    effects = [one for one in found.effects.overall["accuracy"] if one.contrast.factor in _FACTORS]
    if not effects:
        return "no runs differ in one factor alone"
    parts = [f"{_FACTORS[one.contrast.factor]} {effect_in_short(found, one)}" for one in effects]
    return "; ".join(parts) + ("" if found.effects.question == RECIPE else f" (networks of seed {found.effects.seed})")
