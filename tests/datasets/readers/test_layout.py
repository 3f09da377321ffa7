"""Finding out what a path holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.core.errors import DataError
from study.datasets.readers.layout import find, find_all
from tests.datasets.sources import pixels, write_classes, write_image


def splits_of(root: Path) -> dict[str, str | None]:
    return {folder.folder: folder.split for folder in find(root).folders}


def test_class_folders_have_no_split(tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat", "dog"])
    assert splits_of(tmp_path) == {"cat": None, "dog": None}


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "Validation", "PublicTest"])
def test_split_folders_are_known_by_their_usual_names(tmp_path: Path, validation: str) -> None:
    for name in ("train", validation, "test"):
        write_classes(tmp_path / name, ["cat", "dog"])
    assert splits_of(tmp_path) == {
        "train/cat": "train",
        "train/dog": "train",
        f"{validation}/cat": "validation",
        f"{validation}/dog": "validation",
        "test/cat": "test",
        "test/dog": "test",
    }


def test_a_wrapping_folder_is_looked_into(tmp_path: Path) -> None:
    write_classes(tmp_path / "archive" / "images", ["cat", "dog"])
    assert find(tmp_path).path == tmp_path / "archive" / "images"


def test_a_known_csv_is_found_in_a_folder_beside_others(tmp_path: Path) -> None:
    for name in ("train.csv", "test.csv", "icml_face_data.csv"):
        (tmp_path / name).touch()
    assert find(tmp_path).path == tmp_path / "icml_face_data.csv"


def test_hidden_files_and_what_systems_leave_behind_are_overlooked(tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat", "dog"])
    for name in (".DS_Store", "cat/Thumbs.db", "cat/.hidden.png", "__MACOSX/cat/._0.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [(folder.folder, len(folder.files), folder.others) for folder in find(tmp_path).folders] == [
        ("cat", 4, ()),
        ("dog", 4, ()),
    ]


def test_nothing_to_read_is_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    assert find_all(tmp_path) == []


def refused(path: Path, match: str) -> None:
    with pytest.raises(DataError, match=match) as error:
        find(path)
    assert "\n" not in str(error.value)


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "nowhere: expected fer2013.csv, .*found nothing there")


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, "found no csv and no images")


def test_images_without_class_folders_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", pixels(0))
    refused(tmp_path, "found 1 images without class folders, such as a.png")


def test_an_empty_class_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat", "dog"])
    (tmp_path / "emu").mkdir()
    refused(tmp_path, "emu: expected images of class emu .* found an empty folder")


def test_an_empty_class_in_one_split_is_refused(tmp_path: Path) -> None:
    for name in ("train", "test"):
        write_classes(tmp_path / name, ["cat", "dog"])
    for file in (tmp_path / "test" / "dog").iterdir():
        file.unlink()
    refused(tmp_path, "test/dog: expected images of class dog .* found an empty folder")


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat"])
    refused(tmp_path, "expected at least two classes, found only cat")


def test_a_test_split_without_train_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path / "test", ["cat", "dog"])
    refused(tmp_path, "expected a folder train beside the other splits, found test")


def test_two_folders_for_one_split_are_refused(tmp_path: Path) -> None:
    for name in ("train", "val", "validation"):
        write_classes(tmp_path / name, ["cat", "dog"])
    refused(tmp_path, "one folder for the validation split, found val and validation")


def test_a_folder_that_is_no_split_beside_splits_is_refused(tmp_path: Path) -> None:
    for name in ("train", "test", "holdout"):
        write_classes(tmp_path / name, ["cat", "dog"])
    refused(tmp_path, "expected only split folders .* found holdout")


def test_a_class_that_train_does_not_have_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", ["cat", "dog"])
    write_classes(tmp_path / "test", ["cat", "emu"])
    refused(tmp_path, r"test/emu: expected a class of train \(cat, dog\), found emu")


def test_two_datasets_in_one_folder_are_refused_by_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_classes(tmp_path / name, ["cat", "dog"])
    refused(tmp_path, "expected one dataset, found 2: .*one, .*two")


def test_train_and_test_csv_belong_together(tmp_path: Path) -> None:
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).touch()
    found = find(tmp_path)
    assert (found.path, found.test) == (tmp_path / "train.csv", tmp_path / "test.csv")
    assert find(tmp_path / "train.csv").test is None


def test_an_archive_is_a_dataset_like_a_csv(tmp_path: Path) -> None:
    (tmp_path / "faces.tar.xz").touch()
    assert find(tmp_path).packed and find(tmp_path / "faces.tar.xz").packed
    (tmp_path / "other.zip").touch()
    with pytest.raises(DataError, match="expected one dataset, found 2"):
        find(tmp_path)
