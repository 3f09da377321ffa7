"""Reading folders of images."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study.core.errors import DataError
from study.datasets.readers import fer2013
from study.datasets.readers.entry import NO_SPLIT
from tests.datasets.sources import pixels, read, write_classes, write_fer2013_folders, write_image


def test_pixels_labels_and_ids_come_back_as_written(tmp_path: Path) -> None:
    raw = read(write_classes(tmp_path, ["dog", "cat"], count=3))
    assert raw.classes == ("cat", "dog")
    assert raw.ids.tolist() == ["cat/3.png", "cat/4.png", "cat/5.png", "dog/0.png", "dog/1.png", "dog/2.png"]
    assert raw.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert all(np.array_equal(image, pixels(seed)) for image, seed in zip(raw.images, [3, 4, 5, 0, 1, 2], strict=True))
    assert set(raw.given) == {NO_SPLIT}
    assert raw.notes == ()


def test_official_file_names_give_the_official_split(tmp_path: Path) -> None:
    raw = read(write_fer2013_folders(tmp_path))
    assert raw.claims_fer2013
    assert raw.classes == fer2013.CLASSES
    named = [fer2013.split_of_file(str(name).rsplit("/", 1)[1]) for name in raw.ids]
    assert [("train", "validation", "test")[code] for code in raw.given] == named


def test_class_names_that_mean_fer2013s_take_its_order(tmp_path: Path) -> None:
    nouns = ["Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Neutral"]
    raw = read(write_classes(tmp_path, nouns, count=2))
    assert raw.classes == fer2013.CLASSES
    assert raw.ids[raw.labels == 3].tolist() == ["Happiness/6.png", "Happiness/7.png"]


def test_fer2013s_classes_without_its_names_get_a_note(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "test")):
        write_classes(tmp_path / split, fer2013.CLASSES, 1, first=100 * number)
    raw = read(tmp_path)
    assert not raw.claims_fer2013
    assert any("official split cannot be recovered" in note for note in raw.notes)


@pytest.mark.parametrize(
    ("name", "where"), [("PrivateTest_5.png", "train"), ("Training_5.png", "test"), ("PrivateTest_5.png", "val")]
)
def test_names_that_contradict_the_folders_are_refused_as_a_wrong_split(tmp_path: Path, name: str, where: str) -> None:
    write_fer2013_folders(tmp_path)
    for label in fer2013.CLASSES if where == "val" else ["sad"]:
        write_image(tmp_path / where / label / name, pixels(5))
    with pytest.raises(DataError, match=f"found {where}/.*{name}, which its name puts into .*swapped or merged split"):
        read(tmp_path)


def test_an_official_file_in_two_places_is_refused(tmp_path: Path) -> None:
    write_fer2013_folders(tmp_path)
    write_image(tmp_path / "train" / "sad" / "Training_0.png", pixels(0))
    with pytest.raises(DataError, match="found train/angry/Training_0.png and train/sad/Training_0.png"):
        read(tmp_path)


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "png", "bmp", "webp", "tif", "TIFF"])
def test_every_format_is_read(tmp_path: Path, suffix: str) -> None:
    for name in ("cat", "dog"):
        write_image(tmp_path / name / f"0.{suffix}", pixels(0), quality=95, lossless=True)
    raw = read(tmp_path)
    assert raw.images.shape == (2, 48, 48, 1)
    assert np.abs(raw.images[0].astype(int) - pixels(0)).mean() < 5
    assert raw.left_out == ()


def test_colour_and_side_follow_the_data(tmp_path: Path) -> None:
    raw = read(write_classes(tmp_path, ["cat", "dog"], side=20, channels=3))
    assert raw.images.shape == (8, 20, 20, 3)
    assert np.array_equal(raw.images[0], pixels(0, 20, 3))


def test_colour_files_that_hold_grey_become_grey(tmp_path: Path) -> None:
    for seed in range(8):
        write_image(tmp_path / "ab"[seed % 2] / f"{seed}.png", np.repeat(pixels(seed), 3, axis=-1))
    raw = read(tmp_path)
    assert raw.images.shape == (8, 48, 48, 1)
    assert np.array_equal(raw.images[0], pixels(0))


def test_one_colour_image_late_among_grey_ones_makes_the_set_colour(tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat", "dog"])
    write_image(tmp_path / "dog" / "z.png", pixels(99, channels=3))
    raw = read(tmp_path)
    assert raw.images.shape == (9, 48, 48, 3)
    assert np.array_equal(raw.images[8], pixels(99, channels=3))
    assert np.array_equal(raw.images[0], np.repeat(pixels(0), 3, axis=-1))


def test_mixed_sizes_take_the_most_common_shorter_edge_and_say_so(tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat", "dog"], side=32)
    write_image(tmp_path / "cat" / "0.png", np.full((100, 60, 1), 7, np.uint8))
    raw = read(tmp_path)
    assert raw.images.shape == (8, 32, 32, 1)
    assert (raw.images[0] == 7).all()
    assert any("Images of 2 sizes (32x32 to 60x100) were resized to 32x32" in note for note in raw.notes)


def test_the_side_is_capped(tmp_path: Path) -> None:
    assert read(write_classes(tmp_path, ["cat", "dog"], count=1, side=300)).images.shape == (2, 224, 224, 1)


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    image = np.zeros((20, 20, 1), np.uint8)
    image[:10] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    write_image(tmp_path / "cat" / "0.png", image, exif=exif)
    write_image(tmp_path / "dog" / "0.png", image)
    raw = read(tmp_path)
    assert raw.images[0, 0, 0, 0] == 0
    assert raw.images[1, 0, 0, 0] == 255


def spoil(path: Path, how: str) -> None:
    if how == "text":
        path.write_text("no image")
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:300])
    elif how == "other format":
        Image.new("L", (48, 48)).save(path, format="GIF")
    elif how == "16 bit":
        Image.new("I;16", (48, 48)).save(path, format="PNG")
    elif how == "dangling link":
        path.unlink()
        path.symlink_to(path.with_name("nowhere.png"))
    else:
        side = int(how.split()[0])
        header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        data = b"IDAT" + zlib.compress(bytes(1000))
        chunks = (
            struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (header, data)
        )
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("text", "not a JPEG, PNG, BMP, WEBP, TIFF image"),
        ("empty", "not a JPEG, PNG, BMP, WEBP, TIFF image"),
        ("truncated", ""),
        ("other format", "not a JPEG, PNG, BMP, WEBP, TIFF image"),
        ("16 bit", "more than 8 bits per channel"),
        ("dangling link", "No such file or directory"),
        ("5000 pixels square", "5000x5000 is more than"),
        ("10000 pixels square", "far too many pixels"),
        ("20000 pixels square", "far too many pixels"),
    ],
)
@pytest.mark.parametrize("file", ["cat/0.png", "dog/5.png"])
def test_an_unreadable_image_is_listed_and_left_out(tmp_path: Path, how: str, reason: str, file: str) -> None:
    write_classes(tmp_path, ["cat", "dog"])
    spoil(tmp_path / file, how)
    raw = read(tmp_path)
    assert len(raw.images) == 7
    assert file not in raw.ids
    assert all(
        np.array_equal(image, pixels(int(str(name)[4]))) for image, name in zip(raw.images, raw.ids, strict=True)
    )
    assert len(raw.left_out) == 1
    assert raw.left_out[0].startswith(f"{file}: ")
    assert reason in raw.left_out[0]
    assert str(tmp_path) not in raw.left_out[0]
    assert any(f"1 of 8 files cannot be read, left out: {file}" in note for note in raw.notes)


def test_many_unreadable_images_are_counted_in_the_note_and_listed_in_full(tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat", "dog"], count=10)
    for seed in range(1, 9):
        spoil(tmp_path / "cat" / f"{seed}.png", "text")
    raw = read(tmp_path)
    assert len(raw.left_out) == 8
    assert any("8 of 20 files" in note and note.endswith("and 3 more.") for note in raw.notes)


def test_a_class_of_unreadable_images_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat", "dog"], count=1)
    spoil(tmp_path / "dog" / "1.png", "text")
    with pytest.raises(DataError, match="expected images of class dog, found none that can be read"):
        read(tmp_path)


def test_a_folder_of_unreadable_images_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat", "dog"], count=1)
    for file in ("cat/0.png", "dog/1.png"):
        spoil(tmp_path / file, "text")
    with pytest.raises(DataError, match="none of 2 image files can be read; cat/0.png: not a JPEG"):
        read(tmp_path)


def test_files_that_are_no_images_by_name_are_counted_in_a_note(tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat", "dog"])
    (tmp_path / "cat" / "landmarks.txt").touch()
    assert any(
        "1 other files or folders are left out, such as cat/landmarks.txt" in note for note in read(tmp_path).notes
    )
