"""What all pages share: the study that is chosen, read once, and how runs are chosen and notes are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from study.analysis.runs import ScoredRun
from study.core.errors import UsageError
from study.core.store import Store, studies
from study.report.wording import escape
from study.trained.runtime import DRAWN_NOTICE
from study.web.overview import Overview, current_overview
from study.web.settings import Settings

Show = Callable[[Settings, Store, Overview], None]
STUDY = "study"


def chosen_study(settings: Settings) -> tuple[Store, Overview]:
    """Let the reader choose a study in the sidebar and return it.

    Raises:
        UsageError: there is none.
        StoreError: it cannot be read.
    """
    names = studies(settings.results)
    if not names:
        raise UsageError(f"There is no study in {settings.results}/ any more.")
    name = st.sidebar.selectbox("Study", names, index=names.index(settings.first_of(names)), key=STUDY)
    store = Store(settings.results, name)
    with st.spinner("Reading the study"):
        overview = current_overview(settings.results, name)
    card = overview.card
    images = sum(map(sum, card.counts.values()))
    st.sidebar.caption(
        f"{len(overview.runs)} finished runs of {len(overview.standings)} recipes on {escape(card.name)}: "
        f"{images:,} images of {len(card.classes)} classes."
    )
    if card.drawn:
        st.sidebar.warning(DRAWN_NOTICE)
    if overview.damaged:
        st.sidebar.warning(f"{len(overview.damaged)} damaged runs are left out; `study run` does them again.")
    return store, overview


def choose_run(label: str, runs: Sequence[ScoredRun], overview: Overview, index: int, key: str) -> ScoredRun:
    """Let the reader choose one of some runs."""
    by_key = {run.record.key: run for run in runs}
    place = min(index, len(runs) - 1)

    def name(one: str) -> str:
        return overview.label(by_key[one].record)

    chosen = st.selectbox(label, list(by_key), index=place, format_func=name, key=f"{key}-{overview.study}")
    return by_key[chosen]
