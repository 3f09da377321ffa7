"""Text of every encoding that programs save tables in is read like UTF-8, wherever text is read."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from study.core.errors import DataError
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.datasets.readers import fer2013
from study.datasets.readers.entry import RawSet
from study.datasets.readers.ferplus import VOTES, read_ferplus
from study.datasets.readers.place import Place
from study.datasets.readers.tables import Table
from tests.datasets.sources import csv_row, pixels, read, write_image

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


def pixel_csv() -> tuple[str, str]:
    """A csv of pixels, as a spreadsheet saves it as Unicode text: with tabs."""
    rows = [csv_row(name, seed, "train", 8) for seed, name in enumerate(["joy", "ärger", "радость"] * 3)]
    return "faces.csv", "\r\n".join(["emotion,pixels,Usage", *rows, ""]).replace(",", "\t")


def table_of_paths() -> tuple[str, str]:
    return "labels.csv", "\n".join(["image;label", *(f"{n}.png;{('ärger', 'злость')[n % 2]}" for n in range(6))])


def lines_of_name_and_number() -> tuple[str, str]:
    """RAF-DB's form: no line with the names of the columns."""
    return "list_patition_label.txt", "".join(f"{n}.png {n % 7 + 1}\r\n" for n in range(21))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for seed in range(21):
        write_image(tmp_path / "set" / "images" / f"{seed}.png", pixels(seed, 8))
    return tmp_path / "set"


@pytest.mark.parametrize("write", [pixel_csv, table_of_paths, lines_of_name_and_number])
@pytest.mark.parametrize("packed", [False, True])
def test_a_dataset_is_the_same_in_every_encoding(
    images: Path, tmp_path: Path, write: Callable[[], tuple[str, str]], packed: bool
) -> None:
    name, text = write()
    if write is pixel_csv:
        images = tmp_path / "alone"
        images.mkdir()
    found = []
    for encoding in ENCODINGS:
        (images / name).write_bytes(text.encode(encoding))
        place = tmp_path / f"{encoding}.zip" if packed else images
        if packed:
            with zipfile.ZipFile(place, "w") as archive:
                for path in sorted(images.rglob("*.*")):
                    archive.write(path, path.relative_to(images).as_posix())
        found.append(_read(place))
    first = found[0]
    assert len(first.classes) == {pixel_csv: 3, table_of_paths: 2}.get(write, 7)
    for other in found[1:]:
        assert other.classes == first.classes and other.ids.tolist() == first.ids.tolist()
        assert np.array_equal(other.labels, first.labels) and np.array_equal(other.images, first.images)


def _read(place: Path) -> RawSet | ImageSet:
    if place.suffix != ".zip":
        return read(place)
    return load(str(place), cache_dir=place.with_suffix(".cache"))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_votes_of_ferplus_are_the_same_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    votes = [[9 * (name == wanted) for name in VOTES] for wanted in ("happiness", "sadness", "anger")]
    rows = [f"{usage},,{','.join(map(str, row))}" for usage, row in zip(fer2013.USAGES, votes, strict=True)]
    (tmp_path / "votes.csv").write_bytes("\n".join([f"Usage,Image name,{','.join(VOTES)}", *rows]).encode(encoding))
    labels = np.array([fer2013.CLASSES.index(name) for name in ("happy", "sad", "angry")])
    found = read_ferplus(tmp_path / "votes.csv", labels, np.arange(3, dtype=np.uint8), fer2013.CLASSES)
    assert np.array_equal(found, labels)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("tail", [b"\x41", b"\xd8\x00\xd8\x00", b"\x00\xd8\x00\xd8"])
def test_text_that_breaks_off_within_a_letter_is_refused_by_its_row(tmp_path: Path, encoding: str, tail: bytes) -> None:
    rows = [csv_row(name, seed, "train") for seed, name in enumerate(["joy", "anger"])]
    text = "\n".join(["emotion,pixels,Usage", *rows, "j"])
    (tmp_path / "faces.csv").write_bytes(text.encode(encoding) + tail)
    with pytest.raises(DataError, match=r"faces.csv, row [23]: expected .* Fix the row") as refused:
        read(tmp_path / "faces.csv")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("content", [b"\x00\xd8\n\x00", b"\xff\xfe\x00\xd8", b"\xff\xfe", b"\0", b""])
def test_what_is_no_text_has_no_columns(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "faces.csv").write_bytes(content)
    with Table(Place(tmp_path / "faces.csv")) as table:
        assert table.columns == []
