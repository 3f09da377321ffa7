"""Reading csv files of FER-2013's form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.core.errors import DataError
from study.datasets.readers import fer2013
from study.datasets.readers.entry import NO_SPLIT
from tests.datasets.sources import HEADER, csv_row, csv_rows, pixels, read, write_csv


def test_pixels_labels_and_usage_come_back_as_written(tmp_path: Path) -> None:
    raw = read(write_csv(tmp_path / "fer2013.csv", csv_rows()))
    assert raw.images.shape == (42, 48, 48, 1)
    assert all(np.array_equal(image, pixels(seed)) for seed, image in enumerate(raw.images))
    assert raw.classes == fer2013.CLASSES
    assert raw.labels.tolist() == [label for _ in range(3) for label in range(7) for _ in range(2)]
    assert raw.given.tolist() == [0] * 14 + [1] * 14 + [2] * 14
    assert raw.claims_fer2013


def test_ids_name_usage_and_row(tmp_path: Path) -> None:
    raw = read(write_csv(tmp_path / "fer2013.csv", csv_rows(1)))
    assert raw.ids[0] == "Training/1"
    assert raw.ids[20] == "PrivateTest/21"


def test_the_form_of_icml_face_data_is_the_same_data(tmp_path: Path) -> None:
    rows = csv_rows()
    fields = [row.split(",") for row in rows]
    other = write_csv(tmp_path / "icml_face_data.csv", [f"{e},{u},{p}" for e, p, u in fields], "emotion, Usage, pixels")
    one, two = read(write_csv(tmp_path / "fer2013.csv", rows)), read(other)
    assert np.array_equal(one.images, two.images)
    assert np.array_equal(one.labels, two.labels)
    assert np.array_equal(one.ids, two.ids)


@pytest.mark.parametrize(
    "change", ["quotes", "windows", "double blanks", "byte order mark", "no last newline", "blank line"]
)
def test_other_spellings_of_the_same_table_are_read_alike(tmp_path: Path, change: str) -> None:
    rows = csv_rows()
    path = write_csv(tmp_path / "fer2013.csv", rows)
    expected = read(path)
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
    found = read(path)
    assert np.array_equal(found.images, expected.images)
    assert np.array_equal(found.given, expected.given)


def test_the_side_follows_the_data_and_only_48_pixels_claim_to_be_fer2013(tmp_path: Path) -> None:
    raw = read(write_csv(tmp_path / "small.csv", csv_rows(side=16)))
    assert raw.images.shape == (42, 16, 16, 1)
    assert not raw.claims_fer2013


def test_own_split_names_do_not_claim_to_be_fer2013(tmp_path: Path) -> None:
    raw = read(write_csv(tmp_path / "own.csv", csv_rows(usages=("train", "val", "test"))))
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
        ("no field", "3 fields as in the first line", "2"),
    ],
)
def test_a_wrong_row_is_named_with_what_was_expected_and_found(
    tmp_path: Path, row: int, change: str, expected: str, found: str
) -> None:
    path = write_csv(tmp_path / "fer2013.csv", change_row(row, change))
    with pytest.raises(DataError) as error:
        read(path)
    message = str(error.value)
    assert f"row {row}: expected {expected}" in message
    assert f"found {found}" in message
    assert "\n" not in message


def test_a_first_row_that_is_no_square_is_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "fer2013.csv", ["0,1 2 3,Training"])
    with pytest.raises(DataError, match=r"row 1: expected a square number of pixels \(48x48 = 2304\), found 3"):
        read(path)


@pytest.mark.parametrize("header", ["pixels,Usage", "pixels"])
def test_a_missing_class_column_is_named_with_those_that_are_there(tmp_path: Path, header: str) -> None:
    path = write_csv(tmp_path / "fer2013.csv", csv_rows(1), header)
    with pytest.raises(DataError, match="expected the columns emotion, pixels and mostly Usage .* found pixels"):
        read(path)


@pytest.mark.parametrize("header", ["emotion,Usage", "a,b,c", "0,1 2,Training"])
def test_a_csv_without_pixels_is_no_dataset_and_its_columns_are_named(tmp_path: Path, header: str) -> None:
    columns = ", ".join(header.lower().split(","))
    with pytest.raises(DataError, match=f"found a table with the columns {columns}. Check"):
        read(write_csv(tmp_path / "some.csv", csv_rows(1), header))


@pytest.mark.parametrize("header", ["emotion,pixels,emotion", "pixels,emotion,Pixels", "emotion,pixels,usage,Usage"])
def test_a_column_that_is_there_twice_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(DataError, match="expected each column once, found '(emotion|pixels|usage)' twice"):
        read(write_csv(tmp_path / "faces.csv", ["0,1 2,Training"], header))


@pytest.mark.parametrize("content", [bytes(range(256)) * 100, b"PK\x03\x04" + bytes(5000)])
def test_binary_rubbish_is_called_no_text(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match="found no text"):
        read(path)


def test_binary_rubbish_in_a_row_is_shown_on_one_line(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "fer2013.csv", csv_rows(1))
    path.write_bytes(path.read_bytes() + b"\xff\x00\x1b,\x80,\x00\n")
    with pytest.raises(DataError, match="row 22: expected ") as error:
        read(path)
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
        read(path)


def test_a_file_without_rows_or_without_anything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found no rows"):
        read(write_csv(tmp_path / "fer2013.csv", []))
    (tmp_path / "empty.csv").touch()
    with pytest.raises(DataError, match="found an empty file"):
        read(tmp_path / "empty.csv")


def test_a_class_without_any_row_is_named(tmp_path: Path) -> None:
    rows = [row for row in csv_rows() if not row.startswith("1,")]
    with pytest.raises(DataError, match="found no disgust in 36 rows"):
        read(write_csv(tmp_path / "fer2013.csv", rows))


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    rows = [csv_row(3, seed, "Training") for seed in range(5)]
    with pytest.raises(DataError, match="expected images of all seven classes"):
        read(write_csv(tmp_path / "fer2013.csv", rows))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet='0123456789 -+.x\t"', min_size=1, max_size=12))
def test_a_row_never_gives_numbers_that_it_does_not_hold(tmp_path: Path, text: str) -> None:
    rows = csv_rows(1, side=8)
    rest = " 7" * (64 - len(text.replace('"', " ").split()))
    table = write_csv(tmp_path / "faces.csv", [*rows, f"0,{text}{rest},Training"])
    try:
        image = read(table).images[-1].ravel().tolist()
    except DataError as error:
        assert "row 22" in str(error)
    else:
        assert image == [int(number) for number in (text.replace('"', "") + rest).split()]


def without_usage(rows: list[str]) -> list[str]:
    return [row.rsplit(",", 1)[0] for row in rows]


def test_the_challenges_train_csv_has_no_split_and_says_so(tmp_path: Path) -> None:
    raw = read(write_csv(tmp_path / "train.csv", without_usage(csv_rows(1)), "emotion,pixels"))
    assert set(raw.given.tolist()) == {NO_SPLIT} and not raw.claims_fer2013
    assert raw.ids[:2].tolist() == ["train/1", "train/2"]
    assert raw.notes == ("train.csv does not say which split an image belongs to.",)


def test_a_test_csv_with_labels_is_the_test_split(tmp_path: Path) -> None:
    rows = without_usage(csv_rows(1))
    write_csv(tmp_path / "train.csv", rows[:14], "emotion,pixels")
    write_csv(tmp_path / "test.csv", rows[14:], "emotion,pixels")
    raw = read(tmp_path)
    assert raw.given.tolist() == [0] * 14 + [2] * 7
    assert raw.ids[-1] == "test/7" and raw.given_by == "the files train.csv and test.csv"
    assert len(raw.images) == 21


def test_the_challenges_test_csv_has_no_labels_and_takes_no_part(tmp_path: Path) -> None:
    rows = without_usage(csv_rows(1))
    write_csv(tmp_path / "train.csv", rows, "emotion,pixels")
    test = write_csv(tmp_path / "test.csv", [row.split(",")[1] for row in rows], "pixels")
    raw = read(tmp_path)
    assert len(raw.labels) == 21 and raw.notes[-1] == "test.csv has no labels and is not used."
    with pytest.raises(DataError, match="found pixels.* the challenge's test.csv has no labels"):
        read(test)


def test_two_csv_files_must_hold_images_of_one_size(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", without_usage(csv_rows(1)), "emotion,pixels")
    write_csv(tmp_path / "test.csv", without_usage(csv_rows(1, side=16)), "emotion,pixels")
    with pytest.raises(DataError, match=r"test.csv, row 1: expected 2304 pixels as in the first row, found 256"):
        read(tmp_path)


def test_eight_emotions_are_classes_by_their_numbers_and_claim_nothing(tmp_path: Path) -> None:
    rows = [
        csv_row(label, 10 * label + place, usage) for label in range(8) for place, usage in enumerate(fer2013.USAGES)
    ]
    raw = read(write_csv(tmp_path / "eight.csv", rows))
    assert raw.classes == tuple("01234567") and raw.labels[-1] == 7
    assert not raw.claims_fer2013
    assert "the data do not say what they mean" in raw.notes[0] and "AffectNet: 0 neutral" in raw.notes[0]


def test_fewer_emotions_keep_fer2013s_names(tmp_path: Path) -> None:
    rows = [row for row in csv_rows() if not row.startswith("1,")]
    raw = read(write_csv(tmp_path / "six.csv", rows))
    assert raw.classes == ("angry", "fear", "happy", "sad", "surprise", "neutral")
    assert raw.labels.tolist()[:4] == [0, 0, 1, 1] and raw.claims_fer2013


def test_numbers_are_in_numerical_order(tmp_path: Path) -> None:
    rows = [csv_row(label, label, "train") for label in (10, 9, 2)]
    assert read(write_csv(tmp_path / "numbers.csv", rows)).classes == ("2", "9", "10")


@pytest.mark.parametrize("column", ["emotion", "label", "Class"])
def test_named_classes_are_taken_as_they_are_called(tmp_path: Path, column: str) -> None:
    rows = [csv_row(name, seed, "train") for seed, name in enumerate(["joy", "Zorn", "joy"])]
    raw = read(write_csv(tmp_path / "named.csv", rows, f"{column},pixels,Usage"))
    assert raw.classes == ("Zorn", "joy") and raw.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize("label", ["", " ", "n" * 65, "a\x07b", "\udcff"])
def test_a_class_that_is_no_name_is_refused(tmp_path: Path, label: str) -> None:
    path = tmp_path / "faces.csv"
    path.write_bytes(
        "\n".join([HEADER, *csv_rows(1), csv_row(label, 0, "Training")]).encode("utf-8", "surrogateescape")
    )
    with pytest.raises(DataError, match="row 22: expected a number or a name as class") as error:
        read(path)
    assert str(error.value).isprintable()


def test_a_csv_with_a_class_for_each_row_is_refused(tmp_path: Path) -> None:
    rows = [f"face {number},{' '.join(['7'] * 64)},train" for number in range(1100)]
    with pytest.raises(DataError, match="expected at most 1,000 classes, found 1,100"):
        read(write_csv(tmp_path / "faces.csv", rows))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_text_of_other_encodings_and_separators_is_read_alike(tmp_path: Path, encoding: str, separator: str) -> None:
    rows = [csv_row(name, seed, "train", 8) for seed, name in enumerate(["joy", "ärger", "joy"])]
    path = tmp_path / "faces.csv"
    path.write_bytes("\r\n".join([HEADER, *rows]).replace(",", separator).encode(encoding))
    raw = read(path)
    assert raw.classes == ("joy", "ärger")
    assert np.array_equal(raw.images[0], pixels(0, 8))


def test_a_row_without_an_end_is_refused_before_it_is_held_as_a_whole(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "faces.csv", csv_rows(1))
    with path.open("a") as file:
        file.write("0," + "1 " * (2 << 20))
    with pytest.raises(DataError, match="expected rows of less than 2 MiB, found a longer one after row 21"):
        read(path)
    write_csv(path, [*csv_rows(1), '0,"1 2 3', *csv_rows(150)])
    with pytest.raises(DataError, match="row 22: expected fields in quotes or without"):
        read(path)
