"""Tables of tests: differences of recipes and of networks, factor effects, calibration, ensembles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.comparisons import Comparison, Comparisons, Effect
from study.analysis.contrasts import LEVEL, Family
from study.analysis.ensembles import OVER_SEEDS, Ensemble
from study.analysis.leaderboard import Standing
from study.analysis.metric import METRICS
from study.analysis.power import Design, seeds_needed, seeds_sentence
from study.analysis.rescoring import NO_COPIES
from study.analysis.runs import ScoredRun, predicted
from study.analysis.scores import CALIBRATED, FLIPPED, PLAIN, VIEWED, Measure, Statement
from study.analysis.statistics import Statistics
from study.report.collect import StudyData
from study.report.tables.table import RECIPE, Column, Table, hidden
from study.report.wording import (
    FIXED_BLANK,
    NOTHING,
    escape,
    large,
    p_sentence,
    p_value,
    percent,
    plain,
    points,
    probability,
    with_interval,
    with_interval_inline,
)

#: More rows than this are left to the CSV.
MOST_PAIRS = 45
#: Views at test time by their registered name (``study.protocols.pieces.views``): title and predictions an image.
VIEWS = {"single": ("single view", 1), "flip": ("flip", 2), "five": ("five crops", 5), "ten": ("ten crops", 10)}


def settings_table(found: Statistics) -> Table:
    """What the tests were told; the check reads the margin from here."""
    rows: list[list[Any]] = [
        ["equivalence_margin", found.margin],
        ["interval_level", LEVEL],
        ["detectable_difference", found.detectable],
        ["test_images", found.scores.clusters.images],
        ["test_images_of_different_content", found.scores.clusters.count if found.copies_known else None],
    ]
    return Table("settings", [Column("name", "name", right=False), Column("value", "value")], rows)


def declared_recipes_table(found: Statistics) -> Table:
    """Each recipe less the best on validation: difference, p over all pairs, chance to win again, equivalence."""
    rows = []
    for one in found.recipes.declared:
        same, ahead = one.equivalence, one.superiority
        rows.append(
            [
                one.first.model,
                one.first.protocol,
                str(one.second),
                one.difference,
                one.difference.p_value,
                one.adjusted,
                ahead.probability if ahead else None,
                ahead.low if ahead else None,
                ahead.high if ahead else None,
                same.equivalent if same else None,
                same.p_value if same else None,
                same.probability if same else None,
                same.smallest_margin if same else None,
                (one.adjusted, one.told_apart),
                (ahead.probability, ahead.low, ahead.high) if ahead else None,
                (same.equivalent, same.p_value, same.probability) if same else None,
                one.difference.runs,
            ]
        )
    columns = [
        *RECIPE,
        Column("less", ""),
        Column("difference", "difference, points", _difference),
        *hidden(
            "p",
            "p_all_pairs",
            "probability_better",
            "probability_better_low",
            "probability_better_high",
            "equivalent",
            "p_equivalence",
            "probability_equivalent",
            "smallest_margin",
        ),
        Column("", "p, all pairs", lambda cell: _marked(*cell)),
        Column("", "beats the best with a new seed", _chance),
        Column("", f"equivalent within {_margin(found.margin)}", _same),
        Column("runs", ""),
    ]
    shown = [
        *columns[:-1],
        Column("", "smallest margin", lambda value: "–" if value is None else points(value).removeprefix("+")),
        columns[-1],
    ]
    return Table("contrasts-recipes", shown, [[*row[:-1], row[12], row[-1]] for row in rows])


def declared_networks_table(comparisons: Comparisons) -> Table:
    """Each network less the best of its seed on validation: difference on the same images, McNemar's counts and p."""
    rows = [_network_row(one) for one in comparisons.declared]
    return Table("contrasts-networks", _network_columns(), rows)


def pairs_table(comparisons: Comparisons) -> Table:
    """Every pair, corrected for all of them."""
    rows = [
        [
            str(one.first),
            str(one.second),
            one.difference,
            one.difference.p_value,
            one.adjusted,
            (one.adjusted, one.told_apart),
            one.difference.runs,
        ]
        for one in comparisons.pairs
    ]
    columns = [
        Column("first", "first", right=False),
        Column("second", "second", right=False),
        Column("difference", "first less second, points", _difference),
        *hidden("p", "p_all_pairs"),
        Column("", "p, all pairs", lambda cell: _marked(*cell)),
        Column("runs", ""),
    ]
    return Table(f"pairs-{comparisons.question}s", columns, rows)


def effects_table(found: Statistics, models: Sequence[str]) -> Table:
    """Each factor's effect over all models and for each, on accuracy, balanced accuracy and macro-F1."""
    effects = found.effects
    rows: list[list[Any]] = []
    for family in (effects.overall, effects.by_model):
        for group in zip(*family.values(), strict=True):
            contrast = group[0].contrast
            flat = [number for one in group for number in (one.difference, one.difference.p_value, one.adjusted)]
            rows.append([contrast.factor, contrast.model or "all", *group, *flat, group[0].difference.runs])
    factors = list(dict.fromkeys(row[0] for row in rows))
    order = ["all", *models]
    rows.sort(key=lambda row: (factors.index(row[0]), order.index(row[1])))
    columns = [Column("factor", "factor", right=False), Column("model", "model", right=False)]
    columns += [Column("", METRICS.get(name).title, _effect) for name in effects.overall]
    for name in effects.overall:
        columns += [Column(name, ""), Column(f"{name}_p", ""), Column(f"{name}_p_holm", "")]
    return Table("factor-effects", [*columns, Column("runs", "")], rows)


def class_effects_table(data: StudyData, found: Statistics, measure: str) -> Table:
    """Each factor's effect on every class, over all models."""
    effects = found.effects.by_class[measure]
    by_factor: dict[str, list[Effect]] = {}
    for one in effects:
        by_factor.setdefault(one.contrast.factor, []).append(one)
    columns = [Column("", "class", right=False), *(Column("", escape(factor), _effect) for factor in by_factor)]
    rows = [
        [name, *(group[place] for group in by_factor.values())]
        for place, name in enumerate(data.classes)
        if by_factor and place < len(next(iter(by_factor.values())))
    ]
    return Table("", columns, rows)


def all_class_effects_table(data: StudyData, found: Statistics) -> Table:
    """The same for every measure in one CSV."""
    rows = [
        [
            one.contrast.factor,
            measure,
            data.classes[one.measure.class_index or 0],
            one.difference,
            one.difference.p_value,
            one.adjusted,
            one.difference.runs,
        ]
        for measure, effects in found.effects.by_class.items()
        for one in effects
    ]
    keys = ("factor", "measure", "class", "effect", "p", "p_holm", "runs")
    return Table("factor-effects-by-class", [Column(key, "") for key in keys], rows)


def components_table(data: StudyData, found: Statistics) -> Table:
    """Where the spread of test accuracy comes from, for recipes with seeds enough."""
    rows = []
    for one in data.standings:
        if not found.scores.has_seeds(one.recipe):
            continue
        sample = found.scores.sample(one.runs)
        seen = float(np.var(sample.values, ddof=1))
        images = Family([sample]).contrast([1.0]).image_variance
        roots = np.sqrt([seen, max(seen - sample.interaction, 0.0), images])
        keys = tuple(run.record.key for run in one.runs)
        rows.append([one.recipe.model, one.recipe.protocol, len(one.runs), *map(float, roots), keys])
    columns = [
        *RECIPE,
        Column("seeds", "seeds"),
        Column("deviation_seen", "seen between seeds", lambda value: percent(value, 2)),
        Column("deviation_of_seeds", "of that, the seeds' own", lambda value: percent(value, 2)),
        Column("error_of_images", "chance in the images", lambda value: percent(value, 2)),
        Column("runs", ""),
    ]
    return Table("variance-components", columns, rows)


def calibration_table(data: StudyData, found: Statistics) -> Table:
    """Negative log-likelihood, Brier score and ECE, and the first and last with each network's own temperature."""
    rows = []
    for one in data.standings:
        scores = [
            found.scores.score(one.recipe, Measure(metric, None, answers))
            for metric, answers in (
                ("log_loss", PLAIN),
                ("brier", PLAIN),
                ("ece", PLAIN),
                ("log_loss", CALIBRATED),
                ("ece", CALIBRATED),
            )
        ]
        temperature = float(np.mean([found.scores.temperature(run) for run in one.runs]))
        rows.append([one.recipe.model, one.recipe.protocol, *scores[:3], temperature, *scores[3:], scores[0].runs])
    columns = [
        *RECIPE,
        Column("log_loss", "log loss", _two),
        Column("brier", "Brier", _two),
        Column("ece", "ECE, %", with_interval),
        Column("temperature", "temperature", lambda value: plain(value, 2)),
        Column("log_loss_with_temperature", "log loss, scaled", _two),
        Column("ece_with_temperature", "ECE, scaled, %", with_interval),
        Column("runs", ""),
    ]
    return Table("calibration", columns, rows)


def views_table(data: StudyData, found: Statistics) -> Table:
    """Accuracy of one view and of the mean over several, on both splits, and what several add on the test split."""
    rows = []
    for one in data.standings:
        for answers in (PLAIN, FLIPPED, VIEWED):
            measure = Measure("accuracy", None, answers)
            if any(found.scores.lacks(run, measure) for run in one.runs):
                continue
            title, each = views_of(one, answers)
            gain = None if answers == PLAIN else found.scores.views_gain(one.recipe, answers)
            scores = [of.score(one.recipe, measure) for of in (found.validation, found.scores)]
            keys = tuple(run.record.key for run in one.runs)
            named = [one.recipe.model, one.recipe.protocol, title, each]
            alone = _without_copies(data, [found.scores.probabilities(run, answers) for run in one.runs])
            rows.append([*named, *scores, alone, gain, gain and gain.p_value, keys])
    columns = [
        *RECIPE,
        Column("views", "views", right=False),
        Column("predictions_per_image", "predictions an image", lambda each: NOTHING if each is None else str(each)),
        Column("validation_accuracy", "validation acc.", with_interval_inline),
        Column("test_accuracy", "test acc.", with_interval_inline),
        _without_copies_column(rows, 6),
        Column("gain", "gain, points", lambda value: NOTHING if value is None else with_interval_inline(value, points)),
        Column("p", "p", lambda value: NOTHING if value is None else p_value(value)),
        Column("runs", ""),
    ]
    return Table("test-time-views", columns, rows)


def views_of(one: Standing, answers: str) -> tuple[str, int | None]:
    """Return what a recipe's views are called, and how many predictions each image takes (None: a plugin's views)."""
    declared = one.runs[0].spec.protocol.views
    name = {PLAIN: "single", FLIPPED: "flip"}.get(answers) or (declared.name if declared else "views")
    title, each = VIEWS.get(name, (name, None))
    return title, each


def _without_copies(data: StudyData, answers: Sequence[NDArray[Any]]) -> float | None:
    """Return the mean accuracy on the test images without an identical copy in training; None where they are unknown.

    Args:
        data: The study.
        answers: Probabilities of each network, (test images, classes).
    """
    for subset in data.rescoring.subsets if data.rescoring else ():
        if subset.name == NO_COPIES:
            right = [(predicted(one) == subset.labels)[subset.mask].mean() for one in answers]
            return float(np.mean(right))
    return None


def _without_copies_column(rows: Sequence[Sequence[Any]], place: int) -> Column:
    known = any(row[place] is not None for row in rows)
    return Column("test_accuracy_without_copies", "without copies" if known else "", percent)


def ensembles_table(data: StudyData, found: Statistics) -> Table:
    """Every ensemble: who votes, what the vote scores, and how that compares with its members' mean."""
    rows = []
    for ensemble in found.ensembles:
        accuracy, gain = ensemble_accuracy(found, ensemble)
        answers = ensemble.answers("test")
        others = [
            found.scores.answers_score(answers, ensemble.runs, metric).value
            for metric in ("macro_f1", "log_loss", "ece")
        ]
        who = ", ".join(map(str, ensemble.recipes))
        title = f"seeds of {who}" if ensemble.over == OVER_SEEDS else f"{ensemble.over}: {who}"
        keys = tuple(run.record.key for run in ensemble.runs)
        macs = _sum(ensemble.runs, "macs")
        views = None
        if ensemble.has_views:
            views = found.scores.answers_score(ensemble.answers("test", views=True), ensemble.runs, "accuracy")
        alone = _without_copies(data, [answers])
        rows.append([title, ensemble.over, who, len(keys), accuracy, alone, gain, views, *others, macs, keys])
    with_views = "with test-time views" if any(row[7] for row in rows) else ""
    columns = [
        Column("", "vote of", right=False),
        *hidden("over", "recipes"),
        Column("networks", "networks"),
        Column("accuracy", "test acc.", with_interval),
        _without_copies_column(rows, 5),
        Column("gain_over_members", "over members' mean, points", lambda value: with_interval(value, points)),
        Column("accuracy_with_views", with_views, lambda one: NOTHING if one is None else with_interval(one)),
        Column("macro_f1", "macro-F1", percent),
        Column("log_loss", "log loss", plain),
        Column("ece", "ECE, %", percent),
        Column("macs", "MACs", large),
        Column("runs", ""),
    ]
    return Table("ensembles", columns, rows)


def ensemble_accuracy(found: Statistics, ensemble: Ensemble) -> tuple[Statement, Statement]:
    """Return a vote's test accuracy, and that less the mean accuracy of its members; network statements."""
    answers = ensemble.answers("test")
    right = answers.argmax(axis=1) == found.scores.labels
    members = np.mean([run.correct for run in ensemble.runs], axis=0)
    gain = found.scores.gain((right - members)[None], ensemble.runs, of_networks=True)
    return found.scores.answers_score(answers, ensemble.runs, "accuracy"), gain


def ensemble_gain(found: Statistics, ensemble: Ensemble, other: Ensemble) -> Statement:
    """Return one vote's test accuracy less another's; a network statement."""
    first, second = (one.answers("test").argmax(axis=1) == found.scores.labels for one in (ensemble, other))
    runs = {run.record.key: run for run in (*ensemble.runs, *other.runs)}
    return found.scores.gain((first.astype(float) - second)[None], list(runs.values()), of_networks=True)


def seeds_needed_words(found: Statistics | None) -> str:
    """Say how many seeds a next study like this one needs; empty without two recipes that have seeds enough."""
    if not found or len(found.recipes.compared) < 2:
        return ""
    design = Design.measured([found.scores.sample(found.scores.recipes[one]) for one in found.recipes.compared])
    recipes = len(found.recipes.compared)
    return seeds_sentence(seeds_needed(design, recipes), recipes, measured=True)


def _network_row(one: Comparison) -> list[Any]:
    exact = one.mcnemar
    return [
        one.first.model,
        one.first.protocol,
        str(one.second),
        one.difference,
        exact.only_first if exact else None,
        exact.only_second if exact else None,
        one.difference.p_value,
        exact.p_value if exact else None,
        one.adjusted,
        (one.adjusted, one.told_apart),
        one.difference.runs,
    ]


def _network_columns() -> list[Column]:
    return [
        *RECIPE,
        Column("less", ""),
        Column("difference", "difference, points", _difference),
        Column("only_this_right", "only this one right"),
        Column("only_best_right", "only the best right"),
        *hidden("p_bootstrap", "p_mcnemar", "p_holm"),
        Column("", "p (McNemar, Holm)", lambda cell: _marked(*cell)),
        Column("runs", ""),
    ]


def _margin(margin: float) -> str:
    return f"{100 * margin:g}{FIXED_BLANK}points"


def _difference(value: Statement) -> str:
    return with_interval_inline(value, points)


def _effect(one: Effect) -> str:
    value = points(one.difference.value)
    text = with_interval_inline(one.difference, points)
    text = f"**{value}**{text.removeprefix(value)}" if one.told_apart else text
    return text if one.adjusted != one.adjusted else f"{text}<br><sub>{p_sentence(one.adjusted)}</sub>"


def _marked(adjusted: float, told_apart: bool) -> str:
    return f"**{p_value(adjusted)}**" if told_apart else p_value(adjusted)


def _chance(cell: tuple[float, float, float] | None) -> str:
    return "–" if cell is None else f"{probability(cell[0])} ({probability(cell[1])} to {probability(cell[2])})"


def _same(cell: tuple[bool, float, float] | None) -> str:
    if cell is None:
        return "–"
    words = f"{'yes' if cell[0] else 'not shown'}, p{FIXED_BLANK}{p_value(cell[1])}"
    return f"{words}<br><sub>probability {probability(cell[2])}</sub>"


def _two(value: Statement) -> str:
    return with_interval(value, lambda number: plain(number, 2))


def _sum(runs: Sequence[ScoredRun], name: str) -> float | None:
    values = [getattr(run.record.cost, name) for run in runs]
    return None if None in values else float(sum(value for value in values if value is not None))
