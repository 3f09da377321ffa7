"""Reading csv files of FER-2013's form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.core.errors import DataError
from study.datasets.readers import fer2013, fer2013_csv
from study.datasets.readers.raw_set import NO_SPLIT
from tests.datasets.sources import HEADER, csv_row, csv_rows, pixels, write_csv


def test_pixels_labels_and_usage_come_back_as_written(tmp_path: Path) -> None:
    raw = fer2013_csv.read(write_csv(tmp_path / "fer2013.csv", csv_rows()))
    assert raw.images.shape == (42, 48, 48, 1)
    assert all(np.array_equal(image, pixels(seed)) for seed, image in enumerate(raw.images))
    assert raw.classes == fer2013.CLASSES
    assert raw.labels.tolist() == [label for _ in range(3) for label in range(7) for _ in range(2)]
    assert raw.given.tolist() == [0] * 14 + [1] * 14 + [2] * 14
    assert raw.claims_fer2013


def test_ids_name_usage_and_row(tmp_path: Path) -> None:
    raw = fer2013_csv.read(write_csv(tmp_path / "fer2013.csv", csv_rows(1)))
    assert raw.ids[0] == "Training/1"
    assert raw.ids[20] == "PrivateTest/21"


def test_the_form_of_icml_face_data_is_the_same_data(tmp_path: Path) -> None:
    rows = csv_rows()
    fields = [row.split(",") for row in rows]
    other = write_csv(tmp_path / "icml_face_data.csv", [f"{e},{u},{p}" for e, p, u in fields], "emotion, Usage, pixels")
    one, two = fer2013_csv.read(write_csv(tmp_path / "fer2013.csv", rows)), fer2013_csv.read(other)
    assert np.array_equal(one.images, two.images)
    assert np.array_equal(one.labels, two.labels)
    assert np.array_equal(one.ids, two.ids)


@pytest.mark.parametrize(
    "change", ["quotes", "windows", "double blanks", "byte order mark", "no last newline", "blank line"]
)
def test_other_spellings_of_the_same_table_are_read_alike(tmp_path: Path, change: str) -> None:
    rows = csv_rows()
    path = write_csv(tmp_path / "fer2013.csv", rows)
    expected = fer2013_csv.read(path)
    text = path.read_text()
    if change == "quotes":
        text = "\n".join([HEADER, *('{},"{}",{}'.format(*row.split(",")) for row in rows)])
    elif change == "windows":
        text = text.replace("\n", "\r\n")
    elif change == "double blanks":
        text = text.replace(" ", "  ", 50)
    elif change == "byte order mark":
        text = "\ufeff" + text
    elif change == "no last newline":
        text = text.rstrip("\n")
    else:
        text += "\n"
    path.write_bytes(text.encode())
    found = fer2013_csv.read(path)
    assert np.array_equal(found.images, expected.images)
    assert np.array_equal(found.given, expected.given)


def test_the_side_follows_the_data_and_only_48_pixels_claim_to_be_fer2013(tmp_path: Path) -> None:
    raw = fer2013_csv.read(write_csv(tmp_path / "small.csv", csv_rows(side=16)))
    assert raw.images.shape == (42, 16, 16, 1)
    assert not raw.claims_fer2013


def test_own_split_names_do_not_claim_to_be_fer2013(tmp_path: Path) -> None:
    raw = fer2013_csv.read(write_csv(tmp_path / "own.csv", csv_rows(usages=("train", "val", "test"))))
    assert raw.given.tolist() == [0] * 14 + [1] * 14 + [2] * 14
    assert not raw.claims_fer2013


def change_row(row: int, change: str) -> list[str]:
    """Return sound rows but one, counted from 1."""
    rows = csv_rows(4)
    emotion, numbers, usage = rows[row - 1].split(",")
    values = numbers.split()
    if change == "few pixels":
        values = values[:-3]
    elif change == "many pixels":
        values += ["1"]
    elif change == "value 256":
        values[100] = "256"
    elif change == "value 1000":
        values[0] = "1000"
    elif change == "negative":
        values[100] = "-1"
    elif change == "word":
        values[100] = "x"
    elif change == "label":
        emotion = "7"
    elif change == "usage":
        usage = "Testing3"
    elif change == "no field":
        return [*rows[: row - 1], f"{emotion},{numbers}", *rows[row:]]
    return [*rows[: row - 1], f"{emotion},{' '.join(values)},{usage}", *rows[row:]]


@pytest.mark.parametrize("row", [2, 50, 84])
@pytest.mark.parametrize(
    ("change", "expected", "found"),
    [
        ("few pixels", "2304 pixels", "2301"),
        ("many pixels", "2304 pixels", "2305"),
        ("value 256", "pixels from 0 to 255", "'256'"),
        ("value 1000", "pixels from 0 to 255", "'1000'"),
        ("negative", "pixels from 0 to 255", "'-1'"),
        ("word", "pixels from 0 to 255", "'x'"),
        ("label", "an emotion from 0 to 6", "'7'"),
        ("usage", "Usage Training, PublicTest or PrivateTest", "'Testing3'"),
        ("no field", "3 comma-separated fields", "2"),
    ],
)
def test_a_wrong_row_is_named_with_what_was_expected_and_found(
    tmp_path: Path, row: int, change: str, expected: str, found: str
) -> None:
    path = write_csv(tmp_path / "fer2013.csv", change_row(row, change))
    with pytest.raises(DataError) as error:
        fer2013_csv.read(path)
    message = str(error.value)
    assert f"row {row}: expected {expected}" in message
    assert f"found {found}" in message
    assert "\n" not in message


def test_a_first_row_that_is_no_square_is_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "fer2013.csv", ["0,1 2 3,Training"])
    with pytest.raises(DataError, match=r"row 1: expected a square number of pixels \(48x48 = 2304\), found 3"):
        fer2013_csv.read(path)


@pytest.mark.parametrize(
    "header", ["pixels,Usage", "emotion,Usage", "pixels", "emotion;pixels;Usage", "0,1 2,Training"]
)
def test_missing_columns_are_named(tmp_path: Path, header: str) -> None:
    path = write_csv(tmp_path / "fer2013.csv", csv_rows(1), header)
    with pytest.raises(
        DataError, match="expected the columns emotion, pixels and mostly Usage .* missing .* found " + header[:2]
    ):
        fer2013_csv.read(path)


@pytest.mark.parametrize("content", [bytes(range(256)) * 100, b"PK\x03\x04" + bytes(5000), "emotion".encode("utf-16")])
def test_binary_rubbish_is_called_binary(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match="found binary data"):
        fer2013_csv.read(path)


def test_binary_rubbish_in_a_row_is_shown_on_one_line(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "fer2013.csv", csv_rows(1))
    path.write_bytes(path.read_bytes() + b"\xff\x00\x1b,\x80,\x00\n")
    with pytest.raises(DataError, match="row 22: expected an emotion") as error:
        fer2013_csv.read(path)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("header", [HEADER, "emotion, Usage, pixels"])
@pytest.mark.parametrize("cut", [5, 15, 500])
def test_a_file_that_ends_inside_a_row_is_called_truncated(tmp_path: Path, header: str, cut: int) -> None:
    rows = csv_rows(1)
    if header != HEADER:
        rows = ["{0},{2},{1}".format(*row.split(",")) for row in rows]
    path = write_csv(tmp_path / "fer2013.csv", rows, header)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataError, match="row 21: .* truncated"):
        fer2013_csv.read(path)


def test_a_file_without_rows_or_without_anything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found no rows"):
        fer2013_csv.read(write_csv(tmp_path / "fer2013.csv", []))
    (tmp_path / "empty.csv").touch()
    with pytest.raises(DataError, match="found an empty line"):
        fer2013_csv.read(tmp_path / "empty.csv")


def test_a_class_without_any_row_is_named(tmp_path: Path) -> None:
    rows = [row for row in csv_rows() if not row.startswith("1,")]
    with pytest.raises(DataError, match="found no disgust in 36 rows"):
        fer2013_csv.read(write_csv(tmp_path / "fer2013.csv", rows))


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    rows = [csv_row(3, seed, "Training") for seed in range(5)]
    with pytest.raises(DataError, match="expected images of all seven classes"):
        fer2013_csv.read(write_csv(tmp_path / "fer2013.csv", rows))


@given(st.lists(st.lists(st.integers(0, 255), min_size=4, max_size=4), min_size=1, max_size=5))
def test_a_block_is_parsed_to_the_numbers_written(rows: list[list[int]]) -> None:
    parsed = fer2013_csv.parse_block([" ".join(map(str, row)).encode() for row in rows], 4)
    assert parsed is not None
    assert parsed.tolist() == rows


@given(st.text(alphabet="0123456789 -x,", max_size=12))
def test_a_block_never_gives_numbers_for_a_row_that_does_not_hold_them(text: str) -> None:
    parsed = fer2013_csv.parse_block([b"1 2 3", text.encode()], 3)
    if parsed is not None:
        assert " ".join(map(str, parsed[1])) == text


def without_usage(rows: list[str]) -> list[str]:
    return [row.rsplit(",", 1)[0] for row in rows]


def test_the_challenges_train_csv_has_no_split_and_says_so(tmp_path: Path) -> None:
    raw = fer2013_csv.read(write_csv(tmp_path / "train.csv", without_usage(csv_rows(1)), "emotion,pixels"))
    assert set(raw.given.tolist()) == {NO_SPLIT} and not raw.claims_fer2013
    assert raw.ids[:2].tolist() == ["train/1", "train/2"]
    assert raw.notes == ("train.csv does not say which split an image belongs to.",)


def test_a_test_csv_with_labels_is_the_test_split(tmp_path: Path) -> None:
    rows = without_usage(csv_rows(1))
    train = write_csv(tmp_path / "train.csv", rows[:14], "emotion,pixels")
    raw = fer2013_csv.read(train, test=write_csv(tmp_path / "test.csv", rows[14:], "emotion,pixels"))
    assert raw.given.tolist() == [0] * 14 + [2] * 7
    assert raw.ids[-1] == "test/7" and raw.given_by == "the files train.csv and test.csv"
    assert len(raw.images) == 21


def test_the_challenges_test_csv_has_no_labels_and_takes_no_part(tmp_path: Path) -> None:
    rows = without_usage(csv_rows(1))
    train = write_csv(tmp_path / "train.csv", rows, "emotion,pixels")
    test = write_csv(tmp_path / "test.csv", [row.split(",")[1] for row in rows], "pixels")
    raw = fer2013_csv.read(train, test=test)
    assert len(raw.labels) == 21 and raw.notes[-1] == "test.csv has no labels and takes no part."
    with pytest.raises(DataError, match="missing emotion.* the challenge's test.csv has no labels"):
        fer2013_csv.read(test)


def test_two_csv_files_must_hold_images_of_one_size(tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", without_usage(csv_rows(1)), "emotion,pixels")
    other = write_csv(tmp_path / "test.csv", without_usage(csv_rows(1, side=16)), "emotion,pixels")
    with pytest.raises(DataError, match=r"test.csv, row 1: expected 2304 pixels as in the first row, found 256"):
        fer2013_csv.read(train, test=other)
