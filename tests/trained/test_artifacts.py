"""Exports count as a run's only while they were made from its weights and lie there as they were written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study.core.record import Record
from study.core.store import Store
from study.trained.formats import MANIFEST, export_folder, find_exports
from tests.changed import replace
from tests.trained.runs import add_onnx, keep


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "faces")


@pytest.fixture
def record(store: Store) -> Record:
    record = keep(store)
    add_onnx(store, record)
    return record


def test_an_export_is_found_beside_the_weights(store: Store, record: Record) -> None:
    found = find_exports(store, record)
    assert list(found) == ["onnx"] and found["onnx"].intact()
    assert found["onnx"].path.parent == export_folder(store, record)


def test_an_export_of_other_weights_does_not_count(store: Store, record: Record) -> None:
    store.weights_path(record.spec).write_bytes(b"trained again")
    assert find_exports(store, record) == {}


def test_without_weights_it_counts_until_the_record_is_replaced(store: Store, record: Record) -> None:
    store.weights_path(record.spec).unlink()
    assert find_exports(store, record)
    arrays = {name: array[::-1] for name, array in record.arrays.items()}
    assert find_exports(store, store.keep(replace(record, arrays=arrays))) == {}


def test_a_changed_or_missing_file_is_noticed(store: Store, record: Record) -> None:
    export = find_exports(store, record)["onnx"]
    export.path.write_bytes(b"other")
    assert not export.intact()
    export.path.unlink()
    assert find_exports(store, record) == {}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"key": 1}'])
def test_an_unreadable_manifest_is_no_manifest(store: Store, record: Record, text: str) -> None:
    (export_folder(store, record) / MANIFEST).write_text(text)
    assert find_exports(store, record) == {}


def test_a_manifest_cannot_point_elsewhere(store: Store, record: Record) -> None:
    path = export_folder(store, record) / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["exports"]["onnx"]["file"] = "../../elsewhere.onnx"
    path.write_text(json.dumps(manifest))
    assert find_exports(store, record) == {}


def test_the_manifest_says_what_a_program_needs_to_know(store: Store, record: Record) -> None:
    manifest = json.loads((export_folder(store, record) / MANIFEST).read_text())
    assert manifest["classes"] == list(record.dataset.classes)
    assert manifest["image_shape"] == [48, 48, 1] and manifest["drawn"] is False
