"""One run: what it scores, how it learned, what it confuses, what it cost and how it was made."""

from __future__ import annotations

from typing import Any

import streamlit as st

from study.analysis.recipes import is_leaky
from study.analysis.runs import ScoredRun
from study.core.record import Record
from study.core.store import Store
from study.report.collect import StudyData
from study.report.wording import duration, large, percent, plain, without_paths
from study.web.charts import curves_chart, matrix_chart
from study.web.comparing import shares
from study.web.overview import all_standings, run_label
from study.web.settings import Settings
from study.web.views.shared import choose_run, numbers


def show(settings: Settings, store: Store, data: StudyData) -> None:
    """Draw the page."""
    st.title("One run")
    order = [run for one in all_standings(data) for run in one.runs]
    unfinished = [record for record in data.records if record.status != "done"]
    if order:
        _run(data, choose_run("Run", order, data, 0, "run"))
    else:
        st.info("No run has finished yet.")
    if unfinished:
        st.subheader("Runs without a result")
        told = [(run_label(data, one), one.status, without_paths(one.reason)) for one in unfinished]
        st.dataframe([{"run": run, "status": status, "reason": why} for run, status, why in told], hide_index=True)


def _run(data: StudyData, run: ScoredRun) -> None:
    record = run.record
    _badges(record, run)
    scores = {
        "Validation accuracy": run.validation.accuracy,
        "Test accuracy": run.test.accuracy,
        "Macro-F1": run.test.macro_f1,
        "Balanced accuracy": run.test.balanced_accuracy,
    }
    numbers({name: f"{percent(value)} %" for name, value in scores.items()})
    if record.history:
        _curves(record)
    matrix, classes = st.columns([3, 2], gap="large")
    with matrix:
        st.subheader("Confusion matrix")
        st.caption("Test split, percent of each true class's images (rows).")
        chart = matrix_chart(data.classes, shares(run.test.confusion), difference=False)
        st.vega_lite_chart(spec=chart, alt="Confusion matrix on the test split")
    with classes:
        st.subheader("Classes")
        st.caption("Test split, in percent.")
        _classes(data, run)
    st.subheader("How it was made")
    rows = {name: value for name, value in _facts(record).items() if value}
    facts = [{"what": name, "value": str(value)} for name, value in rows.items()]
    st.dataframe(facts, hide_index=True, alt="How the run was made")  # not st.table, which renders Markdown


def _badges(record: Record, run: ScoredRun) -> None:
    words = []
    if is_leaky(record):
        words.append(":red-badge[:material/warning: leaky: saw or chose on test images]")
    if record.imported:
        words.append(":violet-badge[imported predictions]")
    elif not run.converged:
        words.append(":orange-badge[not converged: the best epoch is the last one]")
    if not record.on_own_test:
        words.append(":orange-badge[scored on a split of its own]")
    if words:
        st.markdown(" ".join(words))


def _curves(record: Record) -> None:
    st.subheader("Learning curves")
    st.caption(
        "Validation split; dashed: training batches as the network saw them. A dot marks the epoch that is kept."
    )
    for column, measure in zip(st.columns(2), ("loss", "accuracy"), strict=True):
        column.vega_lite_chart(spec=curves_chart({"this run": record}, measure), alt=f"{measure} by epoch")


def _classes(data: StudyData, run: ScoredRun) -> None:
    rows = [
        {
            "class": name,
            **{one: 100 * float(getattr(run.test, one)[place]) for one in ("precision", "recall", "f1")},
            "images": int(run.test.support[place]),
        }
        for place, name in enumerate(data.classes)
    ]
    columns = {name: st.column_config.NumberColumn(format="%.1f") for name in ("precision", "recall", "f1")}
    st.dataframe(rows, column_config=columns, hide_index=True, alt="Scores of each class")


def _facts(record: Record) -> dict[str, Any]:
    spec, cost, made = record.spec, record.cost, record.provenance
    latency = cost.latency_single_ms
    return {
        "Run key": record.key,
        "Protocol": f"{spec.protocol.name}: sampling {spec.protocol.sampling}, "
        f"augmentation {', '.join(one.name for one in spec.protocol.augmentation) or 'none'}",
        "Budget": spec.budget,
        "Epochs": len(record.history) or "",
        "Parameters": large(cost.parameters) if cost.parameters else "",
        "Training": duration(record.timing.train_s) if record.timing.train_s else "",
        "One image": f"{plain(latency, 1)} ms" if latency else "",
        "Test images trained on": str(record.contamination.test_copies_in_train),
        "Made": f"{made.started[:10]} with study {made.study} on {made.processor}" if made.started else "",
    }
