"""The leaderboard: sorted, filtered, and drawn with its intervals."""

from __future__ import annotations

from typing import Any

import streamlit as st

from study.core.store import Store
from study.web.charts import ranking_chart
from study.web.overview import Overview
from study.web.rows import ORDERS, Filters, Row, filtered, leaderboard_rows, ordered
from study.web.settings import Settings

#: As many as the report's picture has.
MOST_DRAWN = 40


def show(settings: Settings, store: Store, overview: Overview) -> None:
    """Draw the page."""
    st.title("Leaderboard")
    st.markdown("Ranked by **validation accuracy**; the test scores chose nothing. Means over seeds, in percent.")
    rows = leaderboard_rows(overview)
    if not rows:
        st.info("No run has finished yet.")
        return
    chosen = _filtered(rows)
    by_column, way_column = st.columns([3, 1], vertical_alignment="bottom")
    by = by_column.selectbox("Sort by", list(ORDERS), key="sort")
    worst_first = way_column.toggle("Worst first", key="worst")
    shown = ordered(chosen, by, worst_first)
    st.caption(f"{len(shown)} of {len(rows)} recipes")
    if not shown:
        st.info("No recipe fits these filters.")
        return
    _table(shown)
    st.subheader("With intervals")
    st.caption("Filled: test, with its 95 % interval. Open: validation. Intervals cover new seeds from three seeds up.")
    drawn = shown[:MOST_DRAWN]
    with st.spinner("Computing intervals"):
        found = {one.recipe: overview.interval(one.recipe) for one in overview.standings}
    intervals = {str(recipe): one for recipe, one in found.items() if one is not None}
    st.vega_lite_chart(spec=ranking_chart(drawn, intervals), alt="Validation and test accuracy of the recipes above")
    if len(shown) > MOST_DRAWN:
        st.caption(f"The first {MOST_DRAWN} are drawn.")


def _filtered(rows: list[Row]) -> list[Row]:
    with st.expander("Filters", icon=":material/filter_alt:"):
        models, protocols, kinds = st.columns(3)
        wanted = Filters(
            models=models.multiselect("Models", _values(rows, "model"), key="models"),
            protocols=protocols.multiselect("Protocols", _values(rows, "protocol"), key="protocols"),
            kinds=kinds.multiselect("Kinds", sorted({kind for row in rows for kind in row["kinds"]}), key="kinds"),
            seeds=int(models.number_input("Seeds, at least", 1, max(row["seeds"] for row in rows), key="seeds")),
            converged=protocols.checkbox("Converged only", key="converged"),
        )
    return filtered(rows, wanted)


def _values(rows: list[Row], key: str) -> list[Any]:
    return list(dict.fromkeys(row[key] for row in rows))


def _table(rows: list[Row]) -> None:
    number = st.column_config.NumberColumn
    columns = {
        "rank": number("#", width=48, help="By validation accuracy; leaky recipes have no rank."),
        "model": "Model",
        "protocol": "Protocol",
        "validation": number("Validation", format="%.1f", help="Accuracy on the validation split, which ranks."),
        "test": number("Test", format="%.1f", help="Accuracy on the test split."),
        "macro_f1": number("Macro-F1", format="%.1f"),
        "balanced": number("Balanced", format="%.1f", help="Balanced accuracy: the mean recall of the classes."),
        "seeds": number("Seeds", width=64),
        "worst_class": "Worst class",
        "worst_recall": number("its recall", format="%.1f"),
        "parameters": number("Parameters, M", format="%.2f"),
        "train_s": number("Training, min", format="%.1f"),
        "latency_ms": number("One image, ms", format="%.1f"),
        "notes": "Notes",
    }
    st.dataframe(
        [{name: row[name] for name in columns} for row in rows],
        column_config=columns,
        hide_index=True,
        height=min(36 * len(rows) + 38, 620),
        alt="Leaderboard",
    )
