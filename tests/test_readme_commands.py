"""The commands of README and docs do what the pages say, typed into a shell as they stand there, a page at a time."""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from PIL import Image

from study.cli import VERBS
from study.core.store import Store
from study.datasets.load import load
from tests.datasets.sources import csv_rows, write_csv
from tests.faces.people import background, put_face
from tests.test_readme import PAGES, ROOT, blocks, text_of
from tests.trained.runs import contents, real_run

#: What changes the machine, needs a network, serves until it is stopped (tests/web does so) or is this test itself;
#: `make` and `pip` have tests in test_readme.py. `study bench` and the environment without TensorFlow take long:
#: tests/bench and test_jax.py run them. Backbones and their weights are tests/cli/test_weights.py's, what needs a run's
#: own photographs tests/trained's, the simulations tests/analysis'. A loop around a command is the command.
LEFT_OUT = re.compile(
    r"study web|^make |^git clone |^cd |apt-get |python3 -m venv |pip install |-m pytest|kaggle:|study bench|-jax/"
    r"|study pretrain|study weights|plugin_body|\.weights\.h5|python3 -m |--corruptions|--slices|--release|^until "
    r"|analysis\.simulations"
)
#: There is no camera where tests run: one line says so.
CAMERA = re.compile(r"study live(?!.*--video)")
#: Trainings of minutes or a night: their plans are made.
TRAINING = re.compile(r"study run |-m study\.run ")
#: Pages on the use of a trained network, with files that their commands leave; here it was trained on drawn faces.
USES = {
    "docs/predict.md": ("faces.csv", "marked/beach-faces.jpg"),
    "docs/live.md": ("marked.mp4", "faces.jsonl"),
    "docs/evaluate.md": ("reports/*/evaluations/*/README.md",),
    "docs/explain-and-export.md": (
        *(f"results/**/*{name}" for name in (".keras", ".h5", ".onnx", ".tflite", ".pb", ".md")),
        "reports/*/local/gradcam-*",
    ),
}


def commands(page: str) -> list[str]:
    """Return the shell lines of a page that can be run here, without comments; `bash` blocks are for clusters."""
    text = text_of(page)
    lines = [line.partition("#")[0].strip() for block in blocks("sh", text) for line in block.splitlines()]
    lines += [line for line in re.findall(r"`(study \w+ --[^`]+)`", text) if not re.search(r"\b[A-Z]{2,}\b", line)]
    return [line for line in lines if line and not LEFT_OUT.search(line)]


OTHERS = [page for page in PAGES if page not in (*USES, "docs/flags.md") and commands(page)]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run on drawn faces, a committed study, pictures, a video, and faces in folders."""
    place = tmp_path_factory.mktemp("drawn")
    shutil.copytree(ROOT / "results/published/fer2013-best", place / "results/published/fer2013-best")
    image_set = load("synthetic:images=300")
    real_run(Store(place / "results", image_set.name), image_set, "cnn3")
    write_people(place)
    for label in range(3):
        folder = place / "faces" / image_set.classes[label]
        folder.mkdir(parents=True)
        for number in (image_set.labels == label).nonzero()[0][:5]:
            Image.fromarray(image_set.images[number][..., 0]).save(folder / f"{number}.png")
    return place


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small fer2013.csv, a run on it, pictures, and the experiments."""
    place = tmp_path_factory.mktemp("photographs")
    write_csv(place / "fer2013.csv", csv_rows(per_class=6))
    real_run(Store(place / "results", "fer2013"), load(str(place / "fer2013.csv")), "cnn3")
    write_people(place)
    shutil.copytree(ROOT / "experiments", place / "experiments")
    return place


def write_people(place: Path) -> None:
    """Write the pictures and the video that the commands name, and the program that they call."""
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
    program = place / "bin" / "study"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m study "$@"\n')
    program.chmod(0o755)


def typed(line: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Run a line in bash, with the environment's Python for the checkout's; trainings are only planned."""
    line = line.replace(".venv/bin/python", shlex.quote(sys.executable))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{place / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{line} --dry-run" if TRAINING.search(line) else line],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if CAMERA.match(line) and done.returncode == 2:
        assert "camera" in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr
    else:
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done


def test_every_line_is_left_out_for_a_reason_or_run() -> None:
    run = [line for page in (*USES, *OTHERS) for line in commands(page)]
    verbs = {line.split("study ", 1)[1].split()[0] for line in run if "study " in line}
    assert verbs == set(VERBS) - {"web", "bench", "pretrain", "weights"}
    for page in PAGES:
        lines = [line for block in blocks("sh", text_of(page)) for line in block.splitlines()]
        lines = [text for line in lines if (text := line.partition("#")[0].strip())]
        assert [line for line in lines if line not in commands(page) and not LEFT_OUT.search(line)] == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", USES)
def test_the_commands_on_a_trained_network_run_as_they_stand(page: str, drawn: Path, tmp_path: Path) -> None:
    place = shutil.copytree(drawn, tmp_path / "place")
    for line in commands(page):
        done = typed(line, place)
        said = done.stdout + done.stderr + ((place / "faces.csv").read_text() if "> faces.csv" in line else "")
        known = "drawn faces" in said or "the released network" in said or "--study published/" in line
        assert known or "retrain" in line or done.returncode, f"{line} must say what it was trained on"
        assert done.stderr == "" or "predict" in line or "live" in line, f"{line}: {done.stderr}"
    assert [pattern for pattern in USES[page] if not any(place.glob(pattern))] == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", OTHERS)
def test_the_other_commands_run_as_they_stand(page: str, photographs: Path, tmp_path: Path) -> None:
    place = shutil.copytree(photographs, tmp_path / "place")
    before = contents(place)
    for line in commands(page):
        typed(line, place)
        if "--template" in line:
            fill(place / "images.csv", place / "predictions.csv")
    if any("study import" in line for line in commands(page)):
        assert "peer" in (place / "reports" / "fer2013" / "README.md").read_text()
    if all(TRAINING.search(line) or "study list" in line for line in commands(page)):
        assert set(contents(place)) == set(before), "a plan leaves nothing"


def fill(template: Path, filled: Path) -> None:
    """Give every image of a template the label happy, as somebody's network might."""
    with template.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with filled.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows({**row, "label": "happy"} for row in rows)
