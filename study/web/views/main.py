"""The page's script, run by Streamlit on every look at it: which study, and which of its pages."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import streamlit as st

from study.core.errors import StudyError
from study.report.wording import escape
from study.web.settings import Settings
from study.web.views import audit, compare, leaderboard, run, shared, try_it

#: Streamlit would fetch an emoji or a symbol from elsewhere.
ICON = Path(__file__).parent / "icon.svg"
PAGES = (
    (leaderboard.show, "At a glance", "glance", ":material/leaderboard:"),
    (compare.show, "Compare two runs", "compare", ":material/compare_arrows:"),
    (run.show, "One run", "run", ":material/show_chart:"),
    (audit.show, "Dataset", "dataset", ":material/fact_check:"),
    (try_it.show, "Try it", "try", ":material/photo_camera:"),
)


def main() -> None:
    """Draw the page."""
    st.set_page_config(page_title="Facial emotion study", page_icon=str(ICON), layout="wide")
    settings = Settings.from_words(sys.argv[1:])
    pages = [
        st.Page(functools.partial(_drawn, show, settings), title=title, url_path=path, icon=icon, default=place == 0)
        for place, (show, title, path, icon) in enumerate(PAGES)
    ]
    st.navigation(pages).run()


def _drawn(show: shared.Show, settings: Settings) -> None:
    """Draw one page; what a person can act on is one line, and nothing is ever a traceback."""
    try:
        store, data = shared.chosen_study(settings)
        show(settings, store, data)
    except StudyError as error:
        st.error(escape(error))
    st.caption(shared.RESPONSIBLE_USE)


main()
