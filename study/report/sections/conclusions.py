"""What follows from the tests, most important first: sentences, each no stronger than they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from study.analysis.comparisons import Comparison, Comparisons, Effect
from study.analysis.contrasts import MINIMUM_SEEDS
from study.analysis.ensembles import OVER_SEEDS
from study.analysis.factors import (
    AUGMENTATION,
    BOTH,
    FROZEN_RANDOM,
    OVERSAMPLING,
    RANDOM_BODY,
    SWITCHES,
    TRANSFER,
    is_random_start,
)
from study.analysis.leaderboard import FEWEST_UPDATES, Standing
from study.analysis.leaks import CHOICES, REWEIGHTED
from study.analysis.metric import METRICS
from study.analysis.recipes import Recipe, is_leaky
from study.analysis.rescoring import ALL, NO_COPIES, NO_NEAR_COPIES
from study.analysis.scores import CALIBRATED, NETWORK, RECIPE, VIEWED, Measure, Statement
from study.analysis.statistics import Effects, Statistics
from study.report.collect import StudyData, mean_beside_score
from study.report.section import Section, section
from study.report.sections.ensembles import ensemble_accuracy, ensemble_gain, gain_over_best_member
from study.report.sections.leakage import by_worth
from study.report.sections.runs import missing_cells
from study.report.sections.views import views_of
from study.report.wording import (
    FIXED_BLANK,
    escape,
    in_points,
    listed,
    p_sentence,
    percent,
    plural,
    points,
    probability,
)

TEMPLATE = """\
{% for sentence in first %}
- {{ sentence }}
{% endfor %}
{% set body %}
{% for sentence in rest %}
- {{ sentence }}
{% endfor %}
{% endset %}
{% if rest %}{{ folded("More conclusions (" ~ rest | length ~ ")", body) }}{% endif %}
"""
#: Sentences that lead, at least.
FEWEST = 5
#: More names than this in one sentence are counted, not listed.
_MOST_NAMES = 4
_DEPENDS = "depends on what it is combined with"
_FACTORS = {
    OVERSAMPLING: "oversampling",
    AUGMENTATION: "augmentation",
    f"{TRANSFER} vs custom": "transfer (against custom networks, which differ in size, cost and training too)",
    f"{RANDOM_BODY} vs custom": "a transfer body with random weights (architecture, not transfer)",
    f"{FROZEN_RANDOM} vs custom": "a head on random features (a body that learns nothing, not transfer)",
}
#: Between what an interaction sets an effect apart, by its second factor.
_BETWEEN = {
    AUGMENTATION: "with and without augmentation",
    TRANSFER: "between transfer and custom networks",
    RANDOM_BODY: "between bodies with random weights and custom networks",
    FROZEN_RANDOM: "between heads on random features and custom networks",
}


@section("conclusions", title="Conclusions", place=10)
def write(data: StudyData) -> Section:
    """Return the sentences that matter most, and the rest folded."""
    first, rest = leading(data)
    return Section.of(TEMPLATE, first=first, rest=rest)


def conclusions(data: StudyData) -> list[str]:
    """Return the conclusions as Markdown sentences, most important first."""
    return [sentence for _, sentence in _weighed(data)]


def leading(data: StudyData) -> tuple[list[str], list[str]]:
    """Return the sentences that a reader must see, at least ``FEWEST`` where there are so many, and the others.

    What qualifies the headline (caveats, leaks, failed seeds) always leads.
    """
    weighed = _weighed(data)
    last = max(FEWEST, sum(weight == 0 for weight, _ in weighed))
    order = sorted(range(len(weighed)), key=lambda place: weighed[place][0])
    first, rest = ([weighed[place][1] for place in sorted(part)] for part in (order[:last], order[last:]))
    return first, rest


def _weighed(data: StudyData) -> list[tuple[int, str]]:
    """Return every sentence with its weight, 0 for the most important."""
    found, ranked = data.found, data.ranked
    if not ranked or found is None:
        headline = "No run that may be ranked has finished, so that nothing can be concluded yet."
        groups = [(1, _gaps(data))]
    else:
        headline = _best(data, found, ranked[0])
        aside = found.of_best is not found.main
        groups = [
            (4 if aside else 1, _compared(found, found.recipes)),
            (1 if aside else 4, _compared(found, _without(found.networks, found.recipes))),
            *_factors(data, found),
            (5, _who_pays(data, found)),
            (3, _views(found, ranked)),
            (3, _robustness(data)),
            (6, _ensemble(found)),
            (3, [_scope(data, found)]),
            (4, _gaps(data)),
            (7, _calibrated(found, ranked[0])),
        ]
    groups = [(0, [*_caveats(data), *_leaks(data), headline, *_unreliable(data)]), *groups]
    return [(weight, sentence) for weight, sentences in groups for sentence in sentences]


def _caveats(data: StudyData) -> list[str]:
    words = []
    if data.card.drawn:
        words.append(
            "**The faces are drawn, not photographed.** Nothing here says how well a network reads real faces; "
            "the numbers show that the study runs and how the networks differ on this drawn set."
        )
    if data.imported:
        names = escape(listed([one.model for one in data.imported]))
        words.append(
            f"Imported predictions: {names}. They are scored like the others. We cannot verify how they were made, or "
            "whether they used test or validation images."
        )
    return words


def _leaks(data: StudyData) -> list[str]:
    """Say what each leak claims, what its clean twin scores and what lies between."""
    late = {run.record.key for run in data.finished if not run.converged}
    sentences = []
    for leak in by_worth(data.leaks):
        if leak.hardly_trained:
            sentences.append(
                f"{escape(leak.recipe)} or its clean twin was hardly trained (fewer than {FEWEST_UPDATES} updates, or "
                "no better than the most frequent class), so that nothing follows on the leak's worth."
            )
        if leak.hardly_trained or not leak.paired:
            continue
        worth, clean = leak.worth[leak.measure], leak.clean[leak.measure]
        score = percent(leak.leaky[leak.measure].value)
        if leak.kind in CHOICES:
            text = f" on the test split, its clean twin {percent(clean.value)} %"
        else:
            balanced = "balanced " if leak.measure == REWEIGHTED else ""
            text = f" on its own test part. On the images that both are scored on, its {balanced}accuracy is {score} %"
            text += f" and its clean twin's {percent(clean.value)} %"
        text = f"**{escape(leak.recipe)}** reports {percent(leak.claimed.value)} %{text}"
        text += f": the leak is worth {in_points(worth)} points"
        if worth.question == NETWORK:
            text += f" (for the trained networks, {plural(len(leak.seeds), 'seed')})"
        if leak.worth_trained_on and leak.worth_unseen:
            text += f", {in_points(leak.worth_trained_on)} on images that it trained on"
            text += f" and {in_points(leak.worth_unseen)} on the others"
        if unfinished := len(late.intersection(leak.runs)):
            text += f". {_late(unfinished, len(leak.runs), f'the {len(leak.runs)} runs')}"
        if leak.same_epoch:
            text += f". Both rules kept the same epoch with {leak.same_epoch} of {plural(len(leak.seeds), 'seed')}"
        sentences.append(f"{text}.")
    return sentences


def _best(data: StudyData, found: Statistics, first: Standing) -> str:
    score = found.winner()
    if score.question == RECIPE:
        about = f"over new seeds and new images, from {len(first.runs)} seeds"
        about += ", allowing for its choice by the same seeds" if len(found.recipes.compared) > 1 else ""
        if mean := mean_beside_score(found):
            about += f", whose mean is {mean} %"
    elif any(run.record.imported for run in first.runs):
        about = "over new images, for these imported predictions"
    else:
        networks = "this trained network" if len(first.runs) == 1 else "these two trained networks"
        about = f"over new images, for {networks}"
    sure = f"95 % interval {percent(score.low)} to {percent(score.high)}, {about}" if score.low == score.low else about
    bound = data.card.bound
    noise = f"; label noise bounds every accuracy at about {percent(bound)} %" if bound else ""
    return (
        f"**{escape(first.recipe)}** is best on the validation split "
        f"({percent(first.measures['validation_accuracy'].mean)} %). On the test split it scores "
        f"**{percent(score.value)} %** ({sure}). "
        f"Always answering with the most frequent class would score {percent(data.card.majority_share)} %{noise}."
    )


def _unreliable(data: StudyData) -> list[str]:
    """Name the seeds that a recipe's mean hides: those that failed, learned nothing or fell far behind."""
    sentences = []
    for one in data.ranked:
        failed = [record.spec.seed for record in data.unfinished if data.recipe(record) == one.recipe]
        behind = [seed for seed in one.far_behind if seed not in one.learned_nothing]
        are = "is" if len(failed) == 1 else "are"
        reasons = (
            (failed, f"of {len(failed) + len(one.runs)} did not finish and {are} left out"),
            (one.learned_nothing, "learned nothing (no better than the most frequent class)"),
            (behind, "fell far behind the others"),
        )
        parts = [f"{_seeds(seeds)} {reason}" for seeds, reason in reasons if seeds]
        if parts:
            sentences.append(
                f"**{escape(one.recipe)}**: {'; '.join(parts)}. So few seeds cannot tell how often that happens, and "
                "no interval here allows for it."
            )
    apart = [escape(one.recipe) for one in data.standings if one.hardly_trained]
    if apart:
        sentences.append(
            f"{listed(apart)} {'was' if len(apart) == 1 else 'were'} hardly trained (fewer than {FEWEST_UPDATES} "
            "updates, or no better on validation than the most frequent class): shown, not ranked, and in no test."
        )
    return sentences


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'' if len(seeds) == 1 else 's'} {listed([str(seed) for seed in sorted(seeds)])}"


def _without(networks: Comparisons, recipes: Comparisons) -> Comparisons:
    """Leave out the networks that need no statement of their own, because their recipes are compared as such."""
    kept = tuple(one for one in networks.declared if {one.first, one.second} - set(recipes.compared))
    return replace(networks, declared=kept)


def _compared(found: Statistics, comparisons: Comparisons) -> list[str]:
    """Say from what the best differs, by how much and how surely, and where no difference is significant."""
    if not comparisons.declared:
        return []
    best = escape(comparisons.compared[0])
    of_recipes = comparisons.question == RECIPE
    subject = best if of_recipes else f"With seed {comparisons.seed}, {best}"
    if of_recipes and found.of_best is not comparisons:
        subject = f"Of the {len(comparisons.compared)} recipes with three seeds or more, {best}"
    behind = [one for one in comparisons.declared if one.told_apart and one.difference.value < 0]
    ahead = [one for one in comparisons.declared if one.told_apart and one.difference.value > 0]
    unknown = [one for one in comparisons.declared if not one.told_apart]
    sentences = []
    if behind:
        text = f"{subject} scores higher on the test split than {_enumerated(found, comparisons, behind)}."
        chance = behind[0].superiority
        if chance and chance.low == chance.low:
            text += (
                f" Both trained once more with a new seed, it would beat {escape(behind[0].first)} on these images "
                f"with probability {probability(1 - chance.probability)} ({probability(1 - chance.high)} to "
                f"{probability(1 - chance.low)})."
            )
        sentences.append(text)
    if ahead:
        sentences.append(f"{subject} scores lower on the test split than {_enumerated(found, comparisons, ahead)}.")
    if unknown:
        text = f"{subject} does not differ significantly from {_enumerated(found, comparisons, unknown)}"
        text += f"{_equivalent(unknown, found.margin) if of_recipes else ''}."
        if of_recipes and found.detectable is not None:
            text += (
                f" With these seeds and images a true difference of {percent(found.detectable)} points between two "
                "recipes is found with 80 % probability, after correction for all pairs."
            )
        sentences.append(text)
    return sentences


def _equivalent(unknown: Sequence[Comparison], margin: float) -> str:
    """Say which of the recipes that do not differ significantly are shown to be equivalent."""
    within = f"{100 * margin:g} points"
    tests = {one.first: one.equivalence for one in unknown if one.equivalence}
    same = [str(recipe) for recipe, test in tests.items() if test.equivalent]
    if same and len(same) == len(unknown):
        return f"; within {within} they are equivalent"
    if same:
        return f"; equivalent within {within}: {escape(listed(same))}"
    margins = [test.smallest_margin for test in tests.values()]
    supported = f"; the data support no margin below {percent(min(margins))} points" if margins else ""
    which = "is any of them" if len(unknown) > 1 else "are they"
    return f", nor {which} shown to be equivalent within {within}{supported}"


def _enumerated(found: Statistics, comparisons: Comparisons, chosen: Sequence[Comparison]) -> str:
    """Name the others with the best's lead over each, its interval and p; of networks what other seeds say too."""
    shown = []
    for one in chosen:
        lead, low, high = -one.difference.value, -one.difference.high, -one.difference.low
        ends = f", {points(low)} to {points(high)}; {p_sentence(one.adjusted)}" if low == low else ", no interval"
        seeds = _other_seeds(found, {one.second: 1.0, one.first: -1.0}, comparisons.seed)
        other_seeds = _against(seeds, lead) or (f"; {_leads(seeds)}" if seeds else "")
        shown.append(f"{escape(one.first)} (by {points(lead)} points{ends}{other_seeds})")
    return _few(shown, lambda more: f"{plural(more, 'other')} (see the table)")


def _few(names: Sequence[str], counted: Callable[[int], str]) -> str:
    """List the first names; the others are counted."""
    more = len(names) - _MOST_NAMES
    return listed([*names[:_MOST_NAMES], *([counted(more)] if more > 0 else [])])


def _other_seeds(found: Statistics, weights: Mapping[Recipe, float], own: int | None) -> dict[int, float]:
    """Return a contrast of test accuracies for every seed but ``own`` that all recipes have; none about recipes."""
    if own is None:
        return {}
    runs = {recipe: {run.spec.seed: run.test.accuracy for run in found.scores.recipes[recipe]} for recipe in weights}
    shared = set.intersection(*(set(seeds) for seeds in runs.values())) - {own}
    return {seed: sum(weight * runs[recipe][seed] for recipe, weight in weights.items()) for seed in sorted(shared)}


def _against(seeds: Mapping[int, float], value: float) -> str:
    """Name the seeds that contradict a difference; empty where none does."""
    against = {seed: other for seed, other in seeds.items() if other * value < 0}
    return f"; the other way with {_leads(against)}" if against else ""


def _leads(values: Mapping[int, float]) -> str:
    return listed([f"seed {seed} ({points(value)})" for seed, value in values.items()])


def _late(late: int, runs: int, which: str) -> str:
    """Say how many of some runs had not converged; there is at least one."""
    return f"None of {which} had converged" if late == runs else f"{late} of {which} had not converged"


def _factors(data: StudyData, found: Statistics) -> list[tuple[int, list[str]]]:
    """Return what each factor does, and their interactions, with weights: what differs in one thing comes first."""
    starts = len({data.recipe(run.record) for run in data.runs if is_random_start(run.spec.protocol.name)})
    start = f"the best of {starts} random starts by validation accuracy" if starts > 1 else "a random start"
    words: dict[int, list[str]] = {2: [], 4: []}
    behind: set[str] = set()
    for effects in filter(None, (found.effects, found.other_effects)):
        balanced = {one.contrast.factor: one.difference for one in effects.overall["balanced_accuracy"]}
        for one in effects.overall["accuracy"]:
            factor = one.contrast.factor
            subject = _FACTORS.get(factor)
            if one.contrast.way:
                subject = f"pretraining ({one.contrast.way}; against {start} with equal updates and images)"
            if subject:
                effect, _ = effect_words(found, effects, one)
                text = f"{_about(found, effects, one)}{subject} {effect}"
                text += f"; balanced accuracy: {in_points(balanced[factor])} points."
                alone = one.contrast.way or factor in (OVERSAMPLING, AUGMENTATION)
                words[2 if alone and effects is found.effects else 4].append(text[0].upper() + text[1:])
                behind.update(one.difference.runs)
    late = sum(run.record.key in behind and not run.converged for run in data.runs)
    if late:
        which = f"the {len(behind)} runs behind these effects"
        words[4].append(f"{_late(late, len(behind), which)}: they hold for this budget.")
    return [*words.items(), (4, _interactions(found))]


def _about(found: Statistics, effects: Effects, one: Effect) -> str:
    """Say what an effect is about: the models, where they are not all, and the seed of its networks."""
    of_recipes = "over new seeds, " if found.other_effects else ""
    some = models_behind(found, effects, one)
    models = f"for {escape(some)}, " if some else ""
    return models + (f"with seed {effects.seed}, " if effects.question == NETWORK else of_recipes)


def models_behind(found: Statistics, effects: Effects, one: Effect) -> str:
    """Name the models of an effect, or count them; empty where it is about all that were trained."""
    models = dict.fromkeys(recipe.model for recipe in one.contrast.weights)
    runs = [found.scores.recipes[recipe][0] for recipe in found.ranked]
    trained = {recipe.model for recipe, run in zip(found.ranked, runs, strict=True) if not run.record.imported}
    of_some = effects.question == RECIPE and found.other_effects
    if not of_some and (one.contrast.factor not in SWITCHES or trained <= models.keys()):
        return ""
    return listed([*models]) if len(models) <= _MOST_NAMES else plural(len(models), "model")


def _interactions(found: Statistics) -> list[str]:
    """Name the significant interactions on any of the scores; only where there are none, say so of all of them."""
    families = (*found.effects.overall.values(), *found.effects.by_model.values())
    crossed = [one for family in families for one in family if "×" in one.contrast.factor]
    if not crossed:
        return []
    if clear := [one for one in crossed if one.told_apart]:
        named = [_interaction(one) for one in clear[:_MOST_NAMES]]
        more = [f"{len(clear) - _MOST_NAMES} more"] if len(clear) > _MOST_NAMES else []
        return [f"Significant interactions: {'; '.join([*named, *more])}."]
    one = next((other for other in crossed if other.contrast.factor == BOTH), crossed[0])
    scores = listed([METRICS.get(name).title for name in found.effects.overall])
    return [
        f"No interaction was significant on {scores} ({one.contrast.factor}, {METRICS.get(one.measure.metric).title}: "
        f"{in_points(one.difference)} points). That does not show that effects add up: interactions "
        "inside that interval are not excluded."
    ]


def _interaction(one: Effect) -> str:
    """Say by how much a factor's effect, or the interaction of two, differs, and between what."""
    factor, _, other = one.contrast.factor.rpartition(" × ")
    crossed = factor.split(" × ")
    what = f"the interaction of {listed(crossed)}" if len(crossed) > 1 else f"the effect of {factor}"
    between = _BETWEEN.get(other, "")
    if not between:  # oversampling × model
        models = {recipe.model for recipe in one.contrast.weights} - {one.contrast.model}
        rest = escape(models.pop()) if len(models) == 1 else "the other models"
        between = f"between {escape(one.contrast.model)} and {rest}"
    return f"{what} on {METRICS.get(one.measure.metric).title} differs by {_change(one)}, {between}"


def effect_words(found: Statistics, effects: Effects, one: Effect) -> tuple[str, str]:
    """Say what a factor does to accuracy, for a sentence and in a few words.

    Where that depends on the model or on what it is combined with, each model's effect or none is claimed.
    """
    factor = one.contrast.factor
    every = (*effects.overall["accuracy"], *effects.by_model["accuracy"])
    single = [other for other in every if other.contrast.factor == factor and other.contrast.model]
    each = "; ".join(f"{escape(other.contrast.model)}: {_change(other)}" for other in single)
    brief = listed([f"{escape(other.contrast.model)} {points(other.difference.value)}" for other in single])
    if len({other.difference.value > 0 for other in single if other.told_apart}) > 1:
        return f"has opposite effects on accuracy ({each})", f"has opposite effects ({brief} points)"
    base = factor.removesuffix(" vs custom")
    parts = {other.contrast.factor: other.contrast.factor.split(" × ") for other in every if other.told_apart}
    crossed = [name for name, factors in parts.items() if base in factors and name != factor]
    others = _other_seeds(found, one.contrast.weights, effects.seed)
    disagree = any(other * one.difference.value < 0 for other in others.values())
    change = _change(one) + (f"; {_leads(others)}" if others else "") + (": the seeds disagree" if disagree else "")
    words = f"changes accuracy by {change}" if one.told_apart else f"has no significant effect on accuracy: {change}"
    value, reserve = one.difference.value, "" if one.told_apart else "not significant"
    if f"{factor} × model" in crossed and single:
        words, reserve = f"acts differently on models ({each}; on average: {change})", f"on average; {brief}"
    elif crossed:
        words, reserve = f"{_DEPENDS} ({listed(crossed)}; {change} on average)", _DEPENDS
    elif others:
        seeds = {effects.seed or 0: value} | others
        value = float(np.mean(list(seeds.values())))
        reserve = f"{'the seeds disagree' if disagree else 'on average'}; {_leads(seeds)}"
    return words, f"{points(value)} points" + (f" ({reserve})" if reserve else "")


def _change(one: Effect) -> str:
    return f"{in_points(one.difference)} points, {p_sentence(one.adjusted)}"


def _who_pays(data: StudyData, found: Statistics) -> list[str]:
    """Say which classes' recall oversampling raises and which lose, where the tests can tell."""
    effects = [one for one in found.effects.by_class["recall"] if one.contrast.factor == OVERSAMPLING]
    images, support = data.card.counts["train"], data.card.counts["test"]
    named = {one.measure.class_index or 0: one for one in effects if one.difference.value == one.difference.value}
    if not named:
        return []
    rare = min(named, key=lambda place: images[place])
    change = named.pop(rare)
    clear = {place: one for place, one in named.items() if one.told_apart}
    words = {place: f"{escape(data.classes[place])} {in_points(one.difference)}" for place, one in clear.items()}
    gains = listed([words[place] for place, one in clear.items() if one.difference.value > 0])
    losses = listed([words[place] for place, one in clear.items() if one.difference.value < 0])
    which = "the rarest class" if rare == int(np.argmin(images)) else "the rarest class that has test images"
    some = models_behind(found, found.effects, change)
    subject = f"For {escape(some)}, oversampling" if some else "Oversampling"
    text = (
        f"{subject} changes the recall of {which}, {escape(data.classes[rare])} "
        f"({plural(support[rare], 'test image')}), by {in_points(change.difference)} points"
        f"{'' if change.told_apart else ', which is not significant'}."
    )
    if gains:
        text += f" Recall also rises for {gains}."
    return [f"{text} Recall falls for {losses}." if losses else f"{text} No other class is shown to lose recall."]


def _calibrated(found: Statistics, first: Standing) -> list[str]:
    scores = found.scores
    before = scores.score(first.recipe, Measure("ece"))
    after = scores.score(first.recipe, Measure("ece", None, CALIBRATED))
    temperature = float(np.mean([scores.temperature(run) for run in first.runs]))
    if not np.isfinite(before.value) or not np.isfinite(temperature):
        return []
    surplus = scores.overconfidence(first.recipe)
    leaning = "overconfident" if surplus.low > 0 else "underconfident" if surplus.high < 0 else ""
    leaning = leaning or "neither over- nor underconfident beyond chance"
    return [
        f"The best recipe's probabilities are {leaning} (mean confidence less accuracy: "
        f"{in_points(surplus)} points). A temperature of {temperature:.2f}, fitted on the "
        f"validation split, takes its expected calibration error on the test split from {_percent_interval(before)} to "
        f"{_percent_interval(after)}."
    ]


def _views(found: Statistics, ranked: Sequence[Standing]) -> list[str]:
    """Say what the views that a protocol declares are worth to the best recipe that has them."""
    measure = Measure("accuracy", None, VIEWED)
    first = next((one for one in ranked if not any(found.scores.lacks(run, measure) for run in one.runs)), None)
    if first is None:
        return []
    title, each = views_of(first, VIEWED)
    gain, score = found.scores.views_gain(first.recipe, VIEWED), found.scores.score(first.recipe, measure)
    single = found.scores.score(first.recipe)
    told = "" if gain.low > 0 or gain.high < 0 else ", which is not significant"
    cost = f", at {each} predictions an image" if each else ""
    mean = " (means over its seeds)" if len(first.runs) > 1 else ""
    return [
        f"Averaged over test-time views ({title}), {escape(first.recipe)} scores {_percent_interval(score)} on the "
        f"test split against {percent(single.value)}{FIXED_BLANK}% with a single view{mean}: "
        f"{in_points(gain)} points{told}{cost}. The ranking uses the single view alone."
    ]


def _robustness(data: StudyData) -> list[str]:
    """Say what corruptions of the test images cost the best network that was tried on them."""
    tried = {one.key: one.robustness for one in data.evaluations if one.robustness}
    ranked = [run.record for one in data.ranked for run in one.runs]
    record = next((one for one in ranked if one.key in tried), None)
    if record is None or (found := tried[record.key]) is None:
        return []
    kinds = {name: float(np.mean(errors)) for name, errors in found.errors.items()}
    worst = sorted(kinds, key=lambda name: -kinds[name])[:2]
    return [
        f"On corrupted test images ({plural(len(kinds), 'kind')}, five severities) the error of "
        f"{escape(data.recipe(record))}, seed {record.spec.seed}, rises from {percent(found.clean[0])} to "
        f"{percent(found.mean[0])}{FIXED_BLANK}% ({percent(found.mean[1])} to {percent(found.mean[2])}); worst are "
        f"{listed([f'{name} ({percent(kinds[name])}{FIXED_BLANK}%)' for name in worst])}."
    ]


def _percent_interval(value: Statement) -> str:
    ends = f" ({percent(value.low)} to {percent(value.high)})" if value.low == value.low else ""
    return f"{percent(value.value)}{FIXED_BLANK}%{ends}"


def _ensemble(found: Statistics) -> list[str]:
    """Say what voting adds, for the ensemble that is best on the validation split."""
    if not found.ensembles:
        return []
    labels = found.validation.labels
    best = max(found.ensembles, key=lambda one: float(np.mean(one.answers("validation").argmax(axis=1) == labels)))
    accuracy, gain = ensemble_accuracy(found, best)[0], gain_over_best_member(found, best)
    names = escape(listed([str(recipe) for recipe in best.recipes]))
    votes = len(best.runs)
    voters = f"the {votes} seeds of {names}" if best.over == OVER_SEEDS else f"{votes} networks ({names})"
    text = (
        f"A soft vote of {voters}, the ensemble with the best validation accuracy, scores "
        f"{_percent_interval(accuracy)} on the test split, {in_points(gain)} points against its "
        "best member alone"
    )
    text += "" if gain.low > 0 or gain.high < 0 else " (not significant)"
    own = next((one for one in found.ensembles if one.over == OVER_SEEDS and one.recipes == found.ranked[:1]), None)
    if own and own is not best:
        more = in_points(ensemble_gain(found, best, own))
        text += f" and {more} against the vote of the {len(own.runs)} seeds of {escape(found.ranked[0])}"
    return [f"{text}, at the cost of all of them."]


def _scope(data: StudyData, found: Statistics) -> str:
    counts = [len(standing.runs) for standing in data.ranked]
    fewest, most = min(counts), max(counts)
    images = f"{len(found.scores.labels):,} test images"
    if most == 1:
        return (
            f"Every recipe was trained with one seed. Differences hold for these trained networks on images like the "
            f"{images}; another seed may change them."
        )
    seeds = plural(fewest, "seed") if fewest == most else f"{fewest} to {most} seeds"
    if most < MINIMUM_SEEDS:
        return (
            f"Recipes were trained with {seeds}: statements on recipes need {MINIMUM_SEEDS}. Intervals and tests hold "
            "for these trained networks; another seed may change them."
        )
    least = min(count for count in counts if count >= MINIMUM_SEEDS)
    text = (
        f"Recipes were trained with {seeds} and tested on {images}; their intervals cover new seeds and new images. "
        f"They take scores to be normal over seeds. {least} good seeds are still compatible with a failure rate of up "
        f"to {100 * (1 - 0.05 ** (1 / least)):.0f} %."
    )
    if few := [escape(one.recipe) for one in data.few_seeds]:
        have, them = ("has", "it") if len(few) == 1 else ("have", "them")
        text += (
            f" {_few(few, lambda more: plural(more, 'other'))} {have} fewer than {MINIMUM_SEEDS} seeds: statements "
            f"about {them} hold for the trained networks alone."
        )
    return text


def _gaps(data: StudyData) -> list[str]:
    """Say what is not there or not as it should be; no gap is silent."""
    words = []
    if data.unfinished:
        names = [escape(f"{data.recipe(one)}, seed {one.spec.seed}") for one in data.unfinished[:3]]
        more = f" and {len(data.unfinished) - 3} more" if len(data.unfinished) > 3 else ""
        words.append(f"{plural(len(data.unfinished), 'run')} did not finish ({'; '.join(names)}{more})")
    if missing := len(missing_cells(data)):
        have = "has" if missing == 1 else "have"
        words.append(f"{plural(missing, 'cell')} of models × protocols × seeds {have} no record")
    if late := sum(not run.converged for run in data.finished):
        words.append(f"{plural(late, 'run')} had not converged when the budget ended (†)")
    sentences = [f"{'; '.join(words)}."] if words else []
    leaky = list(dict.fromkeys(str(data.recipe(run.record)) for run in data.finished if is_leaky(run.record)))
    if leaky:
        sentences.append(
            f"{escape(listed(leaky))} saw or chose on test images on purpose: shown to measure leakage, never ranked."
        )
    return [*sentences, *_copies(data)]


def _copies(data: StudyData) -> list[str]:
    """Say how many test images are copies of training images, and what the best recipe scores without them."""
    counts = [run.record.contamination.test_copies_in_train or 0 for run in data.runs if not run.record.leaky]
    most, every = max(counts, default=0), data.rescored(ALL)
    if not most:
        return []
    subset = data.rescoring.subset(NO_COPIES) if data.rescoring else None
    copies = most if subset is None else len(subset.mask) - len(subset)
    part = f" ({most:,} of them in the part that was trained on)" if most < copies else ""
    have = "has" if copies == 1 else "have"
    text = f"{plural(copies, 'test image')} {have} an identical copy in the training split{part}; accuracies include "
    text += "it." if copies == 1 else "them."
    if subset is not None and data.ranked:
        best = data.ranked[0].recipe
        text += f" Without them, {escape(best)} scores {percent(data.rescored(NO_COPIES)[best].value)} %"
        if near := data.rescored(NO_NEAR_COPIES):
            text += f", without near copies too {percent(near[best].value)} %"
        text += f" (all: {percent(every[best].value)} %)."
    return [text]
