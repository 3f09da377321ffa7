"""What training could see of the other splits."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from study.analysis.runs import ScoredRun
from study.report.collect import StudyData
from study.report.section import Section, section
from study.report.table import Column, Table, hidden
from study.report.wording import NOTHING, percent

TEMPLATE = """\
{% if table %}
What training could see of the other splits. Copies are images with equal pixels.

{{ table.markdown() }}
{% else %}
Measured with the first finished run.
{% endif %}
"""
_SEEN = ("trained_on_test_ids", "test_copies_in_train", "validation_copies_in_train", "selected_on_test", "leaky")
_TITLES = (
    "test images trained on",
    "test images with a copy in training",
    "validation images with a copy in training",
    "chosen on test",
    "leaky",
)


@section("contamination", title="Contamination", place=180)
def write(data: StudyData) -> Section:
    """Return the counts of copies and of images that were trained on, one row for all runs that saw the same."""
    groups: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for run in data.finished:
        groups[_seen(run)].append(data.recipe(run.record).protocol)
    everything = {data.recipe(run.record).protocol for run in data.finished}
    rows = []
    for (*facts, test, validation), protocols in groups.items():
        names = [name for name in data.naming.protocols if name in protocols]
        whole = len(groups) > 1 and set(names) == everything
        shown = ["not known"] * len(_SEEN)
        if test is not None:
            shown = [_share(count, total) for count, total in zip(facts[:3], (test, test, validation), strict=True)]
            shown += ["yes" if fact else "no" for fact in facts[3:]]
        rows.append([", ".join(names) if not whole else "several", len(protocols), *shown, *facts])
    columns = [
        Column("protocols", "protocols", right=False),
        Column("runs", "runs"),
        *(Column("", title) for title in _TITLES),
        *hidden(*_SEEN),
    ]
    return Section.of(TEMPLATE, table=Table("contamination", columns, rows) if rows else None)


def _seen(run: ScoredRun) -> tuple[Any, ...]:
    """Return what a run saw of its test and validation split, and how many different images these have.

    Of imported predictions nothing is known: every part is None.
    """
    if run.record.imported:
        return (None,) * (len(_SEEN) + 2)
    arrays, counts = run.record.arrays, run.record.dataset.counts
    validation = arrays.get("validation_indices", np.arange(len(arrays["validation_labels"])))
    different = len(np.unique(validation % sum(map(sum, counts.values()))))
    return *(getattr(run.record.contamination, name) for name in _SEEN), len(arrays["test_labels"]), different


def _share(count: int | None, total: int) -> str:
    return NOTHING if count is None else f"{count:,} ({percent(count / total)} %)" if count else "0"
