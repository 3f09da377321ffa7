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


@section("contamination", title="Contamination", place=180)
def write(data: StudyData) -> Section:
    """Return the counts of copies and of images that were trained on, one row for all runs that saw the same."""
    groups: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for run in data.finished:
        seen = tuple(getattr(run.record.contamination, name) for name in _SEEN)
        groups[(*seen, *_split_sizes(run))].append(data.recipe(run.record).protocol)
    everything = {data.recipe(run.record).protocol for run in data.finished}
    rows = []
    for (*facts, test, validation), protocols in groups.items():
        names = [name for name in data.naming.protocols if name in protocols]
        whole = len(groups) > 1 and set(names) == everything
        shares = [_share(count, total) for count, total in zip(facts[:3], (test, test, validation), strict=True)]
        rows.append([", ".join(names) if not whole else "several", len(protocols), *shares, *facts])

    def yes_no(value: bool) -> str:
        return "yes" if value else "no"

    columns = [
        Column("protocols", "protocols", right=False),
        Column("runs", "runs"),
        Column("", "test images trained on"),
        Column("", "test images with a copy in training"),
        Column("", "validation images with a copy in training"),
        *hidden(*_SEEN[:3]),
        Column(_SEEN[3], "chosen on test", yes_no),
        Column(_SEEN[4], "leaky", yes_no),
    ]
    return Section.of(TEMPLATE, table=Table("contamination", columns, rows) if rows else None)


def _split_sizes(run: ScoredRun) -> tuple[int, int]:
    """Return how many different images the run's test and validation splits have."""
    arrays, counts = run.record.arrays, run.record.dataset.counts
    if run.record.imported:
        return sum(counts["test"]), sum(counts["validation"])
    validation = arrays.get("validation_indices", np.arange(len(arrays["validation_labels"])))
    return len(arrays["test_labels"]), len(np.unique(validation % sum(map(sum, counts.values()))))


def _share(count: int | None, total: int) -> str:
    return NOTHING if count is None else f"{count:,} ({percent(count / total)} %)" if count else "0"
