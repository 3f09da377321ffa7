"""What networks score when they vote."""

from __future__ import annotations

import numpy as np

from study.analysis.ensembles import OVER_SEEDS, Ensemble
from study.analysis.scores import Statement
from study.analysis.statistics import Statistics
from study.report.collect import StudyData
from study.report.section import Section, section
from study.report.sections.views import accuracy_without_copies
from study.report.table import Column, Table, hidden, keys_of
from study.report.wording import large, percent, plain, points, with_interval

TEMPLATE = """\
Soft votes, apart from the single networks above; who votes was settled on the validation split alone. Intervals are \
those of the voting networks over new images.

{{ table.markdown() }}
"""


@section("ensembles", title="Ensembles", place=100)
def write(data: StudyData) -> Section | None:
    """Return who votes, what the vote scores, and how that compares with its members' mean; None without a vote."""
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
        named = [title, one.over, who, len(one.runs), accuracy, alone, gain, views]
        rows.append([*named, *others, macs, keys_of(one.runs)])
    columns = [
        Column("", "vote of", right=False),
        *hidden("over", "recipes"),
        Column("networks", "networks"),
        Column("accuracy", "test acc.", with_interval),
        Column("test_accuracy_without_copies", "without copies" if any(row[5] for row in rows) else "", percent),
        Column("gain_over_members", "over members' mean, points", lambda value: with_interval(value, points)),
        Column("accuracy_with_views", "with test-time views" if any(row[7] for row in rows) else "", with_interval),
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
    first, second = (one.answers("test").argmax(axis=1) == found.scores.labels for one in (ensemble, other))
    runs = {run.record.key: run for run in (*ensemble.runs, *other.runs)}
    return found.scores.gain((first.astype(float) - second)[None], list(runs.values()), of_networks=True)
