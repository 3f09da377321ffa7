"""Two runs on the same test images: differences with intervals, confusions, and the images they disagree on."""

from __future__ import annotations

import numpy as np
import streamlit as st

from study.analysis.runs import ScoredRun
from study.analysis.scores import Scores
from study.core.store import Store
from study.datasets.image_set import ImageSet
from study.report.collect import StudyData
from study.report.wording import escape, p_sentence, percent, points
from study.trained.images import study_images
from study.web.charts import differences_chart, matrix_chart
from study.web.comparing import BOTH_WRONG, FIRST_RIGHT, SECOND_RIGHT, Comparison, answer_words, compare, most_certain
from study.web.settings import Settings
from study.web.views.shared import choose, choose_run, numbers

MOST_IMAGES = 24
TITLES = {"recall": "Recall", "precision": "Precision", "f1": "F1"}


def show(settings: Settings, store: Store, data: StudyData) -> None:
    """Draw the page."""
    st.title("Compare two runs")
    runs = [run for one in data.standings for run in one.runs]  # the best first
    if len(runs) < 2 or data.found is None:
        st.info("Two finished runs on the same test images are needed.")
        return
    left, right = st.columns(2)
    with left:
        first = choose_run("First", runs, data, 0, "first")
    with right:
        recipes = [data.recipe(run.record) for run in runs]
        other = next((place for place, recipe in enumerate(recipes) if recipe != recipes[0]), 1)
        second = choose_run("Second", runs, data, other, "second")
    if first is second:
        st.info("Choose two different runs.")
        return
    with st.spinner("Comparing"):
        found = _compared(data.found.scores, data.study, first, second)
    _accuracy(found, first, second)
    _classes(found, data, first, second)
    st.subheader("Confusion matrices")
    st.caption(
        "First less second, in points of each true class (rows). On the diagonal more is better, elsewhere worse."
    )
    chart = matrix_chart(data.classes, found.confusion, difference=True)
    st.vega_lite_chart(spec=chart, alt="Difference of the two confusion matrices")
    _images(settings, data, found, first, second)


def _compared(scores: Scores, study: str, first: ScoredRun, second: ScoredRun) -> Comparison:
    """Compare two runs once a session."""
    key = f"compared {study} {first.record.predictions_sha256} {second.record.predictions_sha256}"
    if key not in st.session_state:
        st.session_state[key] = compare(scores, first, second)
    return st.session_state[key]


def _accuracy(found: Comparison, first: ScoredRun, second: ScoredRun) -> None:
    numbers(
        {
            "First, test accuracy": f"{percent(first.test.accuracy)} %",
            "Second, test accuracy": f"{percent(second.test.accuracy)} %",
            "Difference, points": points(found.accuracy.value),
        }
    )
    low, high = points(found.accuracy.low), points(found.accuracy.high)
    st.markdown(
        f"95 % interval of the difference: **{low} to {high} points**, for these two trained networks over new images; "
        f"McNemar's exact test {p_sentence(found.exact.p_value)} ({found.exact.only_first} images only the first has "
        f"right, {found.exact.only_second} only the second, copies counted once). Other seeds may differ."
    )


def _classes(found: Comparison, data: StudyData, first: ScoredRun, second: ScoredRun) -> None:
    st.subheader("Class by class")
    measure = choose("Measure", TITLES, "measure")
    st.caption(
        "First less second with 95 % intervals. Filled: the interval leaves zero out. Blue: the first is ahead; "
        "orange: the second. Nothing is corrected for looking at several classes."
    )
    apart = [one.low > 0 or one.high < 0 for one in found.by_class[measure]]
    chart = differences_chart(data.classes, found.by_class[measure], apart)
    st.vega_lite_chart(spec=chart, alt=f"Difference in {measure} of each class with intervals")
    rows = [
        {
            "class": name,
            "test images": int(first.test.support[place]),
            "first": 100 * float(getattr(first.test, measure)[place]),
            "second": 100 * float(getattr(second.test, measure)[place]),
            "difference": 100 * one.value,
            "low": 100 * one.low,
            "high": 100 * one.high,
        }
        for place, (name, one) in enumerate(zip(data.classes, found.by_class[measure], strict=True))
    ]
    columns = {name: st.column_config.NumberColumn(format="%.1f") for name in ("first", "second")}
    columns |= {name: st.column_config.NumberColumn(format="%+.1f") for name in ("difference", "low", "high")}
    st.dataframe(rows, column_config=columns, hide_index=True, alt="Differences of each class")


def _images(settings: Settings, data: StudyData, found: Comparison, first: ScoredRun, second: ScoredRun) -> None:
    st.subheader("Images on which they disagree")
    counts = {kind: int((found.kinds == kind).sum()) for kind in (FIRST_RIGHT, SECOND_RIGHT, BOTH_WRONG)}
    kind = choose("Which", {one: f"{one} ({count})" for one, count in counts.items()}, "kind")
    wanted = st.multiselect("True class", data.classes, key="true-classes", placeholder="all")
    labels = first.record.arrays["test_labels"]
    fits = (found.kinds == kind) & (np.isin(labels, [data.classes.index(one) for one in wanted]) | (not wanted))
    places = most_certain((first, second), np.flatnonzero(fits), MOST_IMAGES)
    if not len(places):
        st.info("There are none.")
        return
    st.caption(f"{int(fits.sum())} images" + (f", the {len(places)} surest answers first" if len(places) > 1 else ""))
    images = (
        _read_dataset(settings.data, data.card.fingerprint, first)
        if st.toggle("Show the images", key="images")
        else None
    )
    said = [(answer_words(first, place, data.classes), answer_words(second, place, data.classes)) for place in places]
    true = [data.classes[labels[place]] for place in places]
    if images is None:
        if st.session_state.get("images"):
            st.info("The dataset is not at hand: start the page with `study web --data PATH`.")
        rows = [{"true class": one, "first says": a, "second says": b} for one, (a, b) in zip(true, said, strict=True)]
        st.dataframe(rows, hide_index=True, alt="Disagreements")
        return
    rows_of_test = images.indices("test")
    with st.container(horizontal=True, gap="medium"):
        for place, one, (a, b) in zip(places, true, said, strict=True):
            with st.container(width=132):
                st.image(np.asarray(images.images[rows_of_test[place]]).squeeze(), width=120)
                st.caption(f"**{escape(one)}**  \n1: {escape(a)}  \n2: {escape(b)}")


@st.cache_resource(max_entries=2, show_spinner="Looking for the dataset")
def _read_dataset(data: str, fingerprint: str, _run: ScoredRun) -> ImageSet | None:
    return study_images(_run.record, data or None, lambda line: None)
