"""The study at a glance: one card, the leaderboard as a figure, four sentences; below, everything in sections."""

from __future__ import annotations

from typing import Any

import streamlit as st

from study.analysis.metric import ordered as metrics_in_order
from study.core.store import Store
from study.report.collect import StudyData
from study.report.sections.conclusions import conclusions
from study.report.wording import escape, percent
from study.web.charts import COSTS, cost_chart, curves_chart, differences_chart, ranking_chart
from study.web.overview import (
    ORDERS,
    Row,
    all_standings,
    factor_changes,
    factor_name,
    filtered,
    leaderboard_rows,
    ordered,
    run_label,
)
from study.web.settings import Settings
from study.web.views.shared import choose

#: As many as one screen shows; the section below has all of them.
MOST_ON_TOP = 8
#: As many as the report's picture has.
MOST_DRAWN = 40
SENTENCES = 4
#: Lines that an eye can tell apart.
MOST_CURVES = 8


def show(settings: Settings, store: Store, data: StudyData) -> None:
    """Draw the page."""
    st.title("At a glance")
    rows = leaderboard_rows(data)
    if not rows:
        st.info("No run has finished yet.")
        return
    _card(data, rows[0])
    top = rows[:MOST_ON_TOP]
    st.vega_lite_chart(spec=ranking_chart(top, data.naming.protocols), alt="Test and validation accuracy of the best")
    st.caption(
        "Filled: test accuracy in percent with its 95 % interval. Open: validation accuracy, which ranks. † Not "
        "converged: a run's best epoch is its last. "
        f"The most frequent class alone: {percent(data.card.majority_share)}."
        + (f" The first {len(top)} of {len(rows)} recipes." if len(rows) > len(top) else "")
    )
    said = conclusions(data)
    for sentence in said[:SENTENCES]:
        st.markdown(f"- {sentence}")
    if said[SENTENCES:]:
        with st.expander("More conclusions"):
            st.markdown("\n".join(f"- {sentence}" for sentence in said[SENTENCES:]))
    _leaderboard(data, rows, top)
    _effects(data)
    _costs(data, rows)
    _curves(data)


def _card(data: StudyData, best: Row) -> None:
    """Show the first row of the leaderboard and what the factors do."""
    if not best["rank"]:
        st.info("No run that may be ranked has finished, so that nothing can be concluded yet.")
        return
    late = f"{best['unconverged']} of {best['seeds']} runs not converged"
    with st.container(border=True):
        state = f":orange-badge[{late}]" if best["unconverged"] else ":green-badge[converged]"
        drawn = " :gray-badge[drawn faces]" if data.card.drawn else ""
        st.markdown(f"Best on the validation split {state}{drawn}")
        st.subheader(escape(best["recipe"]), anchor=False)
        with st.container(horizontal=True, gap="large"):
            quiet: dict[str, Any] = {"delta_color": "off", "delta_arrow": "off", "width": "content"}
            st.metric("Test accuracy", f"{best['test']:.1f} %", f"95 %: {best['interval']}", **quiet)
            st.metric("Validation accuracy", f"{best['validation']:.1f} %", "ranks", **quiet)
        runs = "1 run" if best["seeds"] == 1 else f"{best['seeds']} runs with different seeds"
        st.caption(f"From {runs}; the interval covers {best['covers']}.")
        lines = [
            f"{escape(name)} **{change}**" if significant else f"{escape(name)} {change}, not significant"
            for name, change, significant in factor_changes(data)
        ]
        st.markdown(
            "What the factors do to test accuracy: " + ("; ".join(lines) if lines else "no factor was varied") + "."
        )


def _leaderboard(data: StudyData, rows: list[Row], top: list[Row]) -> None:
    st.header("Leaderboard", divider="gray")
    st.markdown("Ranked by **validation accuracy**; the test scores chose nothing. Means over seeds, in percent.")
    chosen = _filtered(rows)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by = st.selectbox("Sort by", list(ORDERS), key="sort", width=280)
        worst_first = st.toggle("Worst first", key="worst")
    shown = ordered(chosen, by, worst_first)
    st.caption(f"{len(shown)} of {len(rows)} recipes")
    if not shown:
        st.info("No recipe fits these filters.")
        return
    _table(shown)
    if shown != top:
        with st.expander("As a figure"):
            chart = ranking_chart(shown[:MOST_DRAWN], data.naming.protocols)
            st.vega_lite_chart(spec=chart, alt="Test and validation accuracy of the recipes above")
            if len(shown) > MOST_DRAWN:
                st.caption(f"The first {MOST_DRAWN} are drawn.")


def _filtered(rows: list[Row]) -> list[Row]:
    with st.expander("Filters", icon=":material/filter_alt:"):
        models, protocols, kinds = st.columns(3)
        return filtered(
            rows,
            models.multiselect("Models", dict.fromkeys(row["model"] for row in rows), key="models"),
            protocols.multiselect("Protocols", dict.fromkeys(row["protocol"] for row in rows), key="protocols"),
            kinds.multiselect("Kinds", sorted({kind for row in rows for kind in row["kinds"]}), key="kinds"),
            int(models.number_input("Seeds, at least", 1, max(row["seeds"] for row in rows), key="seeds")),
            protocols.checkbox("Converged only", key="converged"),
        )


def _table(rows: list[Row]) -> None:
    def number(label: str, form: str = "%.1f", width: int | None = None, tip: str | None = None) -> Any:
        return st.column_config.NumberColumn(label, format=form, width=width, help=tip)

    # On a telephone the first four are what is seen: the scores stand beside the name.
    columns = {
        "rank": number("#", "%d", 32, "By validation accuracy; leaky recipes have no rank."),
        "name": st.column_config.TextColumn("Recipe", width=196, help="†: not converged."),
        "test": number("Test", width=54, tip="Accuracy on the test split."),
        "validation": number("Valid.", width=62, tip="Accuracy on the validation split, which ranks."),
        "interval": st.column_config.TextColumn("Test, 95 %", width=112),
        "notes": "Notes",
        "macro_f1": number("Macro-F1"),
        "balanced": number("Balanced", tip="Balanced accuracy: the mean recall of the classes."),
        "seeds": number("Seeds", "%d", 64),
        "worst_class": "Worst class",
        "worst_recall": number("its recall"),
        "parameters": number("Parameters, M", "%.2f"),
        "train_s": number("Training, min"),
        "latency_ms": number("One image, ms"),
    }
    st.dataframe(
        [{name: row[name] for name in columns} for row in rows],
        column_config=columns,
        hide_index=True,
        height=min(35 * len(rows) + 38, 620),
        placeholder="",
        alt="Leaderboard",
    )


def _effects(data: StudyData) -> None:
    st.header("Factor effects", divider="gray")
    if data.found is None or not data.found.effects:
        st.info("No factor was varied: effects need recipes that differ in one thing alone.")
        return
    effects = data.found.effects
    tested = metrics_in_order(lambda metric: metric.with_effects)
    titles = {one.name: one.title[0].upper() + one.title[1:] for one in tested}
    measure = choose("Measure", titles, "effect")
    alt = f"Effects of the factors on {titles[measure]}"
    every = [*effects.overall[measure], *effects.by_model[measure]]
    names = [factor_name(data.found, one) for one in every]
    chart = differences_chart(names, [one.difference for one in every], [one.told_apart for one in every])
    st.vega_lite_chart(spec=chart, alt=alt)
    about = "new seeds and images" if effects.seed is None else f"new images, for the networks of seed {effects.seed}"
    if data.found.other_effects and effects.seed is None:
        about += ", of the recipes with three seeds"
    st.caption(
        f"With the factor less without it, in points on the test split; 95 % intervals for {about}. Filled: "
        "significant after Holm's correction."
    )


def _costs(data: StudyData, rows: list[Row]) -> None:
    st.header("Cost", divider="gray")
    cost = choose("Cost", {title: title for title in COSTS}, "cost")
    known = [row for row in rows if row[COSTS[cost]] and row["rank"]]
    if not known:
        st.info("No ranked recipe has it measured.")
        return
    alt = f"Test accuracy against {cost[0].lower()}{cost[1:]}"
    st.vega_lite_chart(spec=cost_chart(known, cost, data.naming.protocols), alt=alt)
    st.caption("Ranked recipes with 95 % intervals. Grey: nothing is both cheaper and better.")


def _curves(data: StudyData) -> None:
    records = {run_label(data, run.record): run.record for run in data.finished if run.record.history}
    if not records:
        return
    st.header("Learning curves", divider="gray")
    best = [run_label(data, run.record) for one in all_standings(data) for run in one.runs[:1]]
    default = [name for name in best if name in records][:SENTENCES]
    chosen = st.multiselect("Runs", list(records), default, key=f"curves-{data.study}", max_selections=MOST_CURVES)
    training = st.toggle("Training batches too", key="training")
    for measure in ("accuracy", "loss") if chosen else ():
        spec = curves_chart({name: records[name] for name in chosen}, measure, training)
        st.vega_lite_chart(spec=spec, alt=f"{measure} of {len(chosen)} runs by epoch")
    st.caption("On the validation split. A dot marks the epoch that is kept.")
