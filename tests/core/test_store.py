"""The store keeps records whole, finds them by spec and refuses what it cannot trust."""

import hashlib
import json
import os
import time

import numpy as np
import pytest

from study.core.errors import DamagedError, StoreError, UsageError
from study.core.files import clear_left, write_atomically
from study.core.record import Record, rounded
from study.core.store import Store, find_study, newest_first, pack_arrays, studies, unpack_arrays
from tests.changed import replace
from tests.dying import die_at
from tests.factories import make_card, make_counts, make_dataset, make_record


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results", "s")


@pytest.fixture
def record():
    return make_record("cnn2", "baseline", 0, card=make_card())


def test_a_record_comes_back_as_it_was_kept(store, record):
    kept = store.keep(record)
    [found] = store.records()
    assert found.to_json() == kept.to_json()
    loaded = store.load_arrays(found)
    for name, array in record.arrays.items():
        if array.dtype.kind == "f":
            assert np.allclose(loaded.arrays[name], array, rtol=1 / 100, atol=1e-9)
            assert np.array_equal(loaded.arrays[name].argmax(axis=1), array.argmax(axis=1)), "no answer changes"
        else:
            assert np.array_equal(loaded.arrays[name], array)


def test_probabilities_take_few_bytes_and_change_no_metric_beyond_rounding():
    random = np.random.default_rng(0)
    logits = 2 * random.normal(size=(3589, 7))
    exact = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    exact[:50, 3] = exact[:50, 5] = exact[:50].max(axis=1) * 1.1  # two that rounding cannot tell apart
    exact[:50, 3] *= 1.0001
    labels = exact.argmax(axis=1)
    packed = pack_arrays({"test_probabilities": exact})
    found = unpack_arrays(packed, "packed")["test_probabilities"]
    assert len(packed) < 40_000 and np.array_equal(found.argmax(axis=1), labels)
    losses = [-np.log(one[np.arange(3589), labels]).mean() for one in (exact, found)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    tiny = np.array([[1.0, 3e-8, 0.0]], np.float32)
    assert np.allclose(unpack_arrays(pack_arrays({"a_flipped": tiny}), "tiny")["a_flipped"], tiny, rtol=1 / 256)


def test_the_path_follows_from_the_spec(store, record):
    store.keep(record)
    path = store.folder / "cnn2" / "baseline" / f"seed_0-{record.spec.hash}.json"
    assert path.is_file() and path.with_suffix(".npz").is_file()
    assert store.find(record.spec) is not None


def test_the_same_record_gives_the_same_bytes(tmp_path, record):
    first, second = Store(tmp_path / "a", "s"), Store(tmp_path / "b", "s")
    first.keep(record), second.keep(record)
    for suffix in (".json", ".npz"):
        assert (
            first.record_path(record.spec).with_suffix(suffix).read_bytes()
            == second.record_path(record.spec).with_suffix(suffix).read_bytes()
        )


def test_a_done_record_without_predictions_is_refused(store, record):
    bare = Record(spec=record.spec, status="done", dataset=record.dataset)
    with pytest.raises(StoreError, match="must carry its predictions"):
        store.keep(bare)


def test_altered_predictions_are_recognised(store, record):
    kept = store.keep(record)
    path = store.record_path(record.spec).with_suffix(".npz")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="altered"):
        store.load_arrays(kept)


def unsigned(text):
    """Return a record's text as it was before records told their own sha256."""
    data = json.loads(text)
    del data["record_sha256"]
    return json.dumps(data, sort_keys=True, indent=1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:100], "not readable as a record"),
        (lambda text: "[" * 100_000, "not readable as a record"),
        (lambda text: "[]", "not readable as a record"),
        (lambda text: "{}", "not readable as a record"),
        (lambda text: text.replace('"validation_loss"', '"validation_lost"'), "was altered since it was written"),
        (lambda text: text.replace('"wall_s": ', '"wall_s": 1'), "was altered since it was written"),
        (lambda text: text.replace('"wall_s": ', '"wall_s": NaN, "x": '), "not readable as a record"),
    ],
)
def test_a_damaged_record_is_named_in_one_line(store, record, damage, message):
    store.keep(record)
    path = store.record_path(record.spec)
    text = path.read_text()
    assert damage(text) != text
    path.write_text(damage(text))
    with pytest.raises(DamagedError, match=message) as caught:
        store.records()
    assert path.name in str(caught.value) and "\n" not in str(caught.value)
    assert store.find(record.spec) is None


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (lambda text: text.replace('"format": 2', '"format": 99'), "made by another version"),
        (lambda text: text.replace('"status": "done"', '"status": "maybe"'), "Invalid enum value"),
        (lambda text: text.replace('"seed": 0', '"seed": 7'), "key must follow from the spec"),
        (lambda text: text.replace('"history"', '"story"'), "not a record"),
    ],
)
def test_a_record_of_another_version_is_named_in_one_line_and_never_set_aside(store, record, version, message):
    store.keep(record)
    path = store.record_path(record.spec)
    old = unsigned(path.read_text())
    assert version(old) != old
    path.write_text(version(old))
    with pytest.raises(StoreError, match=message) as caught:
        store.examine()
    assert path.name in str(caught.value) and "\n" not in str(caught.value)
    assert not isinstance(caught.value, DamagedError)


def test_records_without_a_checksum_are_read(store, record):
    kept = store.keep(record)
    path = store.record_path(record.spec)
    path.write_text(unsigned(path.read_text()))
    assert store.records()[0].to_json() == kept.to_json()


def test_a_text_that_no_file_can_hold_is_kept_as_far_as_it_can(store, record):
    kept = store.keep(replace(record, status="failed", reason="no such file: \udcff.h5", arrays={}))
    assert kept.reason == "no such file: ?.h5" and store.records()[0].reason == kept.reason


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def change(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [cut, change, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("suffix", [".json", ".npz", ".weights.h5"])
def test_whatever_is_damaged_of_a_run_it_is_set_aside_whole_and_counts_as_missing(store, record, suffix, damage):
    weights = b"weights" * 100
    path = store.record_path(record.spec)
    store.keep(make_record("cnn2", "baseline", 1, card=make_card()))
    kept = store.keep(replace(record, weights_file="x", weights_sha256=hashlib.sha256(weights).hexdigest()))
    store.weights_path(record.spec).write_bytes(weights)
    assert store.examine(weights=True)[1] == []
    damage(path.with_suffix(suffix))
    [sound], [found] = store.examine(weights=True)
    assert sound.spec.seed == 1 and found.path == path
    assert f"seed_0-{record.spec.hash}{suffix}" in found.reason and found.run.startswith("cnn2 baseline seed_0")
    aside = store.set_aside(found)
    assert [one.name for one in aside] == [
        f"{path.with_suffix(end).name}.damaged" for end in (".json", ".npz", ".weights.h5")
    ]
    assert store.find(record.spec) is None and store.examine(weights=True) == ([sound], [])
    assert store.keep(replace(record, arrays=record.arrays)).key == kept.key


def test_predictions_that_are_gone_are_damage_and_weights_that_are_gone_are_not(store, record):
    store.keep(replace(record, weights_file="x", weights_sha256="f" * 64))
    assert store.examine(weights=True)[1] == []
    store.record_path(record.spec).with_suffix(".npz").unlink()
    [found] = store.examine()[1]
    assert "predictions are missing" in found.reason


def test_beside_a_damaged_record_others_can_be_kept(store, record):
    store.keep(record)
    cut(store.record_path(record.spec))
    store.keep(make_record("cnn2", "baseline", 1, card=make_card()))
    assert [one.spec.seed for one in store.examine()[0]] == [1]


@pytest.mark.parametrize("replaced", [False, True], ids=["missing before", "failed before"])
def test_wherever_keeping_is_killed_the_record_is_the_old_one_or_whole(store, record, replaced):
    failed = replace(record, status="failed", arrays={}, reason="first")
    seen = set()
    for call in range(100):
        for path in store.folder.rglob("seed_*"):
            path.unlink()
        if replaced:
            store.keep(failed)
        code = die_at(call, lambda: store.keep(record))
        clear_left(store.folder)
        records, damaged = store.examine()
        assert not damaged
        seen.update(one.status for one in records)
        assert {path.suffix for path in store.folder.rglob("*") if path.is_file()} <= {".json", ".npz"}
        if code == 0:
            break
    assert code == 0 and seen == ({"failed", "done"} if replaced else {"done"})


def test_a_record_in_the_wrong_place_is_refused(store, record):
    store.keep(record)
    path = store.record_path(record.spec)
    path.rename(path.with_name("seed_9-0000000000.json"))
    with pytest.raises(StoreError, match="belongs at"):
        store.records()


def test_another_dataset_needs_a_study_of_its_own(store, record):
    store.keep(record)
    other = make_record("cnn2", "baseline", 1, card=make_card(name="other"))
    with pytest.raises(StoreError, match="--study NAME"):
        store.keep(other)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0b"])
def test_a_study_is_a_plain_folder_name(tmp_path, name):
    with pytest.raises(StoreError, match="plain folder name"):
        Store(tmp_path, name)


def test_dataset_arrays_are_those_of_the_last_start(store):
    first, second = (make_dataset(make_card(counts=make_counts(train))) for train in (300, 400))
    store.keep_dataset(first)
    store.keep_dataset(second)
    assert np.array_equal(store.load_dataset()["labels"], second["labels"])


def test_a_dataset_file_with_other_arrays_is_refused(store):
    store.keep_dataset({"labels": np.arange(3)})
    with pytest.raises(DamagedError, match="Remove it"):
        store.load_dataset()


def test_a_missing_dataset_file_says_what_to_do(store):
    with pytest.raises(StoreError, match="run the study once"):
        store.load_dataset()


def test_studies_are_listed(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "README.md").write_text("")
    assert studies(tmp_path) == ["a", "b"] and studies(tmp_path / "none") == []


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_pickles_are_never_loaded(tmp_path):
    np.savez(tmp_path / "evil.npz", a=np.array([{}], dtype=object))
    with pytest.raises(StoreError, match="not a readable array file"):
        unpack_arrays((tmp_path / "evil.npz").read_bytes(), "evil.npz")


def test_packed_arrays_depend_on_content_alone():
    assert pack_arrays({"a": np.arange(3), "b": np.ones(2)}) == pack_arrays({"b": np.ones(2), "a": np.arange(3)})


def test_numbers_are_rounded_to_significant_digits_and_stay_json():
    value = rounded({"a": np.float32(1 / 3), "b": [np.int64(2), True], "c": float("nan"), "d": 123456789.0})
    assert json.loads(json.dumps(value)) == {"a": 0.333333, "b": [2, True], "c": None, "d": 123457000.0}


def test_a_name_is_the_users_study_and_published_name_the_committed_one(tmp_path):
    for name in ("faces", "published/faces", "published/other"):
        Store(tmp_path, name).keep(make_record())
    assert studies(tmp_path) == ["faces", "published/faces", "published/other"]
    assert find_study(tmp_path, "faces").folder == tmp_path / "faces"
    published = find_study(tmp_path, "published/faces")
    assert (published.folder, published.title) == (tmp_path / "published" / "faces", "faces")


def test_what_is_published_is_no_part_of_a_study_of_the_same_name(tmp_path):
    Store(tmp_path, "published/faces").keep(make_record())
    assert Store(tmp_path, "faces").records() == []


@pytest.mark.parametrize("name", ["published", "published/", "published/published", "published/a/b", "a/b", "../a", ""])
def test_other_names_are_refused(tmp_path, name):
    with pytest.raises(StoreError, match="or one after published/"):
        Store(tmp_path, name)


def test_an_unknown_name_suggests_the_other_kind(tmp_path):
    Store(tmp_path, "published/faces").keep(make_record())
    Store(tmp_path, "mine").keep(make_record())
    with pytest.raises(UsageError, match="published/faces"):
        find_study(tmp_path, "faces")
    with pytest.raises(UsageError, match="mine"):
        find_study(tmp_path, "published/mine")


def test_without_a_name_the_newest_study_made_here_is_meant(tmp_path):
    for age, name in enumerate(("published/faces", "newer", "older")):
        store = Store(tmp_path, name)
        when = time.time() - 100 * age
        os.utime(store.record_path(store.keep(make_record()).spec), (when, when))
    (tmp_path / "empty").mkdir()
    assert newest_first(tmp_path) == ["newer", "older"]
    assert find_study(tmp_path).study == "newer"


def test_where_nothing_was_made_here_the_published_studies_are_named(tmp_path):
    Store(tmp_path, "published/faces").keep(make_record())
    with pytest.raises(UsageError, match=r"make study.*published/faces"):
        find_study(tmp_path)
