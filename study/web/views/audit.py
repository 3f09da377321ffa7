"""The dataset: its classes and splits, and its audit where one was written."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from study.core.spec import SPLITS
from study.core.store import Store
from study.report.collect import StudyData
from study.report.wording import escape
from study.trained.winner import data_words
from study.web.audit_reading import find_audit
from study.web.settings import Settings
from study.web.views.shared import numbers


def show(settings: Settings, store: Store, data: StudyData) -> None:
    """Draw the page."""
    card = data.card
    st.title("Dataset")
    counts = {split: card.counts[split] for split in SPLITS}
    numbers({f"{split.capitalize()} images": f"{sum(found):,}" for split, found in counts.items()})
    st.markdown(f"{escape(card.split_source.rstrip('.'))}. Fingerprint `{card.fingerprint[:12]}`.")
    rows = [
        {"class": name, **{split: found[place] for split, found in counts.items()}}
        for place, name in enumerate(data.classes)
    ]
    columns = {split: st.column_config.NumberColumn(format="localized") for split in counts}
    st.dataframe(rows, column_config=columns, hide_index=True, alt="Images of each class and split")
    for note in card.notes:
        st.info(escape(note))
    st.header("Audit", divider="gray")
    found = find_audit(Path(settings.reports), card.name, card.fingerprint)
    if found is None:
        st.info("No audit of this dataset was found. It looks for copies, conflicting labels and drift between splits:")
        st.code(f"study data audit {data_words(card)}", language="sh")
        return
    for part in found.parts:
        if part.summary:
            with st.expander(part.summary):
                st.markdown(part.text)
        else:
            st.markdown(part.text)
    for path in found.pictures:
        with st.expander(f"Pictures: {path.stem.replace('-', ' ')}"):
            st.image(str(path))
