"""An installed wheel is the whole package: grids, budgets, plugins, templates and models, in any folder."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.committed import ROOT, copy_committed

#: In experiments/, of use in a checkout alone.
CHECKOUT_ONLY = {"experiments/quickstart.ipynb", "experiments/without_tensorflow.py"}


def build(place: Path, what: str) -> Path:
    """Build a ``wheel`` or an ``sdist`` in a folder of sources, without the network, and return its path."""
    program = f"from setuptools import build_meta; print(build_meta.build_{what}('dist'))"
    call = [sys.executable, "-c", program]
    done = subprocess.run(call, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place / "dist" / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what is committed and belongs to the package."""
    place = tmp_path_factory.mktemp("source")
    return copy_committed(
        place, "study", "experiments", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"
    )


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    """Return the wheel that the project's source archive gives, as one on a package index would."""
    archive = build(source, "sdist")
    subprocess.run(["tar", "-xf", archive, "-C", source / "dist"], check=True)
    return build(source / "dist" / archive.name.removesuffix(".tar.gz"), "wheel")


def test_the_wheel_holds_what_the_checkout_has(wheel: Path, source: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    files = {
        path.relative_to(source).as_posix(): path
        for folder in ("study", "experiments")
        for path in (source / folder).rglob("*")
    }
    expected = {
        f"study/{name}" if name.startswith("experiments/") else name: path.read_bytes()
        for name, path in files.items()
        if path.is_file() and name not in CHECKOUT_ONLY
    }
    assert sorted(packed) == sorted(expected)
    assert packed == expected


def test_the_checkout_builds_the_same_wheel(wheel: Path, source: Path) -> None:
    with zipfile.ZipFile(build(source, "wheel")) as direct, zipfile.ZipFile(wheel) as by_archive:
        assert sorted(direct.namelist()) == sorted(by_archive.namelist())


@pytest.mark.package_index
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_installed_wheel_works_in_an_empty_folder(wheel: Path, tmp_path: Path, online: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    programs = tmp_path / "venv" / "bin"
    pip = [programs / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    subprocess.run([*pip, "--require-hashes", "--requirement", ROOT / "requirements.txt"], check=True, env=online)
    subprocess.run([*pip, "--no-deps", wheel], check=True, env=online)
    empty = tmp_path / "empty"
    empty.mkdir()

    def study(*words: str) -> str:
        environment = {**online, "PYTHONNOUSERSITE": "1", "STUDY_CACHE": str(tmp_path / "cache")}
        environment.pop("PYTHONPATH", None)
        call = [programs / "study", *words]
        done = subprocess.run(call, cwd=empty, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    assert "smoke" in study("list") and "tonight" in study("list")
    assert "checks passed" in study("check", "tiny", "--plugin", "experiments/plugin_example.py")
    study("run", "--grid", "smoke")
    (name,) = (path.name for path in (empty / "results").iterdir())
    assert "matches the records" in study("report", name, "--check")
    assert "report.html" in study("report", name, "--html")
