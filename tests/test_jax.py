"""KERAS_BACKEND=jax: run, report, check and bench, end to end, where TensorFlow is not installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hidden import ROOT

RUN = ("--models", "cnn3", "--protocols", "baseline,augment,mixup,oversample", "--budget", "demo", "--epochs", "1")


def call(python: Path, folder: Path, *words: object) -> str:
    """Run ``python -m WORDS`` on JAX in a folder and return what it printed."""
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT), "STUDY_CACHE": str(folder / "cache")}
    # A user's own packages must not stand in for those that are left out.
    environment["PYTHONNOUSERSITE"] = "1"
    done = subprocess.run(
        [str(python), *map(str, words)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.package_index
@pytest.mark.timeout(2400)
def test_everything_works_on_jax_without_tensorflow(tmp_path: Path, online: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    needs = tmp_path / "needs.txt"
    needs.write_text(call(python, tmp_path, ROOT / "experiments" / "without_tensorflow.py"))
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    pinned = ("--constraint", str(ROOT / "constraints.txt"))
    subprocess.run([*pip, *pinned, "--requirement", str(needs)], check=True, env=online)
    hidden = "import importlib.util as u; print([u.find_spec(n) for n in ('tensorflow', 'keras_cv')])"
    assert call(python, tmp_path, "-c", hidden).strip() == "[None, None]"

    found = json.loads(call(python, tmp_path, "-m", "tests.training.jax_epochs", "baseline", "strong"))
    for way in found.values():  # an epoch as one program, against updates one by one
        assert way["difference"] < 1e-5 < 1e-2 < way["other_seed"] and way["metrics"] < 1e-5, found
        assert way["programs"] and not way["more_programs"], found

    said = call(python, tmp_path, "-m", "study.run", "--data", "synthetic:images=200", *RUN)
    assert "Report: " in said
    records = [json.loads(path.read_text()) for path in (tmp_path / "results").rglob("seed_*.json")]
    assert [record["status"] for record in records] == ["done"] * 4
    assert {record["spec"]["backend"] for record in records} == {"jax"}
    assert "matches the records" in call(python, tmp_path, "-m", "study", "report", "synthetic-200", "--check")
    assert "checks passed" in call(python, tmp_path, "-m", "study", "check", "cnn3")
    body = ("--plugin", ROOT / "experiments" / "plugin_body.py")
    assert "checks passed" in call(python, tmp_path, "-m", "study", "check", "my_body", *body)
    bench = ("bench", "--models", "cnn3", "--images", "256", "--rounds", "1", "--seconds", "0.2")
    assert "48 pixels on jax" in call(python, tmp_path, "-m", "study", *bench)
