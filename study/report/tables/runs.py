"""Tables of runs: which exist, which failed, what they saw, with what they were made."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from study.analysis.factors import WAYS
from study.analysis.influence import linearise
from study.analysis.metric import Metric, ordered
from study.analysis.recipes import random_weights
from study.analysis.runs import ScoredRun
from study.core.record import STATUSES
from study.report.collect import StudyData
from study.report.tables.table import RECIPE, Column, Table, hidden
from study.report.wording import NOTHING, code, escape, percent, ranges, without_paths

#: Scores of each run in ``runs.csv``, by their names in ``MEASURES``.
RUN_SCORES = (
    "validation_accuracy",
    "test_accuracy",
    "test_balanced_accuracy",
    "test_macro_f1",
    "test_log_loss",
    "test_accuracy_flipped",
)
_SEEN = ("trained_on_test_ids", "test_copies_in_train", "validation_copies_in_train", "selected_on_test", "leaky")


def coverage_table(data: StudyData) -> Table:
    """Models by protocols: the seeds that are done, and those that failed or have no record."""
    rows = []
    models, protocols = _trained(data)
    for model in models:
        rows.append([model, *(_cell(data, model, protocol) for protocol in protocols)])
    columns = [Column("model", "model", right=False)]
    columns += [Column(name, escape(name), right=False) for name in protocols]
    return Table("coverage", columns, rows)


def statuses(data: StudyData) -> str:
    """Say how many runs are done, failed and skipped."""
    counts: Counter[str] = Counter(one.status for one in data.trained)
    return ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])


def missing_cells(data: StudyData) -> list[tuple[str, str, int]]:
    """Return (model, protocol, seed) of the study's product that have no record.

    A protocol of a group (``as-published/...``) that one model alone follows was made for it: nothing else is missing.
    Nor does a body from random weights lack the ways to transfer a pretrained one, nor this the random start.
    """
    found = {(data.recipe(one).model, data.recipe(one).protocol, one.spec.seed) for one in data.trained}
    users = defaultdict(set)
    for model, protocol, _ in found:
        users[protocol].add(model)
    models, protocols = _trained(data)
    shared = [name for name in protocols if "/" not in name or len(users[name]) > 1]
    product = [(model, protocol, seed) for model in models for protocol in shared for seed in data.seeds]
    random = {data.recipe(one).model: random_weights(one.spec) for one in data.trained}
    ways = {
        data.recipe(one).protocol: bool(one.spec.protocol.start)
        for one in data.trained
        if one.spec.protocol.name.startswith(WAYS)
    }
    return [cell for cell in product if cell not in found and random[cell[0]] == ways.get(cell[1], random[cell[0]])]


def unfinished_table(data: StudyData) -> Table:
    """Failed and skipped runs with their reasons."""
    rows = []
    for record in data.unfinished:
        recipe = data.recipe(record)
        rows.append(
            [recipe.model, recipe.protocol, record.spec.seed, record.status, without_paths(record.reason), record.key]
        )
    columns = [
        *RECIPE,
        Column("seed", "seed"),
        Column("status", "status", right=False),
        Column("reason", "reason", right=False),
        Column("key", ""),
    ]
    return Table("unfinished", columns, rows)


def contamination_table(data: StudyData) -> Table:
    """What training saw of the other splits, one row for all runs that saw the same."""
    groups: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for run in data.finished:
        seen = tuple(getattr(run.record.contamination, name) for name in _SEEN)
        groups[(*seen, *_split_sizes(run))].append(data.recipe(run.record).protocol)
    everything = {data.recipe(run.record).protocol for run in data.finished}
    rows = []
    for seen, protocols in groups.items():
        names = [name for name in data.naming.protocols if name in protocols]
        whole = len(groups) > 1 and set(names) == everything
        shares = [_share(count, total) for count, total in zip(seen[:3], (seen[5], seen[5], seen[6]), strict=True)]
        rows.append([", ".join(names) if not whole else "several", len(protocols), *shares, *seen[:5]])
    columns = [
        Column("protocols", "protocols", right=False),
        Column("runs", "runs"),
        Column("", "test images trained on"),
        Column("", "test images with a copy in training"),
        Column("", "validation images with a copy in training"),
        *(Column(name, "") for name in _SEEN[:3]),
        Column(_SEEN[3], "chosen on test", _yes_no),
        Column(_SEEN[4], "leaky", _yes_no),
    ]
    return Table("contamination", columns, rows)


def _split_sizes(run: ScoredRun) -> tuple[int, int]:
    """Return how many different images the run's test and validation splits have."""
    arrays, counts = run.record.arrays, run.record.dataset.counts
    if run.record.imported:
        return sum(counts["test"]), sum(counts["validation"])
    validation = arrays.get("validation_indices", np.arange(len(arrays["validation_labels"])))
    return len(arrays["test_labels"]), len(np.unique(validation % sum(map(sum, counts.values()))))


def run_keys_table(data: StudyData) -> Table:
    """Every record's key, state, origin and scores."""
    metrics = ordered(lambda one: not one.each_class)
    scored = {run.record.key: run for run in data.finished}
    rows = []
    for record in data.records:
        where, recipe, run = record.provenance, data.recipe(record), scored.get(record.key)
        state: str = "imported" if record.imported else record.status
        if record.outcome and not record.outcome.converged:
            state = "done, not converged"
        rows.append(
            [
                record.key,
                state,
                where.commit,
                where.code,
                record.predictions_sha256[:12],
                record.spec.budget,
                record.spec.precision,
                record.spec.side_px,
                recipe.model,
                recipe.protocol,
                record.spec.seed,
                *_scores(run, metrics),
            ]
        )
    columns = [
        Column("key", "run key", code, right=False),
        Column("status", "state", right=False),
        Column("commit", "commit", right=False),
        Column("code", "code", right=False),
        Column("predictions_sha256", "predictions", right=False),
        *hidden("budget", "precision", "side_px", "model", "protocol", "seed", "validation_accuracy"),
        *(Column(f"test_{metric.name}", "") for metric in metrics),
    ]
    return Table("runs", columns, rows)


def _scores(run: ScoredRun | None, metrics: Sequence[Metric]) -> list[float | None]:
    """Return a run's validation accuracy and its metrics on the test split, None where it has none."""
    if run is None:
        return [None] * (1 + len(metrics))
    arrays, sure = run.record.arrays, run.record.has_probabilities
    values = [
        float(linearise(one.name, arrays["test_probabilities"][None], arrays["test_labels"]).values[0])
        if sure or one.confusion
        else None
        for one in metrics
    ]
    return [run.validation.accuracy, *values]


def versions_table(data: StudyData) -> Table:
    """With what the finished runs were made; several values are listed with their number of runs."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for run in data.finished:
        if run.record.imported:  # what they were made with is not known
            continue
        where = run.record.provenance
        facts = {
            name: getattr(where, name)
            for name in ("study", "commit", "code", "python", "system", "processor", "threads")
        }
        facts |= dict(where.versions) | {"precision": run.spec.precision, "backend": run.spec.backend}
        for name, value in facts.items():
            seen[name][str(value or NOTHING)] += 1
    rows = []
    for name, values in seen.items():
        told = sorted(values)
        rows.append(
            [name, told[0] if len(told) == 1 else ", ".join(f"{value} ({values[value]} runs)" for value in told)]
        )
    return Table("versions", [Column("what", "what", right=False), Column("value", "value", right=False)], rows)


def _trained(data: StudyData) -> tuple[list[str], list[str]]:
    """Return the models and the protocols of runs, in table order."""
    recipes = {data.recipe(record) for record in data.trained}
    models = [name for name in data.naming.models if any(one.model == name for one in recipes)]
    return models, [name for name in data.naming.protocols if any(one.protocol == name for one in recipes)]


def _cell(data: StudyData, model: str, protocol: str) -> str:
    found = [one for one in data.records if (data.recipe(one).model, data.recipe(one).protocol) == (model, protocol)]
    words = []
    for status in ("done", "failed", "skipped"):
        seeds = [one.spec.seed for one in found if one.status == status]
        if seeds:
            words.append(f"{status}: {ranges(seeds)}")
    lacking = [seed for name, other, seed in missing_cells(data) if (name, other) == (model, protocol)]
    if lacking:
        words.append(f"missing: {ranges(lacking)}")
    return "; ".join(words) or NOTHING


def _share(count: int | None, total: int) -> str:
    return NOTHING if count is None else f"{count:,} ({percent(count / total)} %)" if count else "0"


def _yes_no(value: bool | None) -> str:
    return NOTHING if value is None else "yes" if value else "no"
