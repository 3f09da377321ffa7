"""What networks score when they vote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from study.analysis.ensembles import OVER_SEEDS, Ensemble
from study.analysis.runs import ScoredRun
from study.analysis.scores import Statement
from study.analysis.statistics import Statistics
from study.report.collect import StudyData
from study.report.section import Section, section
from study.report.sections.views import accuracy_without_copies
from study.report.table import Column, Table, hidden, keys_of
from study.report.wording import large, percent, plain, points, with_interval

TEMPLATE = """\
Soft votes, apart from the single networks above; who votes was settled on the validation split alone. The best member \
is the voting network with the highest validation accuracy. Intervals are those of the voting networks over new images.

{{ table.markdown() }}
"""


@section("ensembles", title="Ensembles", place=100)
def write(data: StudyData) -> Section | None:
    """Return who votes, what the vote scores, and how that compares with its best member; None without a vote."""
    found = data.found
    if not found or not found.ensembles:
        return None
    scores = found.scores
    rows = []
    for one in found.ensembles:
        accuracy, gain = ensemble_accuracy(found, one)
        answers = one.answers("test")
        others = [scores.answers_score(answers, one.runs, metric).value for metric in ("macro_f1", "log_loss", "ece")]
        who = ", ".join(map(str, one.recipes))
        title = f"seeds of {who}" if one.over == OVER_SEEDS else f"{one.over}: {who}"
        costs = [run.record.cost.macs for run in one.runs]
        macs = None if None in costs else float(sum(cost for cost in costs if cost is not None))
        views = scores.answers_score(one.answers("test", views=True), one.runs, "accuracy") if one.has_views else None
        alone = accuracy_without_copies(data, [answers])
        named = [title, one.over, who, len(one.runs), accuracy, alone, gain_over_best_member(found, one), gain, views]
        rows.append([*named, *others, macs, keys_of(one.runs)])
    columns = [
        Column("", "vote of", right=False),
        *hidden("over", "recipes"),
        Column("networks", "networks"),
        Column("accuracy", "test acc.", with_interval),
        Column("test_accuracy_without_copies", "without copies" if any(row[5] for row in rows) else "", percent),
        Column("gain_over_best_member", "over its best member, points", lambda value: with_interval(value, points)),
        Column("gain_over_members"),
        Column("accuracy_with_views", "with test-time views" if any(row[8] for row in rows) else "", with_interval),
        Column("macro_f1", "macro-F1", percent),
        Column("log_loss", "log loss", plain),
        Column("ece", "ECE, %", percent),
        Column("macs", "MACs", large),
        Column("runs"),
    ]
    return Section.of(TEMPLATE, table=Table("ensembles", columns, rows))


def ensemble_accuracy(found: Statistics, ensemble: Ensemble) -> tuple[Statement, Statement]:
    """Return a vote's test accuracy, and that less the mean accuracy of its members; network statements."""
    answers = ensemble.answers("test")
    right = answers.argmax(axis=1) == found.scores.labels
    members = np.mean([run.correct for run in ensemble.runs], axis=0)
    gain = found.scores.gain((right - members)[None], ensemble.runs, of_networks=True)
    return found.scores.answers_score(answers, ensemble.runs, "accuracy"), gain


def ensemble_gain(found: Statistics, ensemble: Ensemble, other: Ensemble) -> Statement:
    """Return one vote's test accuracy less another's; a network statement."""
    second = other.answers("test").argmax(axis=1) == found.scores.labels
    return _gain(found, ensemble, second, (*ensemble.runs, *other.runs))


def gain_over_best_member(found: Statistics, ensemble: Ensemble) -> Statement:
    """Return a vote's test accuracy less that of ``ensemble.best_member``; a network statement."""
    return _gain(found, ensemble, ensemble.best_member.correct, ensemble.runs)


def _gain(found: Statistics, ensemble: Ensemble, other: NDArray[np.bool_], runs: Sequence[ScoredRun]) -> Statement:
    """Return a vote's test accuracy less that of other answers, given as which are right; paired over images."""
    right = ensemble.answers("test").argmax(axis=1) == found.scores.labels
    every = list({run.record.key: run for run in runs}.values())
    return found.scores.gain((right.astype(float) - other)[None], every, of_networks=True)
