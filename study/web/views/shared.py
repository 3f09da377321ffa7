"""What all pages share: the study that is chosen, read once, and how runs are chosen and notes are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from study.analysis.runs import ScoredRun
from study.core.errors import UsageError
from study.core.store import Store, studies
from study.report.collect import StudyData
from study.report.wording import escape
from study.trained.runtime import DRAWN_NOTICE
from study.web.overview import all_standings, current_study, run_label
from study.web.settings import Settings

Show = Callable[[Settings, Store, StudyData], None]
STUDY = "study"
#: Stands on every page.
RESPONSIBLE_USE = (
    "**Responsible use.** An expression is not a feeling: do not judge people with these networks. The EU AI Act "
    "(Art. 5(1)(f)) forbids inferring emotions at work and in education, except for medical or safety reasons; other "
    "uses are high-risk. FER-2013 has no demographic labels, so nothing here says for whom a network works less well."
)


def chosen_study(settings: Settings) -> tuple[Store, StudyData]:
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
        data = current_study(settings.results, name)
    card = data.card
    images = sum(map(sum, card.counts.values()))
    st.sidebar.caption(
        f"{len(data.finished)} finished runs of {len(all_standings(data))} recipes on {escape(card.name)}: "
        f"{images:,} images of {len(card.classes)} classes."
    )
    if card.drawn:
        st.sidebar.warning(DRAWN_NOTICE)
    if data.damaged:
        st.sidebar.warning(f"{len(data.damaged)} damaged runs are left out; `study run` does them again.")
    return store, data


def choose_run(label: str, runs: Sequence[ScoredRun], data: StudyData, index: int, key: str) -> ScoredRun:
    """Let the reader choose one of some runs."""
    by_key = {run.record.key: run for run in runs}
    place = min(index, len(runs) - 1)

    def name(one: str) -> str:
        return run_label(data, by_key[one].record)

    chosen = st.selectbox(label, list(by_key), index=place, format_func=name, key=f"{key}-{data.study}")
    return by_key[chosen]


def choose(label: str, options: Mapping[str, str], key: str) -> str:
    """Let the reader choose one of some options by their titles; the first unless another is chosen."""
    first = next(iter(options))
    return st.segmented_control(label, list(options), default=first, format_func=options.__getitem__, key=key) or first


def numbers(shown: Mapping[str, str]) -> None:
    """Show numbers with their names, as many beside each other as there is room for."""
    with st.container(horizontal=True):
        for name, value in shown.items():
            st.metric(name, value, border=True, width=170)
