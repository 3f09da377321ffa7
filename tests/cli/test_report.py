"""`study report`: FER+ labels given once stay with the study; what does not fit is refused and nothing changes."""

import numpy as np
import pytest
from typer.testing import CliRunner

from study.cli.report import app
from study.core.errors import DamagedError, DataError, UsageError
from study.core.store import REMARKS_FILE, Store
from study.datasets.readers.ferplus import VOTES
from tests.datasets.readers.test_ferplus import COLUMN, write
from tests.factories import CLASSES, make_card, make_counts, make_dataset, make_record

CARD = make_card("fer2013", make_counts(640, 60, 120))


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "results", "s")
    store.keep(make_record("cnn3", "baseline", card=CARD))
    store.keep_dataset(make_dataset(CARD))
    return store


def call(store, *words):
    places = ["--results", str(store.results), "--reports", str(store.results.parent / "reports")]
    found = CliRunner().invoke(app, ["s", *places, *words])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def ferplus_csv(store, labels):
    votes = np.zeros((len(labels), len(VOTES)), int)
    for row, label in enumerate(labels):
        votes[row, COLUMN[CLASSES[label]]] = 10
    return write(store.results.parent / "fer2013new.csv", store.load_dataset()["splits"], votes)


def test_ferplus_labels_are_kept_and_the_check_knows_them(store):
    path = ferplus_csv(store, store.load_dataset()["labels"])
    call(store, "--ferplus", str(path))
    path.unlink()
    page = (store.results.parent / "reports" / "s" / "README.md").read_text()
    assert "by FER+ labels, 120" in page
    assert call(store, "--check").exit_code == 0
    call(store)
    assert page == (store.results.parent / "reports" / "s" / "README.md").read_text(), "also without the file"


def test_labels_in_another_order_are_refused_and_nothing_is_kept(store):
    path = ferplus_csv(store, np.roll(store.load_dataset()["labels"], 1))
    with pytest.raises(DataError, match="not in the row order"):
        call(store, "--ferplus", str(path))
    assert store.find_ferplus() is None and not (store.results.parent / "reports").exists()


def test_remarks_stand_in_the_report_as_plain_text_and_the_check_knows_them(store):
    remarks, page = store.folder / REMARKS_FILE, store.results.parent / "reports" / "s" / "README.md"
    remarks.write_text("# Odd: 55 to 64 % was\nexpected of <b>vgg16</b>.\n\n\nIts *body* learnt.\n", encoding="utf-8")
    call(store)
    said = page.read_text().split("## Remarks")[1].split("\n## ")[0].strip().split("\n\n")
    assert said[1:] == [r"\# Odd: 55 to 64 % was expected of &lt;b&gt;vgg16&lt;/b&gt;.", r"Its \*body\* learnt."]
    assert call(store, "--check").exit_code == 0
    remarks.write_text("Nothing odd.", encoding="utf-8")
    assert call(store, "--check").exit_code == 1
    remarks.write_bytes(b"\xff")
    with pytest.raises(DamagedError, match=r"remarks\.md: expected text in UTF-8"):
        call(store)
    remarks.unlink()
    call(store)
    assert "## Remarks" not in page.read_text()


def test_a_check_keeps_nothing(store):
    with pytest.raises(UsageError, match="--check writes nothing"):
        call(store, "--check", "--ferplus", "x.csv")


def test_a_damaged_run_is_named_in_one_line_and_left_out(store):
    damaged = store.keep(make_record("cnn2", "baseline", card=CARD))
    path = store.record_path(damaged.spec).with_suffix(".npz")
    assert call(store).exit_code == 0
    path.write_bytes(path.read_bytes()[:-9])
    found = call(store)
    assert found.exit_code == 1 and "The report is in" in found.stdout
    (line,) = found.stderr.splitlines()
    assert line.startswith("study: left out: ") and path.name in line and "`study run`" in line
    page = (store.results.parent / "reports" / "s" / "README.md").read_text()
    assert f"`cnn2 baseline seed_0-{damaged.spec.hash}`" in page and "was altered or cut short" in page
    assert "| cnn2" not in page and "| cnn3" in page
    assert call(store, "--check").exit_code == 1
    store.set_aside(store.examine()[1][0])
    assert "was altered" in call(store, "--check").stdout
    assert call(store).exit_code == 0


def test_without_a_single_whole_run_there_is_no_report(store):
    path = next(store.folder.rglob("*/seed_*.json"))
    path.write_text(path.read_text()[:-9])
    with pytest.raises(DamagedError, match=path.name):
        call(store)


def test_without_a_name_the_newest_study_made_here_is_reported(store):
    Store(store.results, "published/s").keep(make_record())
    places = ["--results", str(store.results), "--reports", str(store.results.parent / "reports")]
    assert CliRunner().invoke(app, places).exit_code == 0
    assert [path.parent.name for path in store.results.parent.glob("reports/**/README.md")] == ["s"]
