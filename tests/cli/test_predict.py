"""The verb predict: pictures in; text, JSON, CSV and marked pictures out; one line for what is no picture."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from study.cli import predict as verb
from study.core.errors import UsageError
from tests.faces.people import background, drawn_faces, put_face
from tests.trained.fakes import CLASSES, fake_runtime

NOTICE = "Trained on drawn faces."


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run the verb in a scratch folder with a network that names brightness."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verb, "opened_runtime", lambda *words: fake_runtime(notice=NOTICE))
    return lambda *words, stdin=None: CliRunner().invoke(verb.app, [*map(str, words)], input=stdin)


def party(name: str = "party.png") -> Path:
    picture = background(640, 360).copy()
    put_face(picture, 0, (150, 180), 110)
    put_face(picture, 3, (450, 180), 150)
    cv2.imwrite(name, picture)
    return Path(name)


def nobody(name: str = "wall.jpg") -> Path:
    cv2.imwrite(name, background(400, 300, seed=1))
    return Path(name)


def crop(name: str, brightness: int = 200) -> Path:
    Image.fromarray(np.full((48, 48), brightness, np.uint8)).save(name)
    return Path(name)


def test_every_face_is_named_with_its_box(call: Callable[..., Any]) -> None:
    result = call("--image", party())
    assert result.exit_code == 0, result.output
    notice, head, first, second = result.stdout.splitlines()
    assert notice == NOTICE and head == "party.png: 2 faces"
    assert first.startswith("  1  ") and " at " in second and second.count("%") == 3


def test_top_says_how_many_classes_are_named(call: Callable[..., Any]) -> None:
    assert call("--image", crop("a.png"), "--top", 1).stdout.splitlines()[-1] == "  1  surprise 70.0 %"
    assert call("--image", crop("a.png"), "--top", 20).stdout.splitlines()[-1].count("%") == 7


def test_a_training_sized_crop_is_taken_as_one_face(call: Callable[..., Any]) -> None:
    data = json.loads(call("--json", "--image", crop("a.png", 10)).stdout)
    (image,) = data["images"]
    assert image["whole"] and image["faces"][0]["box"] == {"left": 0, "top": 0, "width": 48, "height": 48}
    assert image["faces"][0]["label"] == "angry"


def test_larger_crops_are_taken_as_faces_when_that_is_said(call: Callable[..., Any]) -> None:
    data = json.loads(call("--json", "--crops", "--image", nobody()).stdout)
    assert [len(image["faces"]) for image in data["images"]] == [1]


def test_no_face_is_said_and_no_error(call: Callable[..., Any]) -> None:
    result = call("--image", nobody())
    assert result.exit_code == 0 and "wall.jpg: no face found" in result.stdout


def test_json_has_the_documented_form(call: Callable[..., Any]) -> None:
    data = json.loads(call("--image", party(), nobody(), "--json").stdout)
    assert list(data) == ["format", "run", "runtime", "classes", "notice", "images"]
    assert (data["format"], data["run"], data["runtime"], data["notice"]) == (1, "fake-key", "onnx", NOTICE)
    assert data["classes"] == list(CLASSES)
    seen, empty = data["images"]
    assert list(seen) == ["image", "width", "height", "whole", "problem", "faces"]
    assert (seen["image"], seen["width"], seen["height"], seen["whole"], seen["problem"]) == (
        "party.png", 640, 360, False, "",
    )  # fmt: skip
    for face in seen["faces"]:
        assert list(face) == ["box", "label", "probabilities"] and list(face["probabilities"]) == list(CLASSES)
        assert all(isinstance(number, int) for number in face["box"].values())
        assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-3)
        assert max(face["probabilities"], key=face["probabilities"].get) == face["label"]
    assert empty["faces"] == [] and empty["problem"] == "no face found"


def test_csv_has_a_row_for_each_face_and_for_pictures_without(call: Callable[..., Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(call("--csv", "--image", party(), nobody()).stdout)))
    assert [(row["image"], row["face"], row["problem"]) for row in rows] == [
        ("party.png", "1", ""), ("party.png", "2", ""), ("wall.jpg", "", "no face found"),
    ]  # fmt: skip
    assert all(None not in row and None not in row.values() and row["notice"] == NOTICE for row in rows)
    assert float(rows[0]["probability"]) == max(float(rows[0][f"p_{name}"]) for name in CLASSES)
    assert int(rows[1]["left"]) > int(rows[0]["left"]) + int(rows[0]["width"])


def test_a_folder_is_looked_through_and_other_files_are_counted(call: Callable[..., Any]) -> None:
    Path("album/more").mkdir(parents=True)
    crop("album/b.png"), crop("album/more/c.JPG"), crop("album/a.bmp")
    Path("album/notes.txt").write_text("notes")
    Path("album/film.mp4").touch()
    Path("album/d.jpg").write_text("broken")
    result = call("--image", "album", "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert result.exit_code == 0
    assert [row["image"] for row in rows] == ["album/a.bmp", "album/b.png", "album/d.jpg", "album/more/c.JPG"]
    assert rows[2]["problem"].startswith("not a JPEG")
    assert result.stderr.splitlines() == [
        "3 faces in 3 pictures", "2 other files skipped", "1 picture could not be read",
    ]  # fmt: skip


def test_standard_input_is_a_picture(call: Callable[..., Any]) -> None:
    data = json.loads(call("--image", "-", "--json", stdin=crop("a.png").read_bytes()).stdout)
    assert data["images"][0]["image"] == "-" and len(data["images"][0]["faces"]) == 1


def test_what_is_no_picture_is_one_line_and_the_others_are_answered(call: Callable[..., Any]) -> None:
    Path("notes.txt").write_text("notes")
    result = call("--image", crop("a.png"), "notes.txt", crop("b.png"))
    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == (
        "--image takes pictures that can be read, got notes.txt: not a JPEG, PNG, BMP, WEBP, TIFF image."
    )
    assert result.stdout.count("taken as one face") == 2 and "notes" not in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which pictures"),
        (["--image", "nowhere.jpg"], "does not exist"),
        (["--image", "empty"], "none in 0 files"),
        (["--image", "notes.txt"], "not a JPEG"),
        (["--image", "-", "-"], "read once"),
        (["--image", "notes.txt", "--json", "--csv"], "one form"),
        (["--image", "notes.txt", "--detector", "nowhere.onnx"], "not a JPEG|is no file"),
    ],
)
def test_slips_are_one_line_before_any_network_is_opened(
    words: list[str], said: str, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "opened_runtime", None)
    Path("empty").mkdir()
    Path("notes.txt").write_text("notes")
    result = call(*words)
    assert isinstance(result.exception, UsageError)
    with pytest.raises(UsageError, match=said):
        raise result.exception


def test_marked_pictures_are_saved_beside_nothing_they_could_overwrite(call: Callable[..., Any]) -> None:
    Path("a").mkdir(), Path("b").mkdir()
    party("party.png"), crop("a/me.png"), crop("b/me.png"), nobody()
    before = Path("party.png").read_bytes()
    result = call("--image", "party.png", "a", "b", "wall.jpg", "--save", ".")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in Path().glob("*-faces*")) == [
        "me-faces-2.png", "me-faces.png", "party-faces.png", "wall-faces.jpg",
    ]  # fmt: skip
    assert Path("party.png").read_bytes() == before
    marked, original = cv2.imread("party-faces.png"), cv2.imread("party.png")
    assert marked.shape == original.shape and (marked != original).any(axis=2).mean() > 0.05
    assert "4 marked pictures in ." in result.stderr


def test_a_file_in_place_of_the_folder_for_marked_pictures_is_refused_at_once(
    call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "opened_runtime", None)
    result = call("--image", crop("a.png"), "--save", "a.png")
    assert result.exit_code == 2 and "'--save'" in result.stderr and "is a file" in result.stderr


def test_many_crops_are_answered_together_and_in_order(call: Callable[..., Any], monkeypatch) -> None:
    asked = []

    def opened(*words: object) -> object:
        runtime = fake_runtime()

        def counted(images: np.ndarray) -> np.ndarray:
            asked.append(len(images))
            return runtime.call(images)

        return fake_runtime(counted)

    monkeypatch.setattr(verb, "opened_runtime", opened)
    Path("album").mkdir()
    brightness = np.random.default_rng(0).integers(0, 256, 150)
    for index, value in enumerate(brightness):
        crop(f"album/{index:03}.png", int(value))
    data = json.loads(call("--image", "album", "--json").stdout)
    named = [image["faces"][0]["label"] for image in data["images"]]
    assert named == [CLASSES[int(value / 256 * 7)] for value in brightness]
    assert asked == [64, 64, 22]


@pytest.mark.parametrize(("save", "asked"), [([], [3]), (["--save", "marked"], [2, 1])])
def test_pictures_that_are_kept_to_be_marked_do_not_fill_the_memory(
    save: list[str], asked: list[int], call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []

    def counted(images: np.ndarray) -> np.ndarray:
        given.append(len(images))
        return fake_runtime().call(images)

    monkeypatch.setattr(verb, "opened_runtime", lambda *words: fake_runtime(counted))
    monkeypatch.setattr("study.faces.prediction.MOST_PIXELS", 2 * 48 * 48)
    assert call("--image", crop("a.png"), crop("b.png"), crop("c.png"), *save).exit_code == 0
    assert given == asked


def test_a_drawn_face_of_the_study_itself_is_answered_as_in_training(call: Callable[..., Any], monkeypatch) -> None:
    given = []

    def note(images: np.ndarray) -> np.ndarray:
        given.append(images.copy())
        return fake_runtime().call(images)

    monkeypatch.setattr(verb, "opened_runtime", lambda *words: fake_runtime(note))
    Image.fromarray(drawn_faces()[2]).save("face.png")
    assert call("--image", "face.png").exit_code == 0
    np.testing.assert_array_equal(given[0][0, ..., 0], drawn_faces()[2])
