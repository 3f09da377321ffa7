"""Conclusions: sentences written from the numbers, each no stronger than they are."""

from __future__ import annotations

from study.analysis.effects import AUGMENTATION, OVERSAMPLING, RANDOM_BODY, TRANSFER, Effect, summarise
from study.analysis.leaderboard import Standing
from study.analysis.paired import paired_difference
from study.analysis.runs import ScoredRun
from study.report.collect import StudyData
from study.report.tables.runs import missing_cells
from study.report.wording import escape, listed, percent, plural, points, spread

#: Seeds from which on a spread between recipes can be estimated at all.
SEEDS_FOR_RECIPES = 3


def conclusions(data: StudyData) -> list[str]:
    """Return the conclusions as Markdown sentences, most important first."""
    sentences = _caveats(data)
    ranked = data.ranked
    if not ranked:
        return [
            *sentences,
            "No run that may be ranked has finished, so that nothing can be concluded yet.",
            *_gaps(data),
        ]
    sentences.append(_best(data, ranked[0]))
    if len(ranked) > 1:
        sentences.append(_first_two(data, ranked[0], ranked[1]))
    sentences += _factors(data)
    sentences.append(_worst_class(data, ranked[0]))
    return [*sentences, _scope(data), *_gaps(data)]


def _caveats(data: StudyData) -> list[str]:
    words = []
    if data.card.get("drawn"):
        words.append(
            "**The faces are drawn, not photographed.** Nothing here says how well a network reads real faces; "
            "the numbers show that the study runs and how the networks differ on this drawn set."
        )
    return words


def _best(data: StudyData, first: Standing) -> str:
    selection, test = first.measures["selection_accuracy"], first.measures["test_accuracy"]
    text = (
        f"**{escape(first.recipe)}** has the highest selection accuracy, {spread(selection)} %, and scores "
        f"{spread(test)} % on the test split (macro-F1 {spread(first.measures['test_macro_f1'])}). "
        f"Always answering with the most frequent class would score {percent(data.majority_share)} %"
    )
    bound = data.card.get("bound")
    return text + (f"; label noise bounds every accuracy at about {percent(bound)} %." if bound else ".")


def _first_two(data: StudyData, first: Standing, second: Standing) -> str:
    """Compare networks of the same seed on the same images; recipes are compared by mean alone."""
    best, next_best = (one.measures["selection_accuracy"].mean or 0.0 for one in (first, second))
    text = f"Second is {escape(second.recipe)}, {percent(best - next_best)} points lower on the selection split. "
    couples = [(one, other) for one in first.runs for other in second.runs if one.spec.seed == other.spec.seed]
    if not couples:
        return text + "The two have no seed in common, so that their networks are not compared image by image."
    told = [paired_difference(one.correct, other.correct) for one, other in couples]
    if len(told) == 1:
        only, seed = told[0], couples[0][0].spec.seed
        return (
            f"{text}On the same test images the first network of seed {seed} scores {points(only.difference)} points "
            f"against the second (95 % interval {points(only.low)} to {points(only.high)}): this test split "
            f"{'can' if only.told_apart else 'cannot'} tell the two networks apart."
        )
    differences = [one.difference for one in told]
    better, worse = sum(one.low > 0 for one in told), sum(one.high < 0 for one in told)
    return (
        f"{text}Over {plural(len(told), 'seed')} in common the first scores {points(sum(differences) / len(told))} "
        f"points against the second on test on average ({points(min(differences))} to {points(max(differences))}). "
        f"Image by image its network is better in {better} of {len(told)} seeds and worse in {worse} "
        "(95 % interval beside zero)."
    )


def _factors(data: StudyData) -> list[str]:
    accuracy, balanced = summarise(data.pairs, "accuracy"), summarise(data.pairs, "balanced_accuracy")
    sentences = []
    for factor, subject in ((AUGMENTATION, "Augmentation"), (OVERSAMPLING, "Oversampling")):
        if factor in accuracy:
            sentences.append(
                f"{subject} changes test accuracy by {_change(accuracy[factor])} and balanced accuracy by "
                f"{_change(balanced[factor])}, over {plural(accuracy[factor].pairs, 'matched pair')} of runs."
            )
    if TRANSFER in accuracy:
        sentences.append(
            f"Transfer networks score {_change(accuracy[TRANSFER])} against custom networks under the same protocol "
            f"and seed ({plural(accuracy[TRANSFER].pairs, 'pair')} of runs); the families differ in size and cost "
            "too, not in their weights alone."
        )
    if RANDOM_BODY in accuracy:
        sentences.append(
            f"Transfer bodies trained from random weights score {_change(accuracy[RANDOM_BODY])} against custom "
            "networks; this measures the architecture, not transfer."
        )
    return sentences


def _change(effect: Effect) -> str:
    if effect.pairs == 1:
        return f"{points(effect.mean)} points"
    return f"{points(effect.mean)} points on average ({points(effect.low)} to {points(effect.high)})"


def _worst_class(data: StudyData, first: Standing) -> str:
    place = first.worst_class
    images = data.card["counts"]["test"][place]
    return (
        f"The best recipe's worst class is {escape(data.classes[place])}: it finds {spread(first.worst_recall)} % "
        f"of its {plural(images, 'test image')}" + (", too few for a precise share." if images < 100 else ".")
    )


def _scope(data: StudyData) -> str:
    fewest = min(len(standing.runs) for standing in data.ranked)
    most = max(len(standing.runs) for standing in data.ranked)
    seeds = plural(fewest, "seed") if fewest == most else f"{fewest} to {most} seeds"
    if most == 1:
        return (
            "Every recipe was trained with one seed. Differences hold for these trained networks only; how much of "
            "them another seed would change is not known, and no claim about recipes is made."
        )
    if fewest < SEEDS_FOR_RECIPES:
        return (
            f"Recipes were trained with {seeds}: too few to say how much of a difference is the recipe's and how much "
            "the seed's. Means and spreads are shown, and no claim about recipes is made."
        )
    return (
        f"Recipes were trained with {seeds}. Means and standard deviations over seeds are shown; a difference of means "
        "that is not large against them may be due to the seeds."
    )


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
    leaky = [str(standing.recipe) for standing in data.standings if standing.rank is None]
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
