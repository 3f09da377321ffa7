"""Every section keeps the contract on every kind of study, and the files that docs show work as they are shown."""

import csv
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from study.analysis.evaluations import keep_evaluations
from study.analysis.metric import METRICS
from study.cli.report import app
from study.core.errors import UsageError
from study.core.record import Imported
from study.core.store import REMARKS_FILE, Store
from study.report.collect import collect
from study.report.section import SECTIONS, section
from study.report.sections.claims import DATASET
from tests.analysis.test_evaluations import ROBUST
from tests.analysis.test_metric_contract import check as check_metric
from tests.changed import replace
from tests.factories import make_card, make_dataset, make_record, make_store

PAGE = Path(__file__).parents[2] / "docs" / "add-a-metric-or-section.md"
PAGES = re.findall(r"```python\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def one_run(folder):
    store = Store(folder, "one")
    store.keep(make_record())
    return store


def on_fer2013(folder):
    store = Store(folder, "photographs")
    store.keep(make_record(card=make_card(DATASET)))
    return store


def nothing_finished(folder):
    store = Store(folder, "none")
    store.keep(make_record(status="failed"))
    return store


def imported_labels(folder):
    store = Store(folder, "labels")
    record = make_record()
    arrays = {name: array for name, array in record.arrays.items() if "flipped" not in name}
    labels = Imported(file_sha256="0" * 64, splits=("validation", "test"), probabilities=False)
    store.keep(replace(record, arrays=arrays, imported=labels, outcome=None, history=()))
    return store


def drawn_with_dataset(folder):
    card = make_card("synthetic", drawn=True, bound=0.95)
    store = make_store(folder, models=["cnn3", "cnn5"], seeds=(0, 1, 2), flaws=False, card=card)
    store.keep_dataset(make_dataset(card))
    return store


def evaluated(folder):
    store = one_run(folder)
    (record,) = store.records()
    keep_evaluations(store, record, robustness=ROBUST)
    (store.folder / REMARKS_FILE).write_text("It was hot.\n", encoding="utf-8")
    return store


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Studies of every kind."""
    kinds = [make_store, one_run, on_fer2013, nothing_finished, imported_labels, drawn_with_dataset, evaluated]
    return {kind.__name__: collect(kind(tmp_path_factory.mktemp(kind.__name__))) for kind in kinds}


@pytest.fixture
def forget():
    """Take out of the registries what a test has put in."""
    before = {id(registry): set(registry.names()) for registry in (METRICS, SECTIONS)}
    yield
    for registry in (METRICS, SECTIONS):
        for name in set(registry.names()) - before[id(registry)]:
            registry._entries.pop(name)
            registry._files.pop(name)


def check(name, studies):
    """Check a section on every study; return the studies in which it says something."""
    said = []
    for kind, data in studies.items():
        found, again = SECTIONS.get(name).write(data), SECTIONS.get(name).write(data)
        if found is None:
            assert again is None
            continue
        said.append(kind)
        assert found.text.strip(), "a section without words returns None"
        assert not re.search(r"^##? ", re.sub(r"```.*?```", "", found.text, flags=re.S), re.M), "headings are ### here"
        shown = set(re.findall(r"\]\(figures/([^)]+)\.png\)", found.text))
        assert shown == {one.name for one in found.pictures}, "every picture is shown, and none that is not there"
        linked = set(re.findall(r"\]\(tables/([^)*]+)\.csv\)", found.text.replace("%2B", "+")))
        assert linked <= {table.name for table in found.tables}, "linked tables are kept"
        for table in found.tables:
            assert table.name and all(len(row) == len(table.columns) for row in table.rows)
            assert table.csv().count("\n") >= 1 + len(table.rows), "a line a row"
        assert found.text == again.text, "the same data give the same words"
        assert [one.data_hash for one in found.pictures] == [one.data_hash for one in again.pictures]
        if kind == "imported_labels":  # the least that can be drawn
            assert all(one.png() for one in found.pictures)
    return said


@pytest.mark.parametrize("name", SECTIONS.names())
def test_the_section_keeps_the_contract(name, studies):
    assert check(name, studies), "some study has something to say"


def test_sections_have_places_and_titles_of_their_own():
    assert len({one.place for one in SECTIONS}) == len({one.title for one in SECTIONS}) == len(SECTIONS.names()) >= 20


def test_no_two_sections_keep_the_same_file(studies):
    for data in studies.values():
        found = [one.write(data) for one in SECTIONS]
        tables = [table.name for one in found if one for table in one.tables]
        pictures = [picture.name for one in found if one for picture in one.pictures]
        assert len(set(tables)) == len(tables) and len(set(pictures)) == len(pictures)


def test_a_section_needs_a_title():
    with pytest.raises(UsageError, match="needs a title"):
        section("x", title=" ", place=1)


def test_the_metric_that_docs_show_reaches_the_report(tmp_path, forget, monkeypatch):
    store = make_store(tmp_path / "results", "s", models=["cnn3"], seeds=(0, 1, 2), flaws=False)
    (tmp_path / "kappa.py").write_text(PAGES[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = ["s", "--plugin", "kappa.py"]
    assert CliRunner().invoke(app, [*words, "--latex"], catch_exceptions=False).exit_code == 0
    report = tmp_path / "reports" / "s"
    (first, *_) = list(csv.DictReader((report / "tables" / "leaderboard.csv").open()))
    assert float(first["test_kappa_low"]) < float(first["test_kappa"]) < float(first["test_kappa_high"])
    assert re.search(r"^\|.* kappa \|", (report / "README.md").read_text(), re.M)
    assert r"{Kappa} \\" in (report / "latex" / "leaderboard.tex").read_text()
    runs = list(csv.DictReader((report / "tables" / "runs.csv").open()))
    assert len(runs) == len(store.records()) and all(-1 < float(row["test_kappa"]) < 1 for row in runs)
    assert CliRunner().invoke(app, [*words, "--check"], catch_exceptions=False).exit_code == 0
    check_metric(METRICS.get("kappa"))


def test_the_section_that_docs_show_reaches_the_report(tmp_path, forget, monkeypatch, studies):
    make_store(tmp_path / "results", "s", models=["cnn3"], flaws=False)
    (tmp_path / "confidence.py").write_text(PAGES[1], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["s", "--plugin", "confidence.py"], catch_exceptions=False).exit_code == 0
    text = (tmp_path / "reports" / "s" / "README.md").read_text()
    assert text.index("## Calibration") < text.index("## Confidence") < text.index("## Ensembles")
    rows = list(csv.DictReader((tmp_path / "reports" / "s" / "tables" / "confidence.csv").open()))
    assert len(rows) == 4 and all(0 < float(row["confidence"]) < 1 for row in rows)
    assert set(check("confidence", studies)) == {
        "make_store",
        "one_run",
        "on_fer2013",
        "drawn_with_dataset",
        "evaluated",
    }
