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
    TRANSFER,
    is_random_start,
)
from study.analysis.leaderboard import FEWEST_UPDATES, Standing
from study.analysis.leaks import REWEIGHTED
from study.analysis.metric import METRICS
from study.analysis.recipes import Recipe, is_leaky
from study.analysis.rescoring import ALL, NO_COPIES, NO_NEAR_COPIES
from study.analysis.scores import CALIBRATED, NETWORK, RECIPE, VIEWED, Measure, Statement
from study.analysis.statistics import Statistics
from study.report.collect import StudyData
from study.report.section import Section, section
from study.report.sections.ensembles import ensemble_accuracy, ensemble_gain
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
FEWEST = 4
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
_WITHOUT = {
    NO_COPIES: "without them",
    NO_NEAR_COPIES: "without these and at least the near copies that were found",
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
        groups = [
            (1, _compared(found, found.recipes)),
            (4, _compared(found, _without(found.networks, found.recipes))),
            (2, _factors(data, found)),
            (5, _who_pays(data, found)),
            (3, _views(found, ranked)),
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
            f"Imported predictions: {names}. They are scored like the others, but how they were made, and whether test "
            "or validation images were trained on or chose anything, is not known here."
        )
    return words


def _leaks(data: StudyData) -> list[str]:
    """Say what each leak claims, what its clean twin scores and what lies between."""
    sentences = []
    for leak in data.leaks:
        if leak.hardly_trained:
            sentences.append(
                f"{escape(leak.recipe)} or its clean twin was hardly trained (fewer than {FEWEST_UPDATES} updates, or "
                "no better than the most frequent class), so that nothing follows on the leak's worth."
            )
        if leak.hardly_trained or not leak.paired:
            continue
        worth, clean = leak.worth[leak.measure], leak.clean[leak.measure]
        equal = ", all classes weighing the same," if leak.measure == REWEIGHTED else ""
        text = (
            f"**{escape(leak.recipe)}** claims {percent(leak.claimed.value)} %. On the same images{equal} it scores "
            f"{percent(leak.leaky[leak.measure].value)} % and its clean twin {percent(clean.value)} %: the leak is "
            f"worth {in_points(worth)} points"
        )
        if worth.question == NETWORK:
            text += f" (for the trained networks, {plural(len(leak.seeds), 'seed')})"
        if leak.worth_trained_on and leak.worth_unseen:
            text += f", {in_points(leak.worth_trained_on)} on images that it trained on"
            text += f" and {in_points(leak.worth_unseen)} on the others"
        sentences.append(f"{text}.")
    return sentences


def _best(data: StudyData, found: Statistics, first: Standing) -> str:
    score = found.winner()
    if score.question == RECIPE:
        about = f"over new seeds and new images, from {len(first.runs)} seeds"
        about += ", allowing for its choice by the same seeds" if len(found.recipes.compared) > 1 else ""
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
    subject = best if of_recipes else f"Among the networks of seed {comparisons.seed}, that of {best}"
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


def _factors(data: StudyData, found: Statistics) -> list[str]:
    balanced = {one.contrast.factor: one.difference for one in found.effects.overall["balanced_accuracy"]}
    starts = len({data.recipe(run.record) for run in data.runs if is_random_start(run.spec.protocol.name)})
    start = f"the best of {starts} random starts by validation accuracy" if starts > 1 else "a random start"
    words: list[str] = []
    behind: set[str] = set()
    for one in found.effects.overall["accuracy"]:
        factor = one.contrast.factor
        subject = _FACTORS.get(factor)
        if one.contrast.way:
            subject = f"a pretrained body, {one.contrast.way} (against {start}, equal updates and images)"
        if subject:
            effect, _ = effect_words(found, one)
            words.append(f"{subject} {effect}, balanced accuracy by {in_points(balanced[factor])}")
            behind.update(one.difference.runs)
    if not words:
        return _interactions(found)
    about = f"Among the networks of seed {found.effects.seed}: " if found.effects.question == NETWORK else ""
    effects = f"{about}{'; '.join(words)}."
    text = f"Factor effects on test accuracy. {effects[0].upper()}{effects[1:]}"
    late = sum(run.record.key in behind and not run.converged for run in data.runs)
    if late:
        text += f" {late} of the {len(behind)} runs behind them had not converged: they hold for this budget."
    return [text, *_interactions(found)]


def _interactions(found: Statistics) -> list[str]:
    """Name the significant interactions on any of the scores; only where there are none, say so of all of them."""
    families = (*found.effects.overall.values(), *found.effects.by_model.values())
    crossed = [one for family in families for one in family if "×" in one.contrast.factor]
    if not crossed:
        return []
    if clear := [one for one in crossed if one.told_apart]:
        named = [
            f"{one.contrast.factor}{f' in {escape(one.contrast.model)}' if one.contrast.model else ''} "
            f"({METRICS.get(one.measure.metric).title}: {_change(one)})"
            for one in clear
        ]
        return [f"Significant interactions: {_few(named, '{} more'.format)}."]
    one = next((other for other in crossed if other.contrast.factor == BOTH), crossed[0])
    scores = listed([METRICS.get(name).title for name in found.effects.overall])
    return [
        f"No interaction was significant on {scores} ({one.contrast.factor}, {METRICS.get(one.measure.metric).title}: "
        f"{in_points(one.difference)} points). That does not show that effects add up: interactions "
        "inside that interval are not excluded."
    ]


def effect_words(found: Statistics, one: Effect) -> tuple[str, str]:
    """Say what a factor does to accuracy, for a sentence and in a few words.

    Where that depends on what it is combined with, no average is claimed.
    """
    factor, effects = one.contrast.factor, found.effects
    every = (*effects.overall["accuracy"], *effects.by_model["accuracy"])
    single = [other for other in every if other.contrast.factor == factor and other.contrast.model and other.told_apart]
    if len({other.difference.value > 0 for other in single}) > 1:
        each = listed([f"{escape(other.contrast.model)}: {_change(other)}" for other in single])
        return f"does opposite things ({each})", "opposite effects in different models"
    base = factor.removesuffix(" vs custom")
    parts = {other.contrast.factor: other.contrast.factor.split(" × ") for other in every if other.told_apart}
    crossed = [name for name, factors in parts.items() if base in factors and name != factor]
    against = _against(_other_seeds(found, one.contrast.weights, effects.seed), one.difference.value)
    change = _change(one) + against
    words = f"changes it by {change}" if one.told_apart else f"has no significant effect: {change}"
    reserve = "" if one.told_apart else "not significant"
    if crossed:
        words, reserve = f"{_DEPENDS} ({listed(crossed)}; {change} on average)", _DEPENDS
    elif against:
        reserve = "another seed points the other way"
    return words, f"{points(one.difference.value)} points" + (f" ({reserve})" if reserve else "")


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
    text = (
        f"Oversampling changes the recall of {which}, {escape(data.classes[rare])} "
        f"({plural(support[rare], 'test image')}), by {in_points(change.difference)} points"
        f"{'' if change.told_apart else ', which is not significant'}."
    )
    if gains:
        text += f" Recall also rises for {gains}."
    if not losses:
        return [f"{text} No other class is shown to lose recall."]
    if gains or (change.told_apart and change.difference.value > 0):
        return [f"{text} The price is paid by {losses}."]
    return [f"{text} Recall falls for {losses}."]


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


def _percent_interval(value: Statement) -> str:
    ends = f" ({percent(value.low)} to {percent(value.high)})" if value.low == value.low else ""
    return f"{percent(value.value)}{FIXED_BLANK}%{ends}"


def _ensemble(found: Statistics) -> list[str]:
    """Say what voting adds, for the ensemble that is best on the validation split."""
    if not found.ensembles:
        return []
    labels = found.validation.labels
    best = max(found.ensembles, key=lambda one: float(np.mean(one.answers("validation").argmax(axis=1) == labels)))
    accuracy, gain = ensemble_accuracy(found, best)
    names = escape(listed([str(recipe) for recipe in best.recipes]))
    votes = len(best.runs)
    voters = f"the {votes} seeds of {names}" if best.over == OVER_SEEDS else f"{votes} networks ({names})"
    text = (
        f"A soft vote of {voters}, the ensemble with the best validation accuracy, scores "
        f"{_percent_interval(accuracy)} on the test split, {in_points(gain)} points against the "
        "mean of its members"
    )
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
            f"{images}; how much of them another seed would change is not known, and no claim about recipes is made."
        )
    seeds = plural(fewest, "seed") if fewest == most else f"{fewest} to {most} seeds"
    if most < MINIMUM_SEEDS:
        return (
            f"Recipes were trained with {seeds}: statements on recipes need {MINIMUM_SEEDS}. Intervals and tests hold "
            "for these trained networks, and no claim about recipes is made."
        )
    least = min(count for count in counts if count >= MINIMUM_SEEDS)
    text = (
        f"Recipes were trained with {seeds} and tested on {images}; their intervals cover new seeds and new images. "
        f"They take scores to be normal over seeds: {least} seeds that all trained well do not exclude that "
        f"{100 * (1 - 0.05 ** (1 / least)):.0f} % of trainings fail."
    )
    if few := [escape(one.recipe) for one in data.few_seeds]:
        have, them = ("has", "it") if len(few) == 1 else ("have", "them")
        text += (
            f" {_few(few, lambda more: plural(more, 'other'))} {have} fewer than {MINIMUM_SEEDS} seeds: about {them} "
            "no claim is made but on the trained networks."
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
    if late := sum(not run.converged for run in data.runs):
        words.append(f"{plural(late, 'run')} had not converged when the budget ended (†)")
    sentences = [f"{'; '.join(words)}."] if words else []
    leaky = list(dict.fromkeys(str(data.recipe(run.record)) for run in data.finished if is_leaky(run.record)))
    if leaky:
        sentences.append(
            f"{escape(listed(leaky))} saw or chose on test images on purpose: shown to measure leakage, never ranked."
        )
    return [*sentences, *_copies(data)]


def _copies(data: StudyData) -> list[str]:
    """Say what the copies of training images among the test images are worth to the best recipe."""
    counts = [run.record.contamination.test_copies_in_train or 0 for run in data.runs if not run.record.leaky]
    most = max(counts, default=0)
    if not most:
        return []
    text = f"{plural(most, 'test image')} with an identical copy in the training split: accuracies include them"
    if data.ranked:
        best = data.ranked[0].recipe
        found = {words: data.rescored(name) for name, words in _WITHOUT.items()}
        parts = [f"{percent(scores[best].value)} % {words}" for words, scores in found.items() if scores]
        if parts:
            text += f". {escape(best)} scores {listed(parts)} (all: {percent(data.rescored(ALL)[best].value)} %)"
    return [f"{text}."]
