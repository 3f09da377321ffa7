"""What several views of an image add at test time, apart from the ranking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.leaderboard import Standing
from study.analysis.rescoring import NO_COPIES
from study.analysis.runs import predicted
from study.analysis.scores import FLIPPED, PLAIN, VIEWED, Measure
from study.report.collect import StudyData
from study.report.section import Section, section
from study.report.sections.leaderboard import chosen_on_test
from study.report.table import RECIPE, Column, Table, keys_of
from study.report.wording import in_points, p_value, percent, with_interval_inline

#: Views at test time by their registered name (``study.protocols.pieces.views``): title and predictions an image.
VIEWS = {"single": ("single view", 1), "flip": ("flip", 2), "five": ("five crops", 5), "ten": ("ten crops", 10)}
TEMPLATE = """\
Test accuracy of the mean prediction over several views of each image: the image and its mirror image, or centre and \
corner crops{{ "; means over the seeds" if data.several_seeds }}. Intervals are 95 %; the gain is that of the same \
networks, image by image, and p is not corrected. The leaderboard and every other score are those of the **single \
view**.

{{ folded("Gain over the single view by recipe", table.markdown(), open=declared) }}
"""


@section("views", title="Test-time views", place=40)
def write(data: StudyData) -> Section | None:
    """Return what several views add to a single one; None where no run was predicted with more than that."""
    found = data.found
    if not found:
        return None
    rows = []
    for one in data.standings:
        for answers in (FLIPPED, VIEWED):
            measure = Measure("accuracy", None, answers)
            if any(found.scores.lacks(run, measure) for run in one.runs):
                continue
            single, several = (found.scores.score(one.recipe, Measure("accuracy", None, of)) for of in (PLAIN, answers))
            validation = None if chosen_on_test(one) else found.validation.score(one.recipe, measure)
            alone = accuracy_without_copies(data, [found.scores.probabilities(run, answers) for run in one.runs])
            gain = found.scores.views_gain(one.recipe, answers)
            named = [one.recipe.model, one.recipe.protocol, *views_of(one, answers)]
            rows.append([*named, validation, single, several, alone, gain, gain.p_value, keys_of(one.runs)])
    if not rows:
        return None
    columns = [
        *RECIPE,
        Column("views", "views", right=False),
        Column("predictions_per_image", "predictions an image"),
        Column("validation_accuracy"),
        Column("single_view", "single view", with_interval_inline),
        Column("test_accuracy", "all views", with_interval_inline),
        Column("test_accuracy_without_copies", "without copies" if any(row[7] for row in rows) else "", percent),
        Column("gain", "gain, points", in_points),
        Column("p", "p", p_value),
        Column("runs"),
    ]
    declared = any("test_views" in run.record.arrays for run in data.runs)
    return Section.of(TEMPLATE, data=data, table=Table("test-time-views", columns, rows), declared=declared)


def views_of(one: Standing, answers: str) -> tuple[str, int | None]:
    """Return what a recipe's views are called, and how many predictions each image takes (None: a plugin's views)."""
    declared = one.runs[0].spec.protocol.views
    name = {PLAIN: "single", FLIPPED: "flip"}.get(answers) or (declared.name if declared else "views")
    return VIEWS.get(name, (name, None))


def accuracy_without_copies(data: StudyData, answers: Sequence[NDArray[Any]]) -> float | None:
    """Return the mean accuracy on the test images without an identical copy in training; None where they are unknown.

    The answers are probabilities of each network, (test images, classes).
    """
    subset = data.rescoring.subset(NO_COPIES) if data.rescoring else None
    if subset is None:
        return None
    return float(np.mean([(predicted(one) == subset.labels)[subset.mask].mean() for one in answers]))
