"""The verb predict: pictures in; text, JSON, CSV and marked pictures out; one line for what is no picture."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
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
ROOT = Path(__file__).parents[2]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run the verb in a scratch folder with a network that names brightness."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verb, "opened_runtime", lambda *words: fake_runtime(notice=NOTICE))
    return lambda *words, stdin=None: CliRunner().invoke(verb.app, [*map(str, words)], input=stdin)


#: A real process with a network that needs no study.
CHILD = """
from study.cli import predict
from study.cli.app import run_app
from tests.trained.fakes import fake_runtime
predict.opened_runtime = lambda *words: fake_runtime(notice="=Trained on drawn faces.")
run_app(predict.app, "study predict")
"""


def child(*words: object, stdout: Any = subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the verb in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )


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
    assert list(data) == ["format", "run", "network", "runtime", "classes", "notice", "unsure_below", "images"]
    assert (data["format"], data["run"], data["runtime"], data["notice"]) == (1, "fake-key", "onnx", NOTICE)
    assert data["classes"] == list(CLASSES)
    seen, empty = data["images"]
    assert list(seen) == ["image", "width", "height", "whole", "problem", "faces"]
    assert (seen["image"], seen["width"], seen["height"], seen["whole"], seen["problem"]) == (
        "party.png", 640, 360, False, "",
    )  # fmt: skip
    for face in seen["faces"]:
        assert list(face) == ["box", "score", "label", "unsure", "probabilities"]
        assert list(face["probabilities"]) == list(CLASSES) and 0.5 <= face["score"] <= 1 and not face["unsure"]
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
    assert 0.5 <= float(rows[0]["score"]) <= 1 and rows[0]["unsure"] == "no" and rows[2]["score"] == ""
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
        "--image takes pictures that can be read, got notes.txt: not a JPEG, PNG, BMP, WEBP, GIF, TIFF image."
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
        (["--image", "notes.txt", "--detector", "nowhere.onnx"], "not a JPEG"),
        (["--image", "a.png", "--detector", "nowhere.onnx"], "blazeface, haar or YuNet's model"),
        (["--image", "a.png", "--bars"], "give --save"),
        (["--image", "n" * 300], "does not exist"),
    ],
)
def test_slips_are_one_line_before_any_network_is_opened(
    words: list[str], said: str, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "opened_runtime", None)
    Path("empty").mkdir()
    crop("a.png")
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


def test_answers_below_the_threshold_are_unsure_in_every_form(call: Callable[..., Any], monkeypatch) -> None:
    monkeypatch.setattr(verb, "opened_runtime", lambda *words: fake_runtime(unsure_below=0.75))
    assert "  1  unsure: surprise 70.0 %" in call("--image", crop("a.png")).stdout
    data = json.loads(call("--image", "a.png", "--json").stdout)
    assert data["unsure_below"] == 0.75
    face = data["images"][0]["faces"][0]
    assert face["unsure"] and face["label"] == "surprise"
    (row,) = csv.DictReader(io.StringIO(call("--image", "a.png", "--csv").stdout))
    assert (row["label"], row["unsure"]) == ("surprise", "yes")


def test_landmarks_are_listed_and_drawn_where_they_are_asked_for(call: Callable[..., Any]) -> None:
    party("party.png")
    with_them = json.loads(call("--image", "party.png", "--json", "--landmarks", "--save", "with").stdout)
    call("--image", "party.png", "--save", "without")
    for face in with_them["images"][0]["faces"]:
        points, box = np.array(face["landmarks"]), face["box"]
        assert points.shape == (468, 2)
        centre = [box["left"] + box["width"] / 2, box["top"] + box["height"] / 2]
        assert points.mean(axis=0) == pytest.approx(centre, abs=0.2 * box["width"])
    marked, plain = (cv2.imread(f"{folder}/party-faces.png") for folder in ("with", "without"))
    assert 0.001 < (marked != plain).any(axis=2).mean() < 0.1


def test_bars_are_drawn_only_on_request(call: Callable[..., Any]) -> None:
    party("party.png")
    call("--image", "party.png", "--save", "plain")
    call("--image", "party.png", "--save", "bars", "--bars")
    plain, bars = (cv2.imread(f"{folder}/party-faces.png") for folder in ("plain", "bars"))
    assert (plain != bars).any(axis=2).mean() > 0.05


def test_the_detector_and_its_score_can_be_chosen(call: Callable[..., Any]) -> None:
    party("party.png")
    scores = {}
    for words in ((), ("--detector", "blazeface"), ("--detector", "haar"), ("--face-score", "0.99")):
        faces = json.loads(call("--image", "party.png", "--json", *words).stdout)["images"][0]["faces"]
        scores[words] = [face["score"] for face in faces]
    assert scores[()] == scores[("--detector", "blazeface")] and len(scores[()]) == 2
    assert len(scores[("--detector", "haar")]) == 2 and min(scores[("--detector", "haar")]) > 10
    assert scores[("--face-score", "0.99")] == []


@pytest.mark.parametrize("ending", [".gif", ".tif"])
def test_more_formats_are_read_and_found_in_folders(ending: str, call: Callable[..., Any]) -> None:
    Path("album").mkdir()
    crop(f"album/a{ending}", 10)
    assert "1  angry" in call("--image", "album").stdout


def test_notes_that_macos_leaves_are_passed_over(call: Callable[..., Any]) -> None:
    Path("album").mkdir()
    crop("album/one.png")
    Path("album/._one.png").write_bytes(b"\0\x05\x16\x07" + bytes(80))
    result = call("--image", "album")
    assert result.exit_code == 0 and "skipped" not in result.stderr and "could not be read" not in result.stderr


def test_a_name_as_long_as_file_systems_take_can_be_saved(call: Callable[..., Any]) -> None:
    crop(f"{'n' * 251}.png")
    result = call("--image", f"{'n' * 251}.png", "--save", "marked")
    assert result.exit_code == 0, result.output
    assert [path.name[:5] for path in Path("marked").iterdir()] == ["nnnnn"]


@pytest.mark.parametrize("form", ["--csv", "--json"])
def test_output_for_programs_is_utf_8_on_every_console(form: str, call: Callable[..., Any]) -> None:
    crop("фото.png")
    done = child("--image", "фото.png", form, PYTHONIOENCODING="cp1252")
    assert done.returncode == 0 and "фото.png" in done.stdout.decode("utf-8"), done.stderr
    text = child("--image", "фото.png", PYTHONIOENCODING="cp1252")
    assert text.returncode == 0 and rb"\u0444" in text.stdout


@pytest.mark.parametrize("form", ["--csv", "--json", "--top=1"])
def test_output_that_cannot_be_written_is_one_line(form: str, call: Callable[..., Any]) -> None:
    crop("a.png")
    with open("/dev/full", "wb") as full:
        done = child("--image", "a.png", form, stdout=full)
    assert done.returncode == 2
    assert (
        done.stderr.decode()
        == "study: cannot write to standard output (No space left on device). Free space, or read all of it.\n"
    )


def test_cells_that_a_spreadsheet_would_compute_are_text(call: Callable[..., Any]) -> None:
    for name in ("=1+2.png", "+a.png", "-b.png", "@c.png"):
        crop(name)
    done = child("--csv", *(f"--image={name}" for name in ("=1+2.png", "+a.png", "-b.png", "@c.png")))
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    assert [row["image"] for row in rows] == ["'=1+2.png", "'+a.png", "'-b.png", "'@c.png"]
    assert {row["notice"] for row in rows} == {"'=Trained on drawn faces."}


@pytest.mark.parametrize("form", ["--csv", "--json", "--top=1"])
def test_escape_sequences_in_names_do_not_reach_the_terminal(form: str, call: Callable[..., Any]) -> None:
    name = "a\x1b[31m\x9b2J\u202eb.png"
    crop(name), Path("album").mkdir(), crop(f"album/{name}"), Path(f"album/z{name}").write_text("damaged")
    done = child("--image", name, "album", form, "--save", "marked")
    said = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == 0 and "31m" in said
    assert not any(ord(letter) < 32 and letter != "\n" or 0x7F <= ord(letter) < 0xA0 for letter in said)
    if form == "--json":
        assert json.loads(done.stdout)["images"][0]["image"] == name
