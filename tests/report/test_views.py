"""Test-time views stand apart: in a table of their own, for every network that has them, never in the ranking."""

import csv

import numpy as np
import pytest

from study.core.errors import StoreError
from study.core.record import Imported
from study.core.store import Store
from study.protocols.piece import VIEWS, part
from study.report.build import build_report
from study.report.collect import collect
from study.report.html import html_page
from study.report.sections.conclusions import conclusions
from study.report.sections.views import VIEWS as TITLES
from tests.changed import replace
from tests.factories import make_record


def with_views(record, name, skill):
    """Return a record whose protocol declares views, which answer a share ``skill`` of the images."""
    arrays = dict(record.arrays)
    for split in ("validation", "test"):
        labels = arrays[f"{split}_labels"]
        right = np.arange(len(labels)) < skill * len(labels)
        arrays[f"{split}_views"] = np.eye(7, dtype=np.float32)[np.where(right, labels, (labels + 1) % 7)]
    protocol = replace(record.spec.protocol, name="strong", views=part(name))
    return replace(record, spec=replace(record.spec, protocol=protocol), arrays=arrays)


def study(folder, name="ten", skill=0.9, seeds=(0, 1, 2)):
    store = Store(folder, "s")
    for seed in seeds:
        store.keep(with_views(make_record(protocol="augment", seed=seed), name, skill))
        store.keep(make_record("cnn5", seed=seed))
    return store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Three seeds of a network with ten views, and of a better one without."""
    return study(tmp_path_factory.mktemp("views"))


def rows(report):
    return list(csv.DictReader(report.tables["test-time-views.csv"].splitlines()))


def test_each_kind_of_views_has_a_row_with_both_splits_and_its_price(store):
    found = {(row["model"], row["views"]): row for row in rows(build_report(store))}
    assert list(found) == [("cnn5", "flip"), ("cnn3", "flip"), ("cnn3", "ten crops")]
    ten = found["cnn3", "ten crops"]
    assert [row["predictions_per_image"] for row in (found["cnn3", "flip"], ten)] == ["2", "10"]
    assert float(ten["test_accuracy"]) == pytest.approx(0.9, abs=0.005)
    assert float(ten["validation_accuracy"]) == pytest.approx(0.9, abs=0.005)
    gain = float(ten["test_accuracy"]) - float(ten["single_view"])
    assert float(ten["gain"]) == pytest.approx(gain, abs=1e-5)
    for score in ("validation_accuracy", "single_view", "test_accuracy"):
        assert float(ten[f"{score}_low"]) < float(ten[score]) < float(ten[f"{score}_high"])


def test_views_do_not_reach_the_ranking(store):
    report = build_report(store)
    first = next(csv.DictReader(report.tables["leaderboard.csv"].splitlines()))
    assert first["model"] == "cnn5", "ten views of cnn3 would be ahead"
    board = report.markdown.split("## Leaderboard")[1].split("\n## ")[0]
    assert "ten crops" not in board and "with flip" not in board
    assert all("views" not in key and "flip" not in key for key in first)


def test_a_sentence_says_what_the_views_are_worth(store):
    text = " ".join(conclusions(collect(store)))
    assert "test-time views (ten crops), cnn3 / strong scores 90.1" in text
    assert "at 10 predictions an image. The ranking uses the single view alone." in text


def test_views_that_harm_are_not_praised(tmp_path):
    text = " ".join(conclusions(collect(study(tmp_path, "five", 0.3))))
    assert "(five crops), cnn3 / strong scores 30." in text and "(means over its seeds): −" in text


def test_a_gain_within_chance_is_not_called_one(tmp_path):
    store = study(tmp_path, seeds=(0,))
    single = collect(store).found.scores
    (recipe,) = [one for one in single.recipes if one.model == "cnn3"]
    same = study(tmp_path / "same", skill=single.score(recipe).value, seeds=(0,))
    assert "which is not significant, at 10 predictions an image" in " ".join(conclusions(collect(same)))


def test_a_study_without_declared_views_shows_the_flip_alone_and_says_nothing(tmp_path):
    store = Store(tmp_path, "s")
    store.keep(make_record())
    report = build_report(store)
    assert [row["views"] for row in rows(report)] == ["flip"]
    assert "means over the seeds" not in report.markdown.split("## Test-time views")[1].split("\n## ")[0]
    assert "test-time views" not in " ".join(conclusions(collect(store)))


def test_imported_predictions_alone_have_no_views_and_no_section(tmp_path):
    record = make_record()
    arrays = {name: array for name, array in record.arrays.items() if "flipped" not in name}
    store = Store(tmp_path, "s")
    imported = Imported(file_sha256="0" * 64, splits=("validation", "test"))
    store.keep(replace(record, arrays=arrays, imported=imported, outcome=None, history=()))
    report = build_report(store)
    assert "Test-time views" not in report.markdown and "test-time-views.csv" not in report.tables


def test_a_vote_of_networks_with_views_is_scored_with_them_beside_the_single_view(store):
    report = build_report(store)
    rows = {row["recipes"]: row for row in csv.DictReader(report.tables["ensembles.csv"].splitlines())}
    assert float(rows["cnn3 / strong"]["accuracy_with_views"]) == pytest.approx(0.9, abs=0.005)
    assert float(rows["cnn3 / strong"]["accuracy"]) < 0.8 and rows["cnn5 / baseline"]["accuracy_with_views"] == ""
    assert "with test-time views" in report.markdown.split("## Ensembles")[1].split("\n## ")[0]


def test_the_page_in_one_file_shows_them_too(store):
    report = build_report(store)
    png = b"\x89PNG\r\n\x1a\n" + bytes(16)
    assert 'id="test-time-views"' in html_page(report, lambda name: png)


def test_every_registered_kind_of_views_has_its_title_and_true_price():
    assert set(VIEWS.names()) | {"single"} == set(TITLES)
    for name in VIEWS.names():
        assert TITLES[name][1] == len(VIEWS.make(part(name)).shifts(48))


def test_views_of_another_shape_are_refused_in_one_line(tmp_path):
    record = with_views(make_record(), "ten", 0.9)
    store = Store(tmp_path, "s")
    store.keep(replace(record, arrays={**record.arrays, "test_views": record.arrays["test_views"][:-1]}))
    with pytest.raises(StoreError, match="test_views"):
        store.load_arrays(store.records()[0])
