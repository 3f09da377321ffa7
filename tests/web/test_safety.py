"""The page answers its own machine alone, looks nothing up, renders no markup from data, and waits for nobody."""

from __future__ import annotations

import http.client
import io
import socket
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from study.web import asking
from study.web.asking import ask
from study.web.decoding import decode
from tests.changed import replace
from tests.factories import make_card, make_record, make_store
from tests.trained.fakes import fake_runtime
from tests.web.browser import served

testing = pytest.importorskip("streamlit.testing.v1", reason="needs Streamlit (the extra web)")

SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "a" * 22 + "==",
}
#: Elements that draw words as they are; all others render Markdown.
AS_IT_IS = ("text", "code", "dataframe", "vega_lite_chart", "selectbox", "multiselect")
MARKUP = '![](http://127.0.0.1:9/pixel.png)<img src="http://127.0.0.1:9/pixel.png">'


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """The port of a running page whose machine reaches the internet through a proxy that notes who asks."""
    folder = tmp_path_factory.mktemp("served")
    make_store(folder / "results", models=("cnn2",), protocols=("baseline",), flaws=False)
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as proxy, pytest.MonkeyPatch.context() as patch:
        threading.Thread(target=_note, args=(proxy, asked), daemon=True).start()
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        with served(folder) as (address, _):
            yield int(address.rpartition(":")[2])
    assert asked == [], "the page looked something up"


def _note(proxy: socket.socket, asked: list[bytes]) -> None:
    while True:
        try:
            connection, _ = proxy.accept()
        except OSError:
            return
        with connection:
            asked.append(connection.recv(4096))


def status(port: int, path: str = "/", **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("host", "origin", "answer"),
    [
        ("127.0.0.1:{port}", None, "yes"),
        ("localhost:{port}", "http://localhost:{port}", "yes"),
        ("localhost:9000", "http://localhost:9000", "yes"),  # forwarded, as by ssh -L
        ("evil.example:{port}", None, "no"),
        ("evil.example:{port}", "http://evil.example:{port}", "no"),
        ("127.0.0.1.evil.example", None, "no"),
        ("127.0.0.1:{port}", "http://evil.example", "no"),
        ("127.0.0.1:{port}", "http://127.0.0.1:1", "no"),
        ("127.0.0.1:{port}", "null", "no"),
    ],
)
def test_only_the_machines_own_browser_is_answered(port, host, origin, answer):
    headers = {"Host": host.format(port=port)} | ({"Origin": origin.format(port=port)} if origin else {})
    ok, upgraded = (200, 101) if answer == "yes" else (403, 403)
    assert status(port, **headers) == ok
    assert status(port, "/_stcore/stream", **headers, **SOCKET) == upgraded


def test_a_slow_upload_stops_nobody(port):
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    try:
        for one in slow:
            one.sendall(b"PUT /_stcore/upload_file/a/b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n\r\nx")
        assert status(port) == 200
    finally:
        for one in slow:
            one.close()


def test_a_picture_that_is_decoded_too_long_is_ended_in_one_line(monkeypatch, tmp_path):
    stuck = tmp_path / "stuck"
    stuck.write_text("#!/bin/sh\nexec sleep 60\n")
    stuck.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(stuck))
    start = time.monotonic()
    with pytest.raises(ValueError, match="took more than 0.2 s"):
        decode(b"", limit_s=0.2)
    assert time.monotonic() - start < 20


class NoFaces:
    def find(self, picture):
        return []


def test_others_are_answered_while_a_picture_is_decoded(monkeypatch):
    decoding, go_on = threading.Event(), threading.Event()

    def slowly(data: bytes):
        if data == b"slow":
            decoding.set()
            go_on.wait(60)
        return np.zeros((200, 300, 3), np.uint8)

    monkeypatch.setattr(asking, "decode", slowly)
    slow = threading.Thread(target=ask, args=(b"slow", fake_runtime(), NoFaces()))
    slow.start()
    assert decoding.wait(60)
    quick = threading.Thread(target=ask, args=(b"quick", fake_runtime(), NoFaces()), daemon=True)
    quick.start()
    quick.join(30)
    answered, waiting = not quick.is_alive(), slow.is_alive()
    go_on.set()
    slow.join()
    assert answered and waiting


def test_what_pillow_stumbles_over_is_read_or_refused_in_one_line():
    """Metadata that crash Pillow's parsers, and a small file with thousands of scans that would take half a minute."""
    picture = io.BytesIO()
    Image.new("L", (400, 400)).save(picture, "JPEG", progressive=True, quality=1)
    data = picture.getvalue()
    last = data.rfind(b"\xff\xda")
    with pytest.raises(ValueError, match="more than 100 scans"):
        decode(data[:-2] + data[last:-2] * 2000 + data[-2:])
    broken = io.BytesIO()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x0f\x01\x05\0\x01\0\0\0\xff\xff\xff\x7f\0\0\0\0"
    Image.new("RGB", (48, 48)).save(broken, "JPEG", exif=exif)
    assert decode(broken.getvalue()).shape == (48, 48, 3)


def test_large_pictures_are_reduced_to_what_a_screen_shows():
    picture = io.BytesIO()
    Image.new("RGB", (6000, 3000)).save(picture, "JPEG")
    assert decode(picture.getvalue()).shape == (1024, 2048, 3)


@pytest.mark.parametrize("view", ["leaderboard", "compare", "run", "audit", "try_it"])
def test_nothing_from_a_record_is_rendered_as_markup(tmp_path, view):
    """Whatever a stranger's record says is shown as words: pages render Markdown, which can fetch pictures."""
    classes = tuple(f"{MARKUP}{place}" for place in range(4))
    card = make_card(MARKUP, classes=classes, split_source=MARKUP, notes=[MARKUP], drawn=True)
    store = make_store(tmp_path, models=("cnn2", "cnn3"), protocols=("baseline", "augment"), card=card, budget=MARKUP)
    store.keep(make_record("cnn5", card=card, status="failed", reason=MARKUP))
    made = make_record("cnn5", "augment", card=card)
    store.keep(replace(made, provenance=replace(made.provenance, study=MARKUP, processor=MARKUP, started=MARKUP)))
    app = testing.AppTest.from_function(_page, args=(str(tmp_path), view), default_timeout=120).run()
    assert not app.exception
    assert not app.table, "st.table renders Markdown in its cells"
    for element in [*app.main, *app.sidebar]:
        shown = str(element.proto)
        assert element.type in AS_IT_IS or not ("![" in shown or "<img" in shown), shown


def test_without_weights_the_released_network_can_be_tried(tmp_path):
    make_store(tmp_path, models=["cnn3"], flaws=False)
    app = testing.AppTest.from_function(_page, args=(str(tmp_path), "try_it"), default_timeout=120).run()
    assert not app.exception
    (network,) = app.selectbox
    assert [name.startswith("The released network, resnet_compact") for name in network.options] == [True]
    app.session_state["source"] = "The camera, live"
    assert not app.run().exception
    assert any("stays on this machine" in one.value for one in app.caption), "the camera's view is there"


def _page(results: str, view: str) -> None:
    import importlib

    from study.core.store import Store
    from study.report.collect import collect
    from study.web.settings import Settings

    store = Store(results, "fake")
    show = importlib.import_module(f"study.web.views.{view}").show
    show(Settings(results=results), store, collect(store))
