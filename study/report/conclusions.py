"""Conclusions: sentences written from the tests, each no stronger than they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from study.analysis.comparisons import Comparison, Comparisons, Effect
from study.analysis.contrasts import MINIMUM_SEEDS
from study.analysis.ensembles import OVER_SEEDS
from study.analysis.factors import (
    AGAINST_RANDOM,
    AUGMENTATION,
    BOTH,
    OVERSAMPLING,
    RANDOM_BODY,
    TRANSFER,
    is_random_start,
)
from study.analysis.leaderboard import Standing
from study.analysis.leaks import REWEIGHTED
from study.analysis.recipes import is_leaky
from study.analysis.runs import ScoredRun
from study.analysis.scores import CALIBRATED, RECIPE, Measure, Statement
from study.analysis.statistics import Statistics
from study.report.collect import StudyData
from study.report.tables.runs import missing_cells
from study.report.tables.statistics import ensemble_accuracy
from study.report.wording import (
    FIXED_BLANK,
    escape,
    listed,
    p_sentence,
    percent,
    plural,
    points,
    probability,
    with_interval_inline,
)

#: More names than this in one sentence are counted, not listed.
_MOST_NAMES = 4


def conclusions(data: StudyData) -> list[str]:
    """Return the conclusions as Markdown sentences, most important first."""
    found, ranked = data.found, data.ranked
    if not ranked or found is None:
        nothing = "No run that may be ranked has finished, so that nothing can be concluded yet."
        return [*_caveats(data), *_leaks(data), nothing, *_gaps(data)]
    sentences = [*_caveats(data), *_leaks(data), _best(data, found, ranked[0])]
    sentences += _compared(found.recipes, found.margin)
    sentences += _compared(_without(found.networks, found.recipes), found.margin)
    sentences += [*_factors(data, found), *_who_pays(data, found), *_calibrated(found, ranked[0]), *_ensemble(found)]
    return [*sentences, _scope(data, found), *_gaps(data)]


def _caveats(data: StudyData) -> list[str]:
    words = []
    if data.card.get("drawn"):
        words.append(
            "**The faces are drawn, not photographed.** Nothing here says how well a network reads real faces; "
            "the numbers show that the study runs and how the networks differ on this drawn set."
        )
    if data.imported:
        names = escape(listed([one.model for one in data.imported]))
        words.append(
            f"Imported predictions: {names}. They are scored like the others, but how they were made, and whether test "
            "or validation images were trained on or chose anything, is not known here."
        )
    return words


def _leaks(data: StudyData) -> list[str]:
    """Say what each leak claims, what its clean twin scores and what lies between."""
    sentences = []
    for leak in data.leaks:
        if not leak.paired:
            continue
        worth, clean = leak.worth[leak.measure], leak.clean[leak.measure]
        equal = ", all classes weighing the same," if leak.measure == REWEIGHTED else ""
        about = "" if worth.question == RECIPE else f" (for the trained networks, {plural(len(leak.seeds), 'seed')})"
        sentences.append(
            f"**{escape(leak.recipe)}** claims {percent(leak.claimed.value)} %. On the same images{equal} it scores "
            f"{percent(leak.leaky[leak.measure].value)} % and its clean twin {percent(clean.value)} %: the leak is "
            f"worth {with_interval_inline(worth, points)} points{about}."
        )
    return sentences


def _best(data: StudyData, found: Statistics, first: Standing) -> str:
    score = found.scores.score(first.recipe)
    about = (
        f"over new seeds and new images, from {len(first.runs)} seeds"
        if score.question == RECIPE
        else f"over new images, for {_networks(first)}"
    )
    text = (
        f"**{escape(first.recipe)}** is best on the validation split "
        f"({percent(first.measures['validation_accuracy'].mean)} %). On the test split it scores "
        f"**{percent(score.value)} %** (95 % interval {percent(score.low)} to {percent(score.high)}, {about}). "
        f"Always answering with the most frequent class would score {percent(data.majority_share)} %"
    )
    bound = data.card.get("bound")
    return text + (f"; label noise bounds every accuracy at about {percent(bound)} %." if bound else ".")


def _networks(first: Standing) -> str:
    if any(run.record.imported for run in first.runs):
        return "these imported predictions"
    return "this trained network" if len(first.runs) == 1 else "these two trained networks"


def _without(networks: Comparisons, recipes: Comparisons) -> Comparisons:
    """Leave out the networks that need no statement of their own, because their recipes are compared as such."""
    kept = tuple(one for one in networks.declared if {one.first, one.second} - set(recipes.compared))
    return replace(networks, declared=kept)


def _compared(comparisons: Comparisons, margin: float) -> list[str]:
    """Say what the best is told apart from, by how much and how surely, and what could not be told."""
    if not comparisons.declared:
        return []
    of_recipes = comparisons.question == RECIPE
    best = escape(comparisons.compared[0])
    subject = best if of_recipes else f"Among the networks of seed {comparisons.seed}, that of {best}"
    behind = [one for one in comparisons.declared if one.told_apart and one.difference.value < 0]
    ahead = [one for one in comparisons.declared if one.told_apart and one.difference.value > 0]
    unknown = [one for one in comparisons.declared if not one.told_apart]
    sentences = []
    if behind:
        text = f"{subject} scores higher on the test split than {_enumerated(behind)}."
        if of_recipes:
            chance = behind[0].superiority
            if chance:
                text += (
                    f" Both trained once more with a new seed, it would beat {escape(behind[0].first)} on these images "
                    f"with probability {probability(1 - chance.probability)} ({probability(1 - chance.high)} to "
                    f"{probability(1 - chance.low)})."
                )
        sentences.append(text)
    if ahead:
        sentences.append(f"{subject} scores lower on the test split than {_enumerated(ahead)}.")
    if unknown:
        text = f"{subject} could not be told from {_enumerated(unknown)}"
        if of_recipes:
            same = [one for one in unknown if one.equivalence and one.equivalence.equivalent]
            text += _equivalent(same, unknown, margin)
            reach = [one.detectable for one in unknown if np.isfinite(one.detectable)]
            if reach:
                text += (
                    f" With these seeds and images a true difference of {percent(max(reach))} points would have been "
                    "seen with 80 % probability before correction."
                )
        else:
            text += "."
        sentences.append(text)
    return sentences


def _equivalent(same: Sequence[Comparison], unknown: Sequence[Comparison], margin: float) -> str:
    within = f"{100 * margin:g} points"
    if not same:
        margins = [one.equivalence.smallest_margin for one in unknown if one.equivalence]
        supported = f"; the data support no margin below {percent(min(margins))} points" if margins else ""
        return (
            f", nor is any of them shown to be equivalent within {within}{supported}."
            if len(unknown) > 1
            else (f", nor are they shown to be equivalent within {within}{supported}.")
        )
    if len(same) == len(unknown):
        return f"; within {within} they are equivalent."
    return f"; equivalent within {within}: {escape(listed([str(one.first) for one in same]))}."


def _enumerated(comparisons: Sequence[Comparison]) -> str:
    """Name the others with the best's lead over each, its interval and p."""
    shown = [f"{escape(one.first)} ({_lead(one)})" for one in comparisons[:_MOST_NAMES]]
    more = len(comparisons) - len(shown)
    return listed(shown + ([f"{plural(more, 'other')} (see the table)"] if more > 0 else []))


def _lead(one: Comparison) -> str:
    """Write best less other, the difference turned round, with its interval first and p second."""
    value = one.difference
    words = f"by {points(-value.value)} points, {points(-value.high)} to {points(-value.low)}"
    return f"{words}; {p_sentence(one.adjusted)}"


def _factors(data: StudyData, found: Statistics) -> list[str]:
    effects = found.effects
    about = "" if effects.question == RECIPE else f"Among the networks of seed {effects.seed}:"
    balanced = {one.contrast.factor: one.difference for one in effects.overall["balanced_accuracy"]}
    subjects = {
        OVERSAMPLING: "oversampling",
        AUGMENTATION: "augmentation",
        f"{TRANSFER} vs custom": "transfer (against custom networks, which differ in size and cost too)",
        f"{RANDOM_BODY} vs custom": "a transfer body with random weights (architecture, not transfer)",
    }
    starts = len({data.recipe(run.record) for run in data.runs if is_random_start(run.spec.protocol["name"])})
    start = f"the best of {starts} random starts by validation accuracy" if starts > 1 else "a random start"
    for factor in (one.contrast.factor for one in effects.overall["accuracy"]):
        if factor.endswith(AGAINST_RANDOM):
            way = factor.removesuffix(AGAINST_RANDOM)
            subjects[factor] = f"a pretrained body, {way} (against {start}, equal updates and images)"
    mains = [one for one in effects.overall["accuracy"] if one.contrast.factor in subjects]
    words = [
        f"{subjects[one.contrast.factor]} {_effect_words(one)}, balanced accuracy by "
        f"{with_interval_inline(balanced[one.contrast.factor], points)}"
        for one in mains
    ]
    sentences = []
    if words:
        text = f"{about} {'; '.join(words)}.".strip()
        text = f"Factor effects on test accuracy. {text[0].upper()}{text[1:]}"
        behind = {key for one in mains for key in one.difference.runs}
        late = sum(run.record.key in behind and not run.converged for run in data.runs)
        if late:
            text += f" {late} of the {len(behind)} runs behind them had not converged: they hold for this budget."
        sentences.append(text)
    crossed = [one for one in effects.overall["accuracy"] if "×" in one.contrast.factor]
    standing = [one for one in crossed if one.told_apart]
    if standing:
        sentences.append(
            "Interactions that stand: "
            + "; ".join(f"{one.contrast.factor} {_effect_words(one)}" for one in standing)
            + "."
        )
    elif crossed:
        one = next((other for other in crossed if other.contrast.factor == BOTH), crossed[0])
        sentences.append(
            f"No interaction was told from zero ({one.contrast.factor}: "
            f"{with_interval_inline(one.difference, points)} points), so that the effects may add up; effects inside "
            "that interval are not excluded."
        )
    return sentences


def _effect_words(one: Effect) -> str:
    change = f"{with_interval_inline(one.difference, points)} points, {p_sentence(one.adjusted)}"
    return f"changes it by {change}" if one.told_apart else f"could not be told from no effect: {change}"


def _who_pays(data: StudyData, found: Statistics) -> list[str]:
    """Say which classes' recall oversampling raises and which lose, where the tests can tell."""
    effects = [one for one in found.effects.by_class["recall"] if one.contrast.factor == OVERSAMPLING]
    if not effects:
        return []
    images = data.card["counts"]["train"]
    rare = int(np.argmin(images))
    named = {data.classes[one.measure.class_index or 0]: one for one in effects}
    first = named[data.classes[rare]] if data.classes[rare] in named else effects[0]

    def say(chosen: list[tuple[str, Effect]]) -> str:
        return listed([f"{escape(name)} {with_interval_inline(one.difference, points)}" for name, one in chosen])

    others = [(name, one) for name, one in named.items() if one is not first]
    gains = [(name, one) for name, one in others if one.told_apart and one.difference.value > 0]
    losses = [(name, one) for name, one in others if one.told_apart and one.difference.value < 0]
    told = "" if first.told_apart else ", which could not be told from none"
    support = data.card["counts"]["test"][rare]
    text = (
        f"Oversampling changes the recall of the rarest class, {escape(data.classes[rare])} "
        f"({plural(support, 'test image')}), by {with_interval_inline(first.difference, points)} points{told}. "
    )
    text += f"Recall also rises for {say(gains)}. " if gains else ""
    return [text + (f"The price is paid by {say(losses)}." if losses else "No class is shown to lose recall.")]


def _calibrated(found: Statistics, first: Standing) -> list[str]:
    scores = found.scores
    before, after = (
        scores.score(first.recipe, measure) for measure in (Measure("ece"), Measure("ece", None, CALIBRATED))
    )
    temperature = float(np.mean([scores.temperature(run) for run in first.runs]))
    if not np.isfinite(before.value):
        return []
    leaning = "overconfident" if temperature > 1.02 else "underconfident" if temperature < 0.98 else "nearly calibrated"
    return [
        f"The best recipe's probabilities are {leaning}: a temperature of {temperature:.2f}, fitted on the validation "
        f"split, takes its expected calibration error on the test split from {_percent_interval(before)} to "
        f"{_percent_interval(after)}."
    ]


def _percent_interval(value: Statement) -> str:
    return f"{percent(value.value)}{FIXED_BLANK}% ({percent(value.low)} to {percent(value.high)})"


def _ensemble(found: Statistics) -> list[str]:
    """Say what voting adds, for the ensemble that is best on the validation split."""
    if not found.ensembles:
        return []
    labels = next(iter(found.scores.recipes.values()))[0].record.arrays["validation_labels"]
    best = max(found.ensembles, key=lambda one: float(np.mean(one.answers("validation").argmax(axis=1) == labels)))
    accuracy, gain = ensemble_accuracy(found, best)
    names = escape(listed([str(recipe) for recipe in best.recipes]))
    voters = (
        f"the {len(best.runs)} seeds of {names}" if best.over == OVER_SEEDS else f"{len(best.runs)} networks ({names})"
    )
    return [
        f"A soft vote of {voters}, the ensemble with the best validation accuracy, scores "
        f"{_percent_interval(accuracy)} "
        f"on the test split, {with_interval_inline(gain, points)} points against the mean of its members, at the cost "
        "of all of them."
    ]


def _scope(data: StudyData, found: Statistics) -> str:
    counts = [len(standing.runs) for standing in data.ranked]
    fewest, most = min(counts), max(counts)
    images = f"{len(found.scores.labels):,} test images"
    if most == 1:
        return (
            f"Every recipe was trained with one seed. Differences hold for these trained networks on images like the "
            f"{images}; how much of them another seed would change is not known, and no claim about recipes is made."
        )
    seeds = plural(fewest, "seed") if fewest == most else f"{fewest} to {most} seeds"
    if most < MINIMUM_SEEDS:
        return (
            f"Recipes were trained with {seeds}: statements on recipes need {MINIMUM_SEEDS}. Intervals and tests hold "
            "for these trained networks, and no claim about recipes is made."
        )
    few = [escape(one.recipe) for one in data.ranked if not found.scores.has_seeds(one.recipe)]
    text = f"Recipes were trained with {seeds} and tested on {images}; their intervals cover new seeds and new images."
    if few:
        names = listed(few[:_MOST_NAMES] + ([f"{len(few) - _MOST_NAMES} others"] if len(few) > _MOST_NAMES else []))
        text += (
            f" {names} {'has' if len(few) == 1 else 'have'} fewer than {MINIMUM_SEEDS} seeds: about "
            f"{'it' if len(few) == 1 else 'them'} no claim is made but on the trained networks."
        )
    return text


def _gaps(data: StudyData) -> list[str]:
    """Say what is not there or not as it should be; no gap is silent."""
    words = []
    if data.unfinished:
        names = [escape(f"{data.recipe(one)}, seed {one.spec.seed}") for one in data.unfinished[:3]]
        more = f" and {len(data.unfinished) - 3} more" if len(data.unfinished) > 3 else ""
        words.append(f"{plural(len(data.unfinished), 'run')} did not finish ({'; '.join(names)}{more})")
    missing = missing_cells(data)
    if missing:
        cells = plural(len(missing), "cell")
        words.append(f"{cells} of models × protocols × seeds {'has' if len(missing) == 1 else 'have'} no record")
    late = [run for run in data.runs if not run.converged]
    if late:
        words.append(f"{plural(len(late), 'run')} had not converged when the budget ended (†)")
    sentences = [f"{'; '.join(words)}."] if words else []
    leaky = list(dict.fromkeys(str(data.recipe(run.record)) for run in data.finished if is_leaky(run.record)))
    if leaky:
        sentences.append(
            f"{escape(listed(leaky))} saw or chose on test images on purpose: shown to measure leakage, never ranked."
        )
    copies = _copies(data.runs)
    return sentences + ([copies] if copies else [])


def _copies(runs: tuple[ScoredRun, ...]) -> str:
    counts = {run.record.contamination.get("test_copies_in_train") or 0 for run in runs if not run.record.leaky}
    if not counts or max(counts) == 0:
        return ""
    images = plural(max(counts), "test image")
    return f"{images} with an identical copy in the training split: every accuracy above includes such images."
