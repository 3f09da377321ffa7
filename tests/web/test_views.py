"""The pages, run by Streamlit without a browser: what they show, and that no fault is ever a traceback."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
from typer.testing import CliRunner

from study.cli.web import app as web
from study.core.errors import UsageError
from study.core.store import Store
from study.web.launch import SCRIPT, serve
from study.web.settings import SERVER, Settings
from tests.factories import make_card, make_record, make_store

testing = pytest.importorskip("streamlit.testing.v1", reason="needs Streamlit (the extra web)")


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The page on a study that may be spoilt."""
    store = make_store(tmp_path / "results", models=("cnn3",), protocols=("baseline", "augment"))
    settings = Settings(results=str(tmp_path / "results"), reports=str(tmp_path / "reports"))
    monkeypatch.setattr(sys, "argv", ["main.py", *settings.to_words()])
    return store, testing.AppTest.from_file(str(SCRIPT), default_timeout=60)


def test_the_leaderboard_opens_and_sorts(page):
    _, app = page
    app.run()
    assert not app.exception and app.title[0].value == "At a glance"
    first = list(app.dataframe[0].value["name"])
    app.selectbox(key="sort").select("Name").run()
    assert not app.exception
    assert list(app.dataframe[0].value["name"]) != first


def test_on_a_telephone_the_scores_stand_beside_the_name(page):
    _, app = page
    columns = json.loads(app.run().dataframe[0].proto.columns)
    first = ["rank", "name", "test", "validation"]
    assert list(columns)[:4] == first
    assert sum(columns[name]["width"] for name in first) <= 390 - 2 * 16, "what a telephone shows without scrolling"


def test_every_page_has_the_note_on_responsible_use(page):
    _, app = page
    assert any("AI Act" in one.value for one in app.run().caption)


def test_a_filter_narrows_the_table(page):
    _, app = page
    app.run()
    app.multiselect(key="protocols").select("augment").run()
    assert all("/ augment" in one for one in app.dataframe[0].value["name"])


def test_a_study_that_is_gone_is_one_line(page):
    store, app = page
    shutil.rmtree(store.results)
    app.run()
    assert not app.exception
    assert "no study" in app.error[0].value and "Traceback" not in app.error[0].value


def test_names_from_elsewhere_are_words_and_never_markup(tmp_path):
    name = "![](http://127.0.0.1:9/pixel.png)<b>"
    card = make_card(name, split_source=name, notes=[name])
    make_store(tmp_path, models=("cnn3",), protocols=("baseline",), card=card, flaws=False)
    app = testing.AppTest.from_function(_dataset_page, args=(str(tmp_path),), default_timeout=60).run()
    assert not app.exception
    shown = [one.value for one in [*app.markdown, *app.caption, *app.info]]
    assert any("pixel.png" in one for one in shown)
    assert not any("![](" in one or "<b>" in one for one in shown)


def test_a_dataset_without_an_audit_says_what_audits_these_very_images(tmp_path):
    card = make_card(drawn=True, settings={"images": 1500, "difficulty": 0.15})
    make_store(tmp_path, models=("cnn3",), protocols=("baseline",), card=card, flaws=False)
    app = testing.AppTest.from_function(_dataset_page, args=(str(tmp_path),), default_timeout=60).run()
    assert [one.value for one in app.code] == ["study data audit synthetic:difficulty=0.15,images=1500"]


def _dataset_page(results):
    from study.core.store import Store
    from study.report.collect import collect
    from study.web.settings import Settings
    from study.web.views import audit

    store = Store(results, "fake")
    audit.show(Settings(results=results), store, collect(store))


def test_damaged_records_are_left_out_and_said(page):
    store, app = page
    next(iter(store.folder.rglob("*.npz"))).write_bytes(b"altered")
    app.run()
    assert not app.exception
    assert any("damaged" in one.value for one in app.sidebar.warning)


def test_the_server_is_for_this_machine_and_shows_no_tracebacks():
    assert SERVER["server.address"] == "127.0.0.1"
    assert SERVER["server.maxUploadSize"] == 10
    assert SERVER["client.showErrorDetails"] == "none"
    assert SERVER["browser.gatherUsageStats"] is False and SERVER["server.fileWatcherType"] == "none"


def test_every_option_of_the_server_is_one_that_streamlit_has():
    from streamlit import config

    assert [name for name in SERVER if name not in config.get_config_options()] == []


def test_settings_survive_the_way_to_the_script():
    given = Settings("r s", "p", "faces", "d.csv", "y.onnx", ("a.py", "b.py"))
    assert Settings.from_words(given.to_words()) == given
    with pytest.raises(UsageError, match="settings"):
        Settings.from_words(["nonsense"])


def test_a_port_that_is_taken_is_one_line():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="another --port"):
            serve(Settings(), taken.getsockname()[1])


def test_the_newest_study_made_here_is_shown_first(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("study.web.launch.serve", lambda settings, port: shown.append(settings.study))
    call = ["--results", str(tmp_path)]
    Store(tmp_path, "published/faces").keep(make_record())
    assert CliRunner().invoke(web, call).exit_code == 0
    Store(tmp_path, "mine").keep(make_record())
    assert CliRunner().invoke(web, call).exit_code == 0
    assert CliRunner().invoke(web, ["published/faces", *call]).exit_code == 0
    assert shown == ["published/faces", "mine", "published/faces"]
