"""The README's commands do what it says, typed into a shell as they stand there."""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from PIL import Image

from study.core.store import Store
from study.datasets.load import load
from tests.datasets.sources import csv_rows, write_csv
from tests.faces.people import background, put_face
from tests.test_readme import README, ROOT, blocks
from tests.trained.runs import contents, real_run

SECTION = README[README.index("## Use the winner") : README.index("## What transfer is worth")]
#: What changes the machine, needs a network, serves until it is stopped (tests/web does so) or is this test itself;
#: `make` and `pip` have tests in test_readme.py. `study bench` and the environment without TensorFlow take long:
#: tests/bench and test_jax.py run them. Bodies and their weights are tests/cli/test_weights.py's.
LEFT_OUT = (
    *("study web", "make ", "apt-get ", "python3 -m venv ", "pip install ", "-m pytest", "kaggle:"),
    *("study bench", "-jax/", "study pretrain", "study weights", "plugin_body", ".weights.h5"),
)
#: There is no camera where tests run: one line says so.
CAMERA = re.compile(r"study live(?!.*--video)")
#: Trainings of minutes or a night: their plans are made.
TRAINING = re.compile(r"study run |-m study\.run ")


def commands(text: str) -> list[str]:
    """Return the shell lines of a part of the README that can be run here, without their comments."""
    lines = [line.partition("#")[0].strip() for block in blocks("sh", text) for line in block.splitlines()]
    lines += re.findall(r"`(study \w+ --[^`]+)`", text)
    return [line for line in lines if line and not any(words in line for words in LEFT_OUT)]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in which `study` can be typed."""
    program = tmp_path / "bin" / "study"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m study "$@"\n')
    program.chmod(0o755)
    yield tmp_path


def typed(line: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Run a line in bash, with the environment's Python for the checkout's; trainings are only planned."""
    line = line.replace(".venv/bin/python", shlex.quote(sys.executable))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{place / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{line} --dry-run" if TRAINING.search(line) else line],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def write_people(place: Path) -> None:
    """Write the pictures and the video that the commands name."""
    picture = background(640, 480).copy()
    put_face(picture, 3, (200, 120), 220)
    (place / "holidays").mkdir()
    for name in ("family.jpg", "holidays/beach.jpg"):
        Image.fromarray(picture[..., ::-1]).save(place / name)
    (place / "holidays" / "notes.txt").write_text("notes")
    writer = cv2.VideoWriter(str(place / "party.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 30, (640, 480))
    for _ in range(12):
        writer.write(picture)
    writer.release()


def test_every_line_is_left_out_for_a_reason_or_run() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.partition("#")[0].strip()]
    assert len(commands(README)) >= len(lines) - 25
    verbs = {line.split("study ", 1)[1].split()[0] for line in commands(README) if "study " in line}
    assert verbs >= {"run", "data", "report", "import", "check"}
    assert {line.split("study ", 1)[1].split()[0] for line in commands(SECTION)} == {
        "predict", "live", "evaluate", "explain", "export", "retrain",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_commands_on_a_winner_run_as_they_stand(place: Path) -> None:
    image_set = load("synthetic:images=300")
    real_run(Store(place / "results", image_set.name), image_set, "cnn3")
    write_people(place)
    for label in range(3):
        folder = place / "faces" / image_set.classes[label]
        folder.mkdir(parents=True)
        for number in (image_set.labels == label).nonzero()[0][:5]:
            Image.fromarray(image_set.images[number][..., 0]).save(folder / f"{number}.png")
    for line in commands(SECTION):
        done = typed(line, place)
        said = done.stdout + done.stderr
        if CAMERA.match(line) and done.returncode == 2:
            assert "camera" in done.stderr and len(done.stderr.strip().splitlines()) == 1, said
            continue
        assert done.returncode == 0, f"{line}: {said}"
        said += (place / "faces.csv").read_text() if "> faces.csv" in line else ""
        assert "drawn faces" in said or "retrain" in line, f"{line} must say what it was trained on: {said}"
        assert done.stderr == "" or "predict" in line or "live" in line, f"{line}: {done.stderr}"
    made = {Path(name).suffix for name in contents(place / "results")}
    assert {".keras", ".h5", ".onnx", ".tflite", ".pb", ".md"} <= made
    local = [name for name in contents(place / "reports") if "local" in name]
    assert len(local) == len(image_set.classes)
    assert (place / "marked" / "beach-faces.jpg").is_file()
    assert len((place / "faces.jsonl").read_text().splitlines()) == 12 and (place / "marked.mp4").is_file()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_other_commands_run_as_they_stand(place: Path) -> None:
    write_csv(place / "fer2013.csv", csv_rows(per_class=6))
    write_people(place)
    image_set = load(str(place / "fer2013.csv"))
    real_run(Store(place / "results", "fer2013"), image_set, "cnn3")
    shutil.copytree(ROOT / "experiments", place / "experiments")
    rest = README.replace(SECTION, "")
    for line in commands(rest):
        done = typed(line, place)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        if "--template" in line:
            fill(place / "images.csv", place / "predictions.csv")
    assert "peer" in (place / "reports" / "fer2013" / "README.md").read_text()


def fill(template: Path, filled: Path) -> None:
    """Give every image of a template the label happy, as somebody's network might."""
    with template.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with filled.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows({**row, "label": "happy"} for row in rows)
