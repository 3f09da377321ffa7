"""The page of an audit says what was found, and only then."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from study.core.errors import DataError, StoreError
from study.core.store import Store
from study.datasets import synthetic
from study.datasets.audit import Audit, audit
from study.datasets.image_set import ImageSet, make_image_set
from study.report.audit import TITLE, find_label_errors, write_audit, write_audit_pictures
from tests.factories import make_record


@pytest.fixture(scope="module")
def spoiled() -> Audit:
    """Return the audit of faces with an identical, a mirrored and a relabelled copy, and an empty image."""
    data = synthetic.make(images=400)
    images, labels = data.images.copy(), data.labels.copy()
    train, test = data.indices("train"), data.indices("test")
    images[test[0]], labels[test[0]] = images[train[0]], labels[train[0]]
    images[test[1]], labels[test[1]] = images[train[1]][:, ::-1], labels[train[1]]
    images[train[3]], labels[train[2:4]] = images[train[2]], [3, 4]
    images[train[4]] = 9
    return audit(make_image_set("faces", images, labels, data.classes, data.ids, data.splits, "The test | says so."))


def store_of(data: ImageSet, results: Path) -> Store:
    """Return a store with two made runs on an image set."""
    store = Store(results, "faces")
    for seed in (0, 1):
        store.keep(make_record("cnn3", seed=seed, card=data.card()))
    return store


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_page_and_tables_name_what_was_planted(spoiled: Audit, tmp_path: Path) -> None:
    page = write_audit(spoiled, tmp_path).read_text(encoding="utf-8")
    assert page.startswith(TITLE + "faces\n") and "The test \\| says so." in page
    assert "**399 of the 400 images are different.**" not in page
    assert "**398 of the 400 images are different.** 2 groups of identical images hold 4 files" in page
    assert "1 of 2 groups of identical images carry different labels" in page
    assert "| happy   | sad         |" in page
    assert "1 image, 1 of them of one grey level" in page
    assert "Labels under suspicion" not in page and "label-joint.csv" not in str(list(tmp_path.rglob("*.csv")))
    data = spoiled.data
    train, test = data.indices("train"), data.indices("test")
    pairs = {(row["image"], row["other"], row["mirrored"]) for row in rows(tmp_path / "tables" / "near-pairs.csv")}
    one, two = sorted((train[1], test[1]))
    assert (data.ids[one], data.ids[two], "yes") in pairs
    groups = rows(tmp_path / "tables" / "duplicates.csv")
    same = {row["content"] for row in groups if row["image"] in (data.ids[train[0]], data.ids[test[0]])}
    assert len(same) == 1
    assert [row["image"] for row in rows(tmp_path / "tables" / "empty-images.csv")] == [data.ids[train[4]]]


def test_every_count_by_split_pair_and_class_is_in_the_csv(spoiled: Audit, tmp_path: Path) -> None:
    write_audit(spoiled, tmp_path)
    found = rows(tmp_path / "tables" / "copies.csv")
    assert len(found) == 2 * 9 * 7
    leaks = [row for row in found if (row["images_of"], row["copies_in"]) == ("test", "train")]
    assert sum(int(row["images_with_copy"]) for row in leaks if row["copies"] == "identical") == 1
    assert sum(int(row["images_with_copy"]) for row in leaks if row["copies"] == "identical or near") == 2


def test_clean_data_read_so(tmp_path: Path) -> None:
    page = write_audit(audit(synthetic.make(images=400)), tmp_path).read_text(encoding="utf-8")
    assert "Nothing was found that would spoil a result" in page
    assert "**The faces are drawn, not photographed.**" in page
    assert "None: all copies of an image carry the same label." in page
    assert "show nothing" not in page and "relabelled" not in page


def test_suspicion_asks_the_study_and_names_images(spoiled: Audit, tmp_path: Path) -> None:
    data = spoiled.data
    suspected = find_label_errors(data, store_of(data, tmp_path / "results"))
    assert suspected.held_out.rows.tolist() == data.indices("validation").tolist()
    page = write_audit(spoiled, tmp_path / "page", suspected).read_text(encoding="utf-8")
    assert "on the validation split alone" in page and "`study data audit PATH --study faces`" in page
    listed = rows(tmp_path / "page" / "tables" / "suspicious-labels.csv")
    assert {row["split"] for row in listed} <= {"validation"}
    assert all(row["label"] != row["suggested"] for row in listed)
    assert sum(
        float(row[name]) for row in rows(tmp_path / "page" / "tables" / "label-joint.csv") for name in data.classes
    ) == pytest.approx(1, abs=1e-4)


def test_tables_of_an_earlier_audit_do_not_stay(spoiled: Audit, tmp_path: Path) -> None:
    data = spoiled.data
    write_audit(spoiled, tmp_path / "page", find_label_errors(data, store_of(data, tmp_path / "results")))
    write_audit(spoiled, tmp_path / "page")
    assert not (tmp_path / "page" / "tables" / "suspicious-labels.csv").exists()


def test_pictures_show_what_was_found_and_only_then(spoiled: Audit, tmp_path: Path) -> None:
    names = {path.name for path in write_audit_pictures(spoiled, tmp_path)}
    assert names >= {"copies-across-splits.png", "conflicting-labels.png", "mirrored.png", "empty.png"}
    assert "suspicious-labels.png" not in names
    assert write_audit_pictures(audit(synthetic.make(images=400)), tmp_path) == []
    assert not list(tmp_path.iterdir()), "pictures of an earlier audit do not stay"


def test_a_study_of_other_images_is_refused(spoiled: Audit, tmp_path: Path) -> None:
    other = synthetic.make(images=300)
    with pytest.raises(DataError, match="must be made from the audited images"):
        find_label_errors(spoiled.data, store_of(other, tmp_path))


def test_a_study_without_finished_runs_is_refused(spoiled: Audit, tmp_path: Path) -> None:
    store = Store(tmp_path, "faces")
    store.keep(make_record("cnn3", card=spoiled.data.card(), status="failed"))
    with pytest.raises(StoreError, match="has no finished runs"):
        find_label_errors(spoiled.data, store)


def test_the_page_is_the_same_each_time(spoiled: Audit, tmp_path: Path) -> None:
    first = write_audit(spoiled, tmp_path / "a").read_bytes()
    assert first == write_audit(spoiled, tmp_path / "b").read_bytes()
    assert str(tmp_path) not in first.decode()
