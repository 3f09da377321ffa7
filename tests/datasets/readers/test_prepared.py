"""A prepared file holds the very images, ids, labels and split that it was made from, and is bounded when read."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from study.core.arrays import read_arrays, write_arrays
from study.core.errors import DataError, UsageError
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.datasets.readers.lossless import LANES, decode, encode
from study.datasets.readers.prepared import write_prepared
from tests.datasets.sources import csv_rows, write_classes, write_csv, write_fer2013_folders


def prepared(data: ImageSet, tmp_path: Path) -> ImageSet:
    write_prepared(data, tmp_path / "set.study")
    return load(str(tmp_path / "set.study"), cache_dir=tmp_path / "other-cache")


def same(one: ImageSet, other: ImageSet) -> bool:
    fields = ("name", "classes", "fingerprint", "split_source", "notes", "drawn")
    arrays = ("images", "labels", "ids", "splits", "hashes")
    return all(getattr(one, name) == getattr(other, name) for name in fields) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays
    )


@pytest.mark.parametrize("kind", ["csv", "folders", "drawn split", "colour", "copies", "umlauts"])
def test_what_comes_back_is_the_same_to_the_last_byte(kind: str, tmp_path: Path) -> None:
    if kind in ("csv", "copies"):
        rows = csv_rows(2, side=12, usages=("train", "val", "test"))
        path = write_csv(tmp_path / "faces.csv", rows + rows[: 7 if kind == "copies" else 0])
    elif kind == "folders":
        path = write_fer2013_folders(tmp_path / "faces")
    else:
        names = ("böse", "froh") if kind == "umlauts" else ("joy", "anger")
        path = write_classes(tmp_path / "faces", names, 20, side=9, channels=3 if kind == "colour" else 1)
    data = load(str(path), seed=3, cache_dir=tmp_path / "cache")
    assert same(prepared(data, tmp_path), data)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 7), (5, 9, 2), (LANES + 3, 2, 3)])
@pytest.mark.parametrize("kind", ["noise", "flat", "smooth"])
def test_planes_of_any_kind_come_back(shape: tuple[int, int, int], kind: str) -> None:
    random = np.random.default_rng(0)
    planes = {
        "noise": random.integers(0, 256, shape, np.uint8),
        "flat": np.full(shape, 255, np.uint8),
        "smooth": (np.indices(shape).sum(axis=0) % 256).astype(np.uint8),
    }[kind]
    assert (decode(*encode(planes), shape) == planes).all()


def test_photographs_take_less_room_than_as_arrays(tmp_path: Path) -> None:
    from study.datasets import synthetic

    images = synthetic.make(**{**synthetic.DEFAULTS, "images": 200}).images
    words, states, tables = encode(images[..., 0])
    assert words.nbytes < 0.7 * images.nbytes


def test_the_built_in_faces_and_other_suffixes_are_refused(tmp_path: Path) -> None:
    data = load(str(write_classes(tmp_path / "faces", ("joy", "anger"), 20, side=9)), cache_dir=tmp_path / "cache")
    with pytest.raises(UsageError, match="ends in .study"):
        write_prepared(data, tmp_path / "set.zip")
    with pytest.raises(UsageError, match="drawn wherever"):
        write_prepared(load("synthetic:images=200"), tmp_path / "set.study")


def test_a_file_cannot_claim_to_be_fer2013(tmp_path: Path) -> None:
    data = load(str(write_classes(tmp_path / "faces", ("joy", "anger"), 20, side=9)), cache_dir=tmp_path / "cache")
    path = changed(data, tmp_path, name="fer2013")
    try:
        assert load(str(path), cache_dir=tmp_path / "other").name != "fer2013"
    except DataError as error:
        assert "it is not fer2013" in str(error)


def changed(data: ImageSet, tmp_path: Path, **about: object) -> Path:
    """Write a set of which something is said that is not so."""
    path = tmp_path / "set.study"
    write_prepared(data, path)
    arrays = read_arrays(path.read_bytes())
    said = json.loads(arrays["about"].tobytes()) | about
    arrays["about"] = np.frombuffer(json.dumps(said).encode(), np.uint8)
    path.write_bytes(write_arrays(arrays))
    return path


@pytest.mark.parametrize(
    "about",
    [
        {"format": 2},
        {"shape": [9, 9, 3]},
        {"shape": [9, 8, 1]},
        {"shape": [224, 224, 1]},
        {"shape": [100_000, 100_000, 1]},
        {"shape": [0, 9, 1]},
        {"name": "../x"},
        {"classes": ["joy"]},
        {"classes": ["joy", "a\x1b[31m"]},
        {"ids": ["a"]},
        {"notes": 3},
        {"more": 1},
    ],
)
def test_what_does_not_fit_is_one_line(about: dict[str, object], tmp_path: Path) -> None:
    data = load(str(write_classes(tmp_path / "faces", ("joy", "anger"), 20, side=9)), cache_dir=tmp_path / "cache")
    path, started = changed(data, tmp_path, **about), time.process_time()
    with pytest.raises(DataError, match="expected what study data prepare --out wrote"):
        load(str(path), cache_dir=tmp_path / "other")
    assert time.process_time() - started < 5
