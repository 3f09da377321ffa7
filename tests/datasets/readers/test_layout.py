"""Finding out what a path holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from study.core.errors import DataError
from study.datasets.readers.layout import find, find_all
from tests.datasets.sources import HEADER, pixels, write_classes, write_csv, write_image


def splits_of(root: Path) -> dict[str, str | None]:
    source = find(root)
    splits = [split for _, split in source.plan]
    return {path.rsplit("/", 1)[0]: split for path, split in zip(source.files, splits, strict=True)}


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
    assert find(tmp_path).place.path == tmp_path / "archive" / "images"


def test_a_known_csv_is_found_in_a_folder_beside_others(tmp_path: Path) -> None:
    for name in ("train.csv", "test.csv", "icml_face_data.csv"):
        write_csv(tmp_path / name, [])
    assert find(tmp_path).place.path == tmp_path / "icml_face_data.csv"


LITTER = (".DS_Store", "cat/Thumbs.db", "cat/.hidden.png", "cat/._0.png", "__MACOSX/cat/._0.png", "desktop.ini")
LITTER += ("System Volume Information/IndexerVolumeGuid", "cat/@eaDir/0.png/thumb.png", "$RECYCLE.BIN/a/0.png")


def test_hidden_files_and_what_systems_leave_behind_are_passed_over(tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat", "dog"])
    for name in LITTER:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    source = find(tmp_path)
    assert [path.split("/")[0] for path in source.files] == ["cat"] * 4 + ["dog"] * 4
    assert source.others == ()


def test_files_without_a_suffix_are_images_by_their_content(tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat", "dog"])
    for path in tmp_path.rglob("*.png"):
        path.rename(path.with_suffix(""))
    (tmp_path / "cat" / "LICENSE").write_text("no image")
    (tmp_path / "dog" / "clip").write_bytes(b"RIFF1234AVI LIST")
    source = find(tmp_path)
    assert len(source.files) == 8 and source.others == ("cat/LICENSE", "dog/clip")


def test_a_csv_without_pixels_is_passed_over_where_there_are_images(tmp_path: Path) -> None:
    write_classes(tmp_path / "DATASET" / "train", ["1", "2"])
    write_csv(tmp_path / "labels.csv", ["a.png,4", "b.png,5"], "image,label")
    write_csv(tmp_path / "DATASET" / "sizes.csv", ["1,2"], "width,height")
    assert find(tmp_path).place.path == tmp_path / "DATASET"


@pytest.mark.parametrize("name", ["fer2013.csv", "train.csv", "faces.zip", "faces.tar", "0", "labels.txt"])
@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_a_pipe_or_a_device_beside_images_ends_nothing(tmp_path: Path, name: str, kind: str) -> None:
    write_classes(tmp_path / "set", ["cat", "dog"])
    for folder in ("", "set/cat/"):
        if kind == "pipe":
            os.mkfifo(tmp_path / f"{folder}{name}")
        else:
            (tmp_path / f"{folder}{name}").symlink_to("/dev/zero")
    assert find(tmp_path).place.path == tmp_path / "set"
    with pytest.raises(DataError, match="found a device or a pipe"):
        find(tmp_path / name)


def test_nothing_to_read_is_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    assert find_all(tmp_path) == []


def refused(path: Path, match: str) -> None:
    with pytest.raises(DataError, match=match) as error:
        find(path)
    assert "\n" not in str(error.value)


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "nowhere: expected a dataset .*found nothing there")


def test_what_is_there_is_named_where_a_path_leads_nowhere(tmp_path: Path) -> None:
    write_classes(tmp_path / "faces", ["cat"])
    refused(tmp_path / "faces" / "dog", "found nothing there; .*faces holds 1 folder .cat.")
    (tmp_path / "notes.txt").write_text("one, two\n")
    refused(tmp_path / "notes.txt", "found a table with the columns one, two")
    refused(tmp_path / "faces" / "cat", "found 4 images without class folders, such as 0.png: sort them")


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, "found an empty folder")
    for number in range(5):
        (tmp_path / f"{number}.gif").touch()
    (tmp_path / "a.csv").write_text("width,height\n")
    refused(tmp_path, r"found 6 files \(0.gif, 1.gif, 2.gif, ...\); a.csv: width, height")


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
        write_csv(tmp_path / name, [], HEADER)
    found = find(tmp_path)
    assert (found.place.path, found.files) == (tmp_path, ("train.csv", "test.csv"))
    assert find(tmp_path / "train.csv").files == ("",)


def test_an_archive_is_a_dataset_like_a_csv(tmp_path: Path) -> None:
    (tmp_path / "faces.tar.xz").touch()
    assert find(tmp_path).reader == find(tmp_path / "faces.tar.xz").reader == ""
    assert find(tmp_path / "faces.tar.xz" / "a" / "b").plan == "a/b"
    (tmp_path / "other.zip").touch()
    with pytest.raises(DataError, match="expected one dataset, found 2"):
        find(tmp_path)
