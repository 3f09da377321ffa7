"""Predictions of others are taken when every row is right, and refused with line and reason when one is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.core.errors import DataError
from study.execution.import_predictions import Predictions, read_predictions

CLASSES = ("angry", "happy", "sad")
SPLITS = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2], np.uint8)
DATASET = {
    "ids": np.array([f"faces/{place}.png" for place in range(9)]),
    "labels": np.array([0, 1, 2, 0, 1, 2, 0, 1, 2]),
    "splits": SPLITS,
}
PREDICTED = range(4, 9)


def read(tmp_path: Path, *lines: str) -> Predictions:
    path = tmp_path / "predictions.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_predictions(path, DATASET, CLASSES)


def probabilities(*, places: range = PREDICTED) -> list[str]:
    rows = [f"faces/{place}.png,0.2,0.5,0.3" for place in places]
    return ["image,angry,happy,sad", *rows]


def test_probabilities_of_both_splits(tmp_path: Path) -> None:
    found = read(tmp_path, *probabilities())
    assert found.splits == ("validation", "test") and found.probabilities
    assert found.arrays["validation_probabilities"] == pytest.approx(np.tile([0.2, 0.5, 0.3], (2, 1)))
    assert found.arrays["test_labels"].tolist() == [0, 1, 2]
    assert found.arrays["test_probabilities"].dtype == np.float32


def test_labels_by_name_or_number_in_any_order(tmp_path: Path) -> None:
    rows = ["faces/8.png,SAD", "faces/6.png,0", "faces/4.png,happy", "faces/7.png,1", "faces/5.png, 2 "]
    found = read(tmp_path, "id,label", *rows)
    assert not found.probabilities
    assert found.arrays["test_probabilities"].argmax(axis=1).tolist() == [0, 1, 2]
    assert found.arrays["validation_probabilities"].tolist() == [[0, 1, 0], [0, 0, 1]]


NUMBERED = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def numbered(tmp_path: Path, numbers: list[int], labels: list[int]) -> Predictions:
    dataset = {
        "ids": np.array([str(place) for place in range(len(labels))]),
        "labels": np.array(labels),
        "splits": np.full(len(labels), 2, np.uint8),
    }
    path = tmp_path / "numbers.csv"
    path.write_text("\n".join(["row,label", *(f"{row},{number}" for row, number in enumerate(numbers))]))
    return read_predictions(path, dataset, NUMBERED)


def test_how_numbers_are_read_is_said(tmp_path: Path) -> None:
    labels = [row % 7 for row in range(700)]
    assert numbered(tmp_path, labels, labels).notes == (
        "Numbers were read in the study's order: 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral.",
    )


def test_another_order_that_fits_far_better_is_warned_of(tmp_path: Path) -> None:
    labels = [row % 7 for row in range(700)]
    alphabetical = [sorted(NUMBERED).index(NUMBERED[label]) for label in labels]
    said, warning = numbered(tmp_path, alphabetical, labels).notes
    assert "57.1% of the labels are right" in warning and "100.0% would be" in warning
    assert "alphabetical order, Keras' own" in warning and "class names" in warning
    shifted = numbered(tmp_path, [(label + 1) % 7 for label in labels], labels).notes[1]
    assert "(neutral, angry, disgust, fear, happy, sad, surprise)" in shifted


@pytest.mark.parametrize("seed", range(3))
def test_a_poor_network_is_not_taken_for_one_with_another_order(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 7, 700)
    answers = np.where(random.random(700) < 0.3, labels, random.integers(0, 7, 700))
    assert len(numbered(tmp_path, answers.tolist(), labels.tolist()).notes) == 1


def test_names_need_no_word_on_numbers(tmp_path: Path) -> None:
    assert read(tmp_path, "image,label", *(f"faces/{place}.png,sad" for place in PREDICTED)).notes == ()


@pytest.mark.parametrize(
    ("row", "right"),
    [
        ("0.33,0.33,0.33", True),  # two digits, three classes: 0.015 may be missing
        ("0.34,0.34,0.335", False),  # three digits
        ("0.3,0.3,0.3", True),  # one digit
        ("0.9,0.3,0.3", False),
        ("0,1,1", False),
        ("1,0,0", True),
        ("3.3e-01,3.3e-01,3.3e-01", True),
        ("9.9e-01,3.3e-05,1.0e-06", False),
        ("0.331,0.33,0.33", False),
    ],
)
def test_the_digits_decide_what_probabilities_may_miss_of_one(tmp_path: Path, row: str, right: bool) -> None:
    rows = [f"faces/{place}.png,{row}" for place in PREDICTED]
    if not right:
        with pytest.raises(DataError, match="line 2: expected probabilities that add up to 1"):
            read(tmp_path, "image,angry,happy,sad", *rows)
        return
    found = read(tmp_path, "image,angry,happy,sad", *rows)
    assert found.arrays["test_probabilities"].sum(axis=1) == pytest.approx(1)


def test_a_row_of_few_digits_in_a_file_of_many_is_no_rounding(tmp_path: Path) -> None:
    rows = [f"faces/{place}.png,0.3,0.3,0.3" for place in PREDICTED]
    rows[0] = "faces/4.png,0.25000,0.25001,0.49999"
    with pytest.raises(DataError, match=r"line 3: .* found 0\.9\."):
        read(tmp_path, "image,angry,happy,sad", *rows)


def test_rows_in_place_of_ids_and_classes_in_another_order(tmp_path: Path) -> None:
    found = read(tmp_path, "sad,Row,Angry,happy", *(f"0.7,{place},0.1,0.2" for place in PREDICTED))
    assert found.arrays["test_probabilities"][0] == pytest.approx([0.1, 0.2, 0.7])


def test_the_validation_split_may_be_left_out_as_a_whole(tmp_path: Path) -> None:
    found = read(tmp_path, *probabilities(places=range(6, 9)))
    assert found.splits == ("test",) and set(found.arrays) == {"test_probabilities", "test_labels"}


def test_rounding_is_forgiven_and_put_right(tmp_path: Path) -> None:
    lines = [line.replace("0.2,0.5,0.3", "0.333,0.333,0.333") for line in probabilities()]
    assert read(tmp_path, *lines).arrays["test_probabilities"].sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("faces/5.png", "faces/99.png"), r"line 3: expected an image of the study, such as .*found 'faces/99.png'"),
        (("faces/5.png", "faces/4.png"), r"line 3: expected each image once, found faces/4.png again, first in line 2"),
        (("faces/5.png", "faces/1.png"), r"line 3: expected images of validation and test, found .*which is in train"),
        (("5.png,0.2", "5.png,0.4"), r"line 3: expected probabilities that add up to 1, found 1.2"),
        (("5.png,0.2", "5.png,nan"), r"line 3: expected a probability from 0 to 1, found nan"),
        (("5.png,0.2", "5.png,-0.2"), r"line 3: expected a probability from 0 to 1, found -0.2"),
        (("5.png,0.2", "5.png,inf"), r"line 3: expected a probability from 0 to 1, found inf"),
        (("5.png,0.2", "5.png,much"), r"line 3: expected a probability from 0 to 1, found 'much'"),
        (("5.png,0.2", "5.png,"), r"line 3: expected a probability from 0 to 1, found ''"),
        (("5.png,0.2,0.5", "5.png,0.7"), r"line 3: expected 4 fields as in the first line, found 3"),
        (
            ("angry,", "fury,"),
            r"line 1: expected .* one for each of angry, happy, sad, found 'fury', which is no class",
        ),
        ((",sad", ""), r"line 1: expected .*found none for sad"),
        (("image,", "picture,"), r"line 1: expected one column image \(the id\) or row .* found picture"),
        (("angry,happy", "angry,Angry"), r"line 1: expected different column names"),
        (("faces/5.png", '"faces'), r"expected a csv, found what is none"),
    ],
)
def test_a_wrong_row_is_named_with_what_is_wrong(tmp_path: Path, change: tuple[str, str], reason: str) -> None:
    text = "\n".join(probabilities())
    with pytest.raises(DataError, match=reason):
        read(tmp_path, text.replace(*change, 1))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("8,furious", "a class .angry, happy, sad. or its number from 0, found 'furious'"),
        ("8,3", ".*or its number from 0, found '3'"),
        ("9,sad", "a row from 0 to 8, found '9'"),
        ("-1,sad", "a row from 0 to 8, found '-1'"),
        ("x,sad", "a row from 0 to 8, found 'x'"),
    ],
)
def test_a_wrong_label_or_row_number_is_named(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(DataError, match=f"line 3: expected {reason}"):
        read(tmp_path, "row,label", "6,sad", line)


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        (range(4, 8), r"the 3 test images, 1 are missing, such as faces/8.png. Add these rows\."),
        (
            range(5, 9),
            r"the 2 validation images, 1 are missing, such as faces/4.png.* or leave the validation split out",
        ),
        (range(4, 6), r"the 3 test images, 3 are missing"),
    ],
)
def test_missing_images_are_counted_and_one_is_named(tmp_path: Path, places: range, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        read(tmp_path, *probabilities(places=places))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"image,label\nfaces/4.png,\xff\n", b"\0" * 50])
def test_files_that_are_no_csv_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "predictions.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match="expected"):
        read_predictions(path, DATASET, CLASSES)


def test_a_zero_with_any_exponent_is_a_probability(tmp_path: Path) -> None:
    rows = [line.replace("0.2,0.5", "0e400,0.7") for line in probabilities()]
    assert read(tmp_path, *rows).arrays["test_probabilities"][:, 0].tolist() == [0, 0, 0]


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read \(No such file"):
        read_predictions(tmp_path / "none.csv", DATASET, CLASSES)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_give_predictions_or_one_of_our_errors(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "predictions.csv"
    path.write_bytes(b"image,label\n" + content)
    with pytest.raises(DataError):
        read_predictions(path, DATASET, CLASSES)
