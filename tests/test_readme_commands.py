"""The README's commands on a finished study do what it says, typed as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from study.datasets.load import load
from study.store import Store
from tests.serving.people import background, put_face
from tests.serving.runs import contents, real_run
from tests.test_readme import README, ROOT, blocks

SECTION = README[README.index("## Use the winner") : README.index("## What leakage is worth")]
#: There is no camera where tests run: one line says so.
NO_CAMERA = ("study", "live")


def commands() -> list[tuple[str, ...]]:
    lines = [line for block in blocks("sh", SECTION) for line in block.splitlines()]
    lines += re.findall(r"`(study \w+ --[^`]+)`", SECTION)
    found = [tuple(shlex.split(line, comments=True)) for line in lines]
    return [words for words in found if words[0] == "study"]


def test_the_section_has_every_verb_on_stored_runs() -> None:
    assert {words[1] for words in commands()} == {"predict", "live", "evaluate", "explain", "export", "retrain"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_commands_of_the_section_run_as_they_stand(tmp_path: Path) -> None:
    image_set = load("synthetic:images=300")
    real_run(Store(tmp_path / "results", image_set.name), image_set, "cnn3")
    picture = background(640, 480).copy()
    put_face(picture, 3, (200, 120), 220)
    Image.fromarray(picture[..., ::-1]).save(tmp_path / "family.jpg")
    for label in range(3):
        folder = tmp_path / "faces" / image_set.classes[label]
        folder.mkdir(parents=True)
        for place in (image_set.labels == label).nonzero()[0][:5]:
            Image.fromarray(image_set.images[place][..., 0]).save(folder / f"{place}.png")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for words in commands():
        call = [sys.executable, "-m", *words]
        done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        if words == NO_CAMERA and done.returncode == 2:
            assert "camera" in done.stderr and len(done.stderr.strip().splitlines()) == 1
            continue
        assert done.returncode == 0, f"{' '.join(words)}: {said}"
        assert "drawn faces" in said or words[1] == "retrain", f"{' '.join(words)} must say what it was trained on"
        assert done.stderr == "" or words[1] in ("predict", "live"), f"{' '.join(words)}: {done.stderr}"
    made = {Path(name).suffix for name in contents(tmp_path / "results")}
    assert {".keras", ".h5", ".onnx", ".tflite", ".pb", ".md"} <= made
    local = [name for name in contents(tmp_path / "reports") if "local" in name]
    assert len(local) == len(image_set.classes)
