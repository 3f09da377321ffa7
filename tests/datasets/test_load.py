"""The one entry to data."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from study.core.errors import DataError, UsageError
from study.datasets import synthetic
from study.datasets.image_set import ImageSet, make_image_set
from study.datasets.load import load
from tests.datasets.sources import csv_rows, pixels, write_classes, write_csv, write_fer2013_folders, write_image


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Return the settings with which the built-in faces were asked for; none are drawn."""
    asked: list[dict[str, object]] = []

    def make(**settings: object) -> ImageSet:
        asked.append(settings)
        parts = np.zeros((3, 8, 8, 1), np.uint8), np.array([0, 1, 0]), ("cat", "dog"), np.array(["a", "b", "c"])
        return make_image_set("drawn", *parts, np.arange(3, dtype=np.uint8), "The test says so.", drawn=True, bound=0.9)

    monkeypatch.setattr(synthetic, "make", make)
    return asked


def state(root: Path) -> dict[str, tuple[str, int]]:
    """Return content and time of every file below a folder."""
    files = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
    return {str(file): (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns) for file in files}


def check_whole(data: ImageSet) -> None:
    assert data.images.dtype == np.uint8
    assert sum(map(sum, data.counts().values())) == len(data) == len(data.ids)


def test_a_part_of_the_csv_is_used_under_its_own_name_with_the_official_split(tmp_path: Path) -> None:
    data = load(str(write_csv(tmp_path / "fer2013.csv", csv_rows())))
    check_whole(data)
    assert data.name == "fer2013-part"
    assert data.counts() == {"train": [2] * 7, "validation": [2] * 7, "test": [2] * 7}
    assert data.split_source == "The split is given by the csv's Usage column."
    assert any("A part of FER-2013, 42 of 35887 images" in note for note in data.notes)


def test_the_folder_copy_gives_the_official_split_back(tmp_path: Path) -> None:
    data = load(str(write_fer2013_folders(tmp_path / "fer")))
    check_whole(data)
    assert data.counts() == {"train": [2] * 7, "validation": [2] * 7, "test": [2] * 7}
    assert data.split_source == "The split is given by FER-2013's file names."


def test_train_and_test_without_validation_get_a_validation_split_from_train(tmp_path: Path) -> None:
    root = tmp_path / "My Faces"
    write_classes(root / "train", ["cat", "dog"], 40)
    write_classes(root / "test", ["cat", "dog"], 5, first=500)
    data = load(str(root))
    assert data.name == "my-faces"
    assert data.counts() == {"train": [36, 36], "validation": [4, 4], "test": [5, 5]}
    assert "validation is 10% of train" in data.split_source


def test_three_given_splits_are_used_as_they_are(tmp_path: Path) -> None:
    for number, (split, count) in enumerate({"train": 6, "validation": 3, "test": 2}.items()):
        write_classes(tmp_path / "set" / split, ["cat", "dog"], count, first=100 * number)
    data = load(str(tmp_path / "set"))
    assert data.counts() == {"train": [6, 6], "validation": [3, 3], "test": [2, 2]}


def test_class_folders_are_divided(tmp_path: Path) -> None:
    data = load(str(write_classes(tmp_path / "set", ["cat", "dog"], 20)), seed=3)
    assert data.counts() == {"train": [16, 16], "validation": [2, 2], "test": [2, 2]}
    assert "seed 3" in data.split_source


def test_a_second_reading_gives_the_same_ids_and_fingerprint(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "set", ["cat", "dog"], 10)
    one, two = (load(str(root), cache_dir=tmp_path / name) for name in ("one", "two"))
    assert one.fingerprint == two.fingerprint
    assert np.array_equal(one.ids, two.ids)


@pytest.mark.parametrize("data", ["csv", "folders"])
def test_the_users_files_are_never_changed_and_nothing_is_added(tmp_path: Path, data: str) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    source = write_csv(root / "fer2013.csv", csv_rows()) if data == "csv" else write_fer2013_folders(root)
    before = state(root)
    load(str(source))
    load(str(source), recheck=True)
    assert state(root) == before


def test_identical_images_in_two_splits_are_counted_in_a_note(tmp_path: Path) -> None:
    rows = csv_rows()
    rows[-1] = rows[13].replace("Training", "PrivateTest")
    data = load(str(write_csv(tmp_path / "fer2013.csv", rows)))
    assert "Images with an identical copy in another split: 1 test in train." in data.notes


def test_a_class_that_a_split_lacks_is_noted(tmp_path: Path) -> None:
    write_classes(tmp_path / "set" / "train", ["cat", "dog"], 20)
    write_classes(tmp_path / "set" / "test", ["cat"], 5, first=100)
    assert any("test split has no image of dog" in note for note in load(str(tmp_path / "set")).notes)


def test_a_merged_split_that_claims_to_be_fer2013_is_refused(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "set", ["disgust", "happy"], 57, name="PublicTest_{seed}.png", side=8)
    with pytest.raises(DataError, match="expected training images, found only validation"):
        load(str(root))
    write_classes(root, ["disgust", "happy"], 3, first=1000, name="Training_{seed}.png", side=8)
    with pytest.raises(DataError, match="claims to be FER-2013: expected at most 56 disgust images in PublicTest"):
        load(str(root))


@pytest.mark.parametrize("name", ["fer2013", "synthetic"])
def test_a_name_that_means_something_else_is_not_taken(tmp_path: Path, name: str) -> None:
    assert load(str(write_classes(tmp_path / name, ["cat", "dog"], 5))).name == f"{name}-copy"


def test_left_out_images_are_logged_at_every_start(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "set", ["cat", "dog"], 5)
    (root / "cat" / "bad.png").write_text("no image")
    for _ in range(2):
        lines: list[str] = []
        load(str(root), log=lines.append)
        assert lines[0] == f"Dataset: {root} (as given)"
        assert lines[1:] == ["Left out cat/bad.png: not a JPEG, PNG, BMP, WEBP, TIFF image"]


def test_without_data_the_folder_data_is_looked_through(tmp_path: Path) -> None:
    place = tmp_path / "data"
    place.mkdir()
    (place / "README.md").touch()
    write_csv(place / "fer2013.csv", csv_rows())
    lines: list[str] = []
    assert load(None, default_dir=place, log=lines.append).name == "fer2013-part"
    assert lines[0] == f"Dataset: {place / 'fer2013.csv'} (no --data given, found in {place}/)"


def test_without_data_the_first_of_several_is_taken_and_the_others_are_named(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_classes(tmp_path / "data" / name, ["cat", "dog"], 5)
    lines: list[str] = []
    assert load(None, default_dir=tmp_path / "data", log=lines.append).name == "one"
    assert str(tmp_path / "data" / "two") in lines[0]


def test_without_data_a_broken_dataset_is_refused_instead_of_passed_over(tmp_path: Path) -> None:
    write_classes(tmp_path / "data", ["cat"], 5)
    with pytest.raises(DataError, match="at least two classes"):
        load(None, default_dir=tmp_path / "data")


@pytest.mark.parametrize("there", [True, False])
def test_without_data_and_with_nothing_found_the_built_in_faces_are_used(
    tmp_path: Path, made: list[dict[str, object]], there: bool
) -> None:
    place = tmp_path / "data"
    if there:
        place.mkdir()
        (place / "README.md").touch()
    lines: list[str] = []
    load(None, default_dir=place, log=lines.append)
    assert made == [synthetic.DEFAULTS]
    assert lines[0].startswith("Dataset: synthetic, the built-in faces (no --data given")


def test_settings_of_the_built_in_faces_are_passed_on(made: list[dict[str, object]]) -> None:
    load("synthetic:images=2000, difficulty=0.25,label_noise=0,seed=7")
    load("synthetic", synthetic="images=300")
    assert made == [
        {"images": 2000, "difficulty": 0.25, "label_noise": 0.0, "seed": 7},
        {**synthetic.DEFAULTS, "images": 300},
    ]


def test_the_built_in_faces_are_drawn_once(made: list[dict[str, object]]) -> None:
    one, two = load("synthetic"), load("synthetic")
    assert len(made) == 1
    assert one.card() == two.card()
    assert two.drawn
    assert two.bound == 0.9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("image=2000", "unknown setting of synthetic 'image'. Did you mean images"),
        ("images=many", "expected a whole number for images, received 'many'"),
        ("difficulty=", "expected a number for difficulty, received ''"),
        ("seed", "expected a whole number for seed, received ''"),
    ],
)
def test_wrong_settings_of_the_built_in_faces_are_named(settings: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(f"synthetic:{settings}")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_without_permission_is_refused_in_one_line(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "fer2013.csv", csv_rows())
    table.chmod(0)
    with pytest.raises(DataError, match="Permission denied"):
        load(str(table))


def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found a single image"):
        load(str(write_image(tmp_path / "face.png", pixels(0))))
