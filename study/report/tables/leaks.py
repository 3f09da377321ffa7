"""Tables on leakage: the ladder, its curve over epochs, the answers scored otherwise, published claims."""

from __future__ import annotations

from typing import Any

from study.analysis.leaks import PLAIN, REWEIGHTED
from study.analysis.rescoring import ALL, FERPLUS, NO_COPIES, NO_NEAR_COPIES, Rescoring
from study.analysis.scores import Statement
from study.report.collect import StudyData
from study.report.published_results import Claim, nearest
from study.report.tables.results import marks
from study.report.tables.table import RECIPE, Column, Table, hidden
from study.report.wording import NOTHING, escape, percent, points, with_interval

SUBSETS = {
    ALL: "all",
    NO_COPIES: "without copies",
    NO_NEAR_COPIES: "without near copies that were found",
    FERPLUS: "by FER+ labels",
}


def ladder_table(data: StudyData) -> Table:
    """Every leak: claimed, the same networks and their clean twins on the same images, and what the leak was worth."""
    rows = []
    for leak in data.leaks:
        rows.append(
            [
                leak.recipe.model,
                leak.recipe.protocol + marks(False, leak.hardly_trained),
                leak.recipe.protocol,
                leak.kind,
                leak.twin,
                len(leak.seeds),
                leak.leaky[PLAIN].question,
                leak.claimed,
                *(part.get(metric) for metric in (PLAIN, REWEIGHTED) for part in (leak.leaky, leak.clean, leak.worth)),
                leak.worth_trained_on,
                leak.worth_unseen,
                leak.images,
                leak.trained_on,
                leak.clean_without_copies,
                leak.hardly_trained,
                leak.runs,
            ]
        )
    columns = [
        Column("model", "model", right=False),
        Column("", "protocol", lambda name: escape(name.removeprefix("leaky/")), right=False),
        *hidden("protocol", "leak", "clean_twin"),
        Column("seeds", "n"),
        Column("statement_about", ""),
        Column("claimed", "claimed", _score),
        Column("leaky", "leaky", _value),
        Column("clean", "clean", _score),
        Column("worth", "worth", _worth),
        Column("leaky_reweighted", "leaky, classes equal", _value),
        Column("clean_reweighted", "clean, classes equal", _score),
        Column("worth_reweighted", "worth, classes equal", _worth),
        Column("worth_on_images_trained_on", "trained on", _worth),
        Column("worth_on_unseen_images", "unseen", _worth),
        *hidden("images", "images_trained_on", "clean_without_copies", "hardly_trained", "runs"),
    ]
    return Table("leakage", columns, rows)


def curve_table(data: StudyData) -> Table:
    """Every leak epoch by epoch; for the CSV."""
    rows: list[list[Any]] = []
    for leak in data.leaks:
        for step in leak.curve:
            rows.append(
                [
                    leak.recipe.model,
                    leak.recipe.protocol,
                    "accuracy with classes equal" if leak.measure == REWEIGHTED else "accuracy",
                    step.epoch,
                    step.leaky,
                    step.clean,
                    step.worth,
                    step.leaky_training,
                    step.clean_training,
                    leak.runs,
                ]
            )
    scores = ("leaky", "clean", "worth", "leaky_training_accuracy", "clean_training_accuracy")
    keys = ("model", "protocol", "score", "epoch", *scores, "runs")
    return Table("leakage-by-epoch", [Column(key, "") for key in keys], rows)


def rescoring_table(data: StudyData, rescoring: Rescoring) -> Table:
    """Every recipe's accuracy on all test images and on those that training did not know, and by other labels."""
    subsets = rescoring.subsets
    rows = []
    for one in data.standings:
        scores = rescoring.scores[one.recipe]
        runs = tuple(run.record.key for run in one.runs)
        rows.append([one.rank, one.recipe.model, one.recipe.protocol, scores[0].question, *scores, runs])
    columns = [
        Column("rank", "#", lambda rank: NOTHING if rank is None else str(rank)),
        *RECIPE,
        Column("statement_about", ""),
        *(Column(f"accuracy_{one.name}", f"{SUBSETS[one.name]}, {len(one):,}", _score) for one in subsets),
        Column("runs", ""),
    ]
    return Table("rescoring", columns, rows)


def published_table(data: StudyData, claims: list[Claim]) -> Table:
    """Published claims beside the nearest that the study measured."""
    rows = []
    for claim in claims:
        near = nearest(claim, data)
        shares = [None if value is None else value / 100 for value in (claim.train, claim.validation)]
        ends = [None if value is None else value / 100 for value in (claim.test_from, claim.test)]
        rows.append(
            [
                f"[{escape(claim.source)}]({claim.url})" if claim.url else escape(claim.source),
                claim.source,
                claim.url,
                _claimed(*shares, *ends),
                *shares,
                *ends,
                claim.caveat,
                near.recipe if near else None,
                near.claimed if near else None,
                near.clean if near else None,
                near.runs if near else (),
            ]
        )
    columns = [
        Column("", "source", str, right=False),
        *hidden("source", "url"),
        Column("", "claim", str, right=False),
        *hidden("train", "validation", "test_from", "test"),
        Column("caveat", "what to know", right=False),
        Column("nearest", "nearest here", lambda name: NOTHING if name is None else escape(name), right=False),
        Column("nearest_claimed", "as it would claim", percent),
        Column("nearest_clean", "clean", percent),
        Column("runs", ""),
    ]
    return Table("claims", columns, rows)


def _claimed(train: float | None, validation: float | None, low: float | None, high: float | None) -> str:
    """Write a claim's numbers in percent."""
    words = [f"{name} {percent(value)}" for name, value in (("train", train), ("validation", validation)) if value]
    if low is not None:
        words.append(f"{percent(low)} to {percent(high)}" if high is not None else f"above {percent(low, 0)}")
    elif high is not None:
        words.append(f"{percent(high, 2).rstrip('0').rstrip('.')}")
    return ", ".join(words)


def _score(value: Statement | None) -> str:
    return NOTHING if value is None else with_interval(value)


def _value(value: Statement | None) -> str:
    return NOTHING if value is None else percent(value.value)


def _worth(value: Statement | None) -> str:
    return NOTHING if value is None else with_interval(value, points)
