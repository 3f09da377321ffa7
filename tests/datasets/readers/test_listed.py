"""Reading images with a list of labels."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from study.core.errors import DataError
from study.datasets.readers import fer2013
from study.datasets.readers.entry import NO_SPLIT
from study.datasets.readers.layout import find
from tests.datasets.sources import pixels, read, write_classes, write_csv, write_image


def write_loose(folder: Path, count: int = 8, first: int = 0, name: str = "{}.png") -> list[str]:
    """Write images side by side and return their names."""
    names = [name.format(seed) for seed in range(first, first + count)]
    for seed, one in enumerate(names, start=first):
        write_image(folder / one, pixels(seed, 16))
    return names


def rows(names: list[str], labels: tuple[str, ...] = ("cat", "dog")) -> list[str]:
    return [f"{name},{labels[place % len(labels)]}" for place, name in enumerate(names)]


def test_a_csv_of_paths_and_labels_gives_the_classes(tmp_path: Path) -> None:
    write_csv(tmp_path / "labels.csv", rows(write_loose(tmp_path / "images")), "image,label")
    raw = read(tmp_path)
    assert raw.classes == ("cat", "dog") and raw.labels.tolist() == [0, 1] * 4
    assert raw.ids[0] == "images/0.png" and np.array_equal(raw.images[3], pixels(3, 16))
    assert set(raw.given.tolist()) == {NO_SPLIT} and raw.notes == ()
    assert read(tmp_path / "labels.csv").ids.tolist() == raw.ids.tolist()


@pytest.mark.parametrize("header", ["Image,Emotion", "pth,label", "filename,class", "path,expression", "x,label,file"])
def test_columns_are_known_by_their_usual_names(tmp_path: Path, header: str) -> None:
    lines = rows(write_loose(tmp_path / "images"))
    if header.startswith("x"):
        lines = [",".join(["0", *reversed(line.split(","))]) for line in lines]
    write_csv(tmp_path / "all.csv", lines, header)
    assert read(tmp_path).labels.tolist() == [0, 1] * 4


@pytest.mark.parametrize("form", ["/kaggle/input/set/images/{}", "images\\{}", "./images/{}", "{}", "set/images/{}"])
def test_paths_may_start_anywhere(tmp_path: Path, form: str) -> None:
    names = write_loose(tmp_path / "set" / "images")
    write_loose(tmp_path / "set" / "masks", first=50, name="{}_mask.png")
    write_csv(tmp_path / "set" / "labels.csv", rows([form.format(name) for name in names]), "path,label")
    raw = read(tmp_path)
    assert [str(one).rsplit("/", 1)[1] for one in raw.ids] == names
    assert "8 images are in no list and left out, such as masks/50_mask.png." in raw.notes


def test_one_name_in_two_folders_is_told_by_the_folder_or_refused(tmp_path: Path) -> None:
    for place, folder in enumerate(("a", "b")):
        write_loose(tmp_path / "images" / folder, 4, first=0 if place else 20, name="{}.png")
        for seed, path in enumerate(sorted((tmp_path / "images" / folder).iterdir())):
            path.rename(path.with_name(f"{seed}.jpg"))
    write_csv(tmp_path / "labels.csv", rows([f"{f}/{n}.jpg" for f in "ab" for n in range(4)]), "image,label")
    raw = read(tmp_path)
    assert raw.ids[0] == "images/a/0.jpg" and len(raw.ids) == 8 and np.array_equal(raw.images[4], pixels(0, 16))
    write_csv(tmp_path / "labels.csv", rows([f"{n}.jpg" for n in range(4)]), "image,label")
    with pytest.raises(DataError, match="row 1: .* found '0.jpg', which may be images/[ab]/0.jpg or images"):
        read(tmp_path)


def test_the_split_is_in_a_column(tmp_path: Path) -> None:
    lines = [
        f"{line},{'train' if place < 6 else 'TEST'}" for place, line in enumerate(rows(write_loose(tmp_path / "i")))
    ]
    write_csv(tmp_path / "labels.csv", lines, "image,label,split")
    raw = read(tmp_path)
    assert raw.given.tolist() == [0] * 6 + [2] * 2 and raw.given_by == "its own list"
    write_csv(tmp_path / "labels.csv", [*lines[:-1], "7.png,dog,holdout"], "image,label,split")
    with pytest.raises(DataError, match="row 8: expected train, val or test as split, found 'holdout'"):
        read(tmp_path)


def test_the_split_is_in_the_names_of_the_lists(tmp_path: Path) -> None:
    for split, first, count in (("train", 0, 8), ("test", 20, 4)):
        write_csv(tmp_path / f"{split}_labels.csv", rows(write_loose(tmp_path / split, count, first)), "image,label")
    raw = read(tmp_path)
    assert sorted(raw.given.tolist()) == [0] * 8 + [2] * 4 and raw.given_by == "its own lists"
    assert read(tmp_path / "train_labels.csv").given.tolist() == [0] * 8


def test_the_split_is_in_the_folders_of_the_images(tmp_path: Path) -> None:
    names = [
        f"{split}/{one}"
        for split, first in (("train", 0), ("val", 20))
        for one in write_loose(tmp_path / split, 4, first)
    ]
    write_csv(tmp_path / "labels.csv", rows(names), "image,label")
    raw = read(tmp_path)
    assert raw.given.tolist() == [0] * 4 + [1] * 4 and raw.given_by == "the names of folders or files"
    write_csv(tmp_path / "labels.csv", rows([*names, *write_loose(tmp_path / "more", 2, 50)]), "image,label")
    with pytest.raises(DataError, match="all with a split or none, found 2 of 10 without"):
        read(tmp_path)


def test_two_lists_that_say_no_split_are_refused_by_name(tmp_path: Path) -> None:
    names = write_loose(tmp_path / "images")
    for place, name in enumerate(("first", "second")):
        write_csv(tmp_path / f"{name}.csv", rows(names[place::2]), "image,label")
    with pytest.raises(DataError, match="expected one list of images, .* found first.csv, second.csv"):
        read(tmp_path)
    assert len(read(tmp_path / "first.csv").ids) == 4


def test_an_image_in_two_splits_is_refused_and_one_with_two_classes_left_out(tmp_path: Path) -> None:
    names = write_loose(tmp_path / "images")
    write_csv(tmp_path / "train.csv", rows([*names, "0.png", "1.png"]) + ["2.png,dog"], "image,label")
    raw = read(tmp_path)
    assert "images/2.png" not in raw.ids and len(raw.ids) == 7
    assert "1 images are listed with two classes and left out, such as images/2.png." in raw.notes
    write_csv(tmp_path / "test.csv", rows(names[:2]), "image,label")
    with pytest.raises(DataError, match="expected each image in one split, found images/0.png in two"):
        read(tmp_path)


def test_missing_images_are_counted_and_unreadable_ones_left_out(tmp_path: Path) -> None:
    names = write_loose(tmp_path / "images")
    (tmp_path / "images" / "0.png").write_text("no image")
    write_csv(tmp_path / "labels.csv", rows([*names, "gone.png", "lost.png"]), "image,label")
    raw = read(tmp_path)
    assert len(raw.ids) == 7 and raw.left_out[0].startswith("images/0.png: not a")
    assert "2 listed images are not there, such as gone.png." in raw.notes


def test_where_folders_say_the_same_as_the_list_they_are_read(tmp_path: Path) -> None:
    """Kaggle's RAF-DB: DATASET/train/1/*.jpg beside train_labels.csv."""
    for place, split in enumerate(("train", "test")):
        write_classes(tmp_path / "DATASET" / split, list("1234567"), 2, first=100 * place, side=16)
        lines = [f"{file.name},{file.parent.name}" for file in sorted((tmp_path / "DATASET" / split).rglob("*.png"))]
        write_csv(tmp_path / f"{split}_labels.csv", lines, "image,label")
    source = find(tmp_path)
    assert (source.reader, source.place.path) == ("folders", tmp_path / "DATASET")
    raw = read(tmp_path)
    assert raw.classes == tuple("1234567") and "RAF-DB: 1 surprise, 2 fear" in raw.notes[0]


def test_where_the_list_says_something_else_than_the_folders_it_is_read(tmp_path: Path) -> None:
    """Folders called like classes, and a csv with better labels."""
    write_classes(tmp_path, ["cat", "dog"], 4, side=16)
    paths = sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.png"))
    write_csv(tmp_path / "labels.csv", [f"{path},{'dog' if '0' in path else path[:3]}" for path in paths], "pth,label")
    assert find(tmp_path).reader == "listed"
    assert read(tmp_path).labels.tolist() == [1, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("faces", ["aligned", "original", "both"])
def test_raf_db_as_its_authors_give_it(tmp_path: Path, faces: str) -> None:
    names = [f"{split}_{number:05d}" for split in ("train", "test") for number in range(1, 15)]
    for seed, name in enumerate(names):
        if faces != "original":
            write_image(tmp_path / "Image" / "aligned" / f"{name}_aligned.jpg", pixels(seed, 16, 3))
        if faces != "aligned":
            write_image(tmp_path / "Image" / "original" / f"{name}.jpg", pixels(seed, 40, 3))
    (tmp_path / "EmoLabel").mkdir()
    lines = [f"{name}.jpg {place % 7 + 1}" for place, name in enumerate(names)]
    (tmp_path / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(lines) + "\n")
    raw = read(tmp_path)
    assert raw.classes == fer2013.CLASSES
    assert sorted(raw.given.tolist()) == [0] * 14 + [2] * 14
    one = raw.ids.tolist().index(next(name for name in raw.ids if "train_00006" in name))
    assert raw.classes[raw.labels[one]] == "angry"
    assert raw.images.shape == (28, 40 if faces == "original" else 16, 40 if faces == "original" else 16, 3)


def test_affectnet_as_its_authors_give_it(tmp_path: Path) -> None:
    paths = [
        f"{folder}/{name}"
        for folder, first in (("103", 0), ("7", 40))
        for name in write_loose(tmp_path / "Manually_Annotated_Images" / folder, 20, first, "face{}.jpg")
    ]
    header = "subDirectory_filePath,face_x,expression,valence"
    lines = [f"{path},0,{place % 11},0.5" for place, path in enumerate(paths)]
    write_csv(tmp_path / "training.csv", lines[:30], header)
    write_csv(tmp_path / "validation.csv", lines[30:], header)
    raw = read(tmp_path)
    assert raw.classes == ("angry", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    assert raw.classes[raw.labels[raw.ids.tolist().index(f"Manually_Annotated_Images/{paths[1]}")]] == "happy"
    assert len(raw.ids) == sum(place % 11 < 8 for place in range(40))
    assert set(raw.given.tolist()) == {0, 1}


def test_lines_of_name_and_label_need_no_names_of_columns(tmp_path: Path) -> None:
    names = write_loose(tmp_path / "images")
    (tmp_path / "labels.txt").write_text("\n".join(f"{name} {place % 2}" for place, name in enumerate(names)))
    raw = read(tmp_path)
    assert raw.classes == ("0", "1") and raw.labels.tolist() == [0, 1] * 4
    (tmp_path / "labels.txt").unlink()
    write_csv(tmp_path / "labels.csv", rows(names)[1:], rows(names)[0])
    assert read(tmp_path).classes == ("cat", "dog")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_lists_of_other_encodings_are_read_alike(tmp_path: Path, encoding: str) -> None:
    text = "\n".join(["image\tlabel", *rows(write_loose(tmp_path / "images"), ("ärger", "freude"))]).replace(",", "\t")
    (tmp_path / "labels.csv").write_bytes(text.encode(encoding))
    assert read(tmp_path).classes == ("freude", "ärger")


@pytest.mark.parametrize(("label", "found"), [("", "none"), ("n" * 70, "'nnn"), ("a\x1b[2J", r"'a\\x1b\[2J'")])
def test_a_label_that_is_no_name_is_refused_by_its_row(tmp_path: Path, label: str, found: str) -> None:
    write_csv(tmp_path / "labels.csv", [*rows(write_loose(tmp_path / "images")), f"0.png,{label}"], "image,label")
    with pytest.raises(DataError, match=f"row 9: expected a number or a name as class, found {found}"):
        read(tmp_path)


def test_a_list_in_a_dataset_of_its_own_is_not_taken_for_the_folders_beside_it(tmp_path: Path) -> None:
    for name in ("one", "two"):
        names = write_loose(tmp_path / name / "images")
        write_csv(tmp_path / name / "labels.csv", rows(names), "image,label")
    with pytest.raises(DataError, match="expected one dataset, found 2: .*one, .*two"):
        find(tmp_path)
    assert len(read(tmp_path / "two").ids) == 8


def test_kaggles_raf_db_in_an_archive_is_found_beside_its_lists(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "rafdb.zip", "w") as archive:
        for seed, (split, label) in enumerate((s, n) for s in ("train", "test") for n in "12" for _ in range(12)):
            write_image(tmp_path / "image.png", pixels(seed, 16))
            archive.write(tmp_path / "image.png", f"DATASET/{split}/{label}/{seed}.png")
        archive.writestr("train_labels.csv", "image,label\n0.png,1\n12.png,2\n")
    from study.datasets.load import load

    whole = load(str(tmp_path / "rafdb.zip"), cache_dir=tmp_path / "cache")
    part = load(str(tmp_path / "rafdb.zip" / "DATASET"), cache_dir=tmp_path / "cache")
    assert whole.fingerprint == part.fingerprint and (whole.name, part.name) == ("rafdb", "rafdb-dataset")


@pytest.mark.parametrize(
    "text", ["image,label,label\n0.png,a,b\n", "image,label\n0.png\n", "image,label\n0.png,\n", "x y\n"]
)
def test_a_csv_that_is_no_list_beside_class_folders_is_passed_over(tmp_path: Path, text: str) -> None:
    write_classes(tmp_path, ["cat", "dog"], 4, side=16)
    (tmp_path / "notes.csv").write_text(text)
    assert find(tmp_path).reader == "folders"
