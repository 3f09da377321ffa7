"""Try a trained network on an uploaded picture or on what the camera sees."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from study.core.registry import load_plugin
from study.core.store import Store
from study.faces.detection import Detector, open_detector
from study.report.collect import StudyData
from study.report.wording import escape
from study.trained.release import open_release
from study.trained.runtime import Runtime, open_runtime
from study.web.asking import MOST_MB, Asked, Live, ask, usable_runs
from study.web.charts import probabilities_chart
from study.web.overview import run_label
from study.web.settings import Settings
from study.web.views.shared import STUDY, choose

SOURCE = "source"
PICTURE, PHOTO, CAMERA = "A picture", "A photo", "The camera, live"
CAMERA_VIEW = st.components.v2.component(
    "camera",
    html="<div><video muted playsinline></video><canvas></canvas></div><p role='status'>Waiting for the camera</p>",
    css="div { position: relative; max-width: 640px } video { width: 100%; display: block; border-radius: 8px } "
    "canvas { position: absolute; inset: 0; width: 100%; height: 100% }",
    js=(Path(__file__).parent / "camera.js").read_text(encoding="utf-8"),
)
RELEASED = "released"
ENGINES = {"onnx": "ONNX Runtime", "litert": "LiteRT", "keras": "Keras"}


def show(settings: Settings, store: Store, data: StudyData) -> None:
    """Draw the page."""
    st.title("Try it")
    usable = {record.key: (record, kind) for record, kind in usable_runs(store, data)}
    names = {key: f"{run_label(data, record)} ({ENGINES[kind]})" for key, (record, kind) in usable.items()}
    if not usable:
        st.info(
            "No network of this study is here: weights and exports stay out of git. To train one again and export it:"
        )
        st.code(f"study retrain --study {store.study} --data PATH\nstudy export --study {store.study}", language="sh")
    released = _released()
    if released:
        names[RELEASED] = f"{released.origin[:1].upper()}{released.origin[1:]} ({ENGINES['onnx']})"
    if not names:
        return
    title, network_key = "Network, best on the validation split first", f"network-{store.study}"
    chosen = st.selectbox(title, list(names), format_func=names.__getitem__, key=network_key)

    def network() -> Runtime:
        if released and chosen == RELEASED:
            return released
        record = usable[chosen][0]
        return _runtime(settings, store.study, record.key, record.predictions_sha256)

    keras = chosen in usable and usable[chosen][1] == "keras"
    source = choose("From", {one: one for one in (PICTURE, PHOTO, CAMERA)}, SOURCE)
    if source == CAMERA:
        with st.spinner("Starting the network"):
            runtime = network()
            detector = _detector(settings.detector)
        _live(runtime, detector, {key: st.session_state.get(key) for key in (STUDY, network_key, SOURCE)})
        return
    if source == PICTURE:
        kinds = f"A picture: JPEG, PNG, BMP, WebP, GIF, TIFF or HEIC, up to {MOST_MB} MB"
        given = st.file_uploader(kinds, max_upload_size=MOST_MB, key="picture")
    else:
        given = st.camera_input("What the camera sees; the picture stays on this machine", key="camera")
    if given is None:
        return
    with st.spinner("Starting Keras, which takes some seconds" if keras else "Looking"):
        runtime = network()
        try:
            asked = ask(given.getvalue(), runtime, _detector(settings.detector))
        except ValueError as error:
            st.error(f"This cannot be read as a picture: {escape(error)}.")
            return
    _answers(asked, runtime)


@st.fragment
def _live(runtime: Runtime, detector: Detector, chosen: Mapping[str, Any]) -> None:
    """Show the camera; each frame that it sends runs this fragment alone.

    Args:
        runtime: Of the network that is asked.
        detector: Of the faces.
        chosen: What the reader chose, by the keys of the widgets.
    """
    # A press in the instant of a frame comes with the frame, and Streamlit runs this fragment alone.
    if any(st.session_state.get(key) != value for key, value in chosen.items()):
        st.rerun()
    if runtime.notice:
        st.warning(runtime.notice)
    name = f"live-{runtime.key}"
    live = st.session_state.setdefault(f"{name}-faces", Live(runtime, detector))
    sent = st.session_state.get(name, {}).get("frame")
    try:
        said = live.ask(sent) if sent else None
    except ValueError as error:
        st.error(f"This cannot be read: {escape(error)}.")
        return
    CAMERA_VIEW(key=name, data=said, on_frame_change=lambda: None)
    st.caption(
        "The video stays on this machine: frames go from the browser to this page's server and are kept nowhere."
    )


def _answers(asked: Asked, runtime: Runtime) -> None:
    if runtime.notice:
        st.warning(runtime.notice)
    left, right = st.columns([3, 2], gap="large")
    left.image(asked.marked, width="stretch")
    with right:
        if not asked.answers:
            st.info("No face was found. Frontal faces that are not too small are found best.")
        for number, one in enumerate(asked.answers, 1):
            label = escape(one.named(runtime.classes))
            st.subheader(label if asked.whole else f"Face {number}: {label}", anchor=False)
            chart = probabilities_chart(runtime.classes, one.probabilities.tolist())
            st.vega_lite_chart(spec=chart, alt=f"Probabilities of face {number}")


@st.cache_resource(max_entries=1, show_spinner=False)
def _released() -> Runtime | None:
    return open_release()


@st.cache_resource(max_entries=2, show_spinner=False)
def _runtime(settings: Settings, study: str, key: str, predictions: str) -> Runtime:
    for file in settings.plugins:
        load_plugin(file)
    store = Store(settings.results, study)
    record = next(record for record in store.records() if record.key == key)
    return open_runtime(store, record)


@st.cache_resource(max_entries=1, show_spinner=False)
def _detector(model: str) -> Detector:
    return open_detector(model)
