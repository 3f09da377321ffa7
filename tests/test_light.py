"""Whatever trains no network answers quickly, with TensorFlow and Keras out of reach."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study.cli import VERBS
from study.core.store import Store
from tests.faces.people import background, put_face
from tests.factories import make_store
from tests.hidden import Finished, run_hidden
from tests.trained.runs import add_onnx, keep

BACKENDS = ("tensorflow", "keras", "keras_cv", "keras_core", "jax", "torch")
#: Slow to import, and of no use to a command that only prints.
SLOW = (
    *("pandas", "matplotlib", "scipy", "sklearn", "imblearn", "seaborn", "statsmodels"),
    *("cv2", "av", "onnxruntime", "pillow_heif"),
)
#: The only rooms that import a backend, or Streamlit, when they are imported.
HEAVY_ROOMS = ("study.training", "study.web.views")
IMPORT_ALL = """
import importlib, pkgutil, sys
import study
broken = []
for found in pkgutil.walk_packages(study.__path__, "study."):
    if found.name.startswith(tuple(sys.argv[1:])) or found.name == "study.__main__":
        continue
    try:
        importlib.import_module(found.name)
    except ModuleNotFoundError as error:
        broken.append(f"{found.name}: {error}")
sys.exit("\\n".join(broken) or None)
"""
SYNTHETIC = ("--data", "synthetic", "--budget", "demo")


def study(*words: object, folder: Path, hide: tuple[str, ...] = BACKENDS) -> Finished:
    """Run ``python -m study WORDS``."""
    return run_hidden(["-m", "study", *words], folder, hide)


def test_hiding_works(tmp_path: Path) -> None:
    done = run_hidden(["-c", "import keras"], tmp_path, BACKENDS)
    assert done.code == 1 and "hidden by the test" in done.err


@pytest.mark.parametrize(
    "words", [(), *((verb,) for verb in VERBS), ("data", "show"), ("data", "prepare")], ids=" ".join
)
def test_help_needs_no_backend_and_nothing_slow(words: tuple[str, ...], tmp_path: Path) -> None:
    done = study(*words, "--help", folder=tmp_path, hide=BACKENDS + SLOW)
    assert done.code == 0, done.err
    assert "Usage" in done.out
    assert not done.imported & set(BACKENDS + SLOW)


def test_every_verb_is_in_the_help(tmp_path: Path) -> None:
    out = study("--help", folder=tmp_path).out
    assert [verb for verb in VERBS if verb not in out] == []


def test_run_can_be_called_as_a_module(tmp_path: Path) -> None:
    done = run_hidden(["-m", "study.run", "--help"], tmp_path, BACKENDS + SLOW)
    assert done.code == 0, done.err
    assert "--dry-run" in done.out


def test_the_list_names_every_core_entry_and_protocol(tmp_path: Path) -> None:
    done = study("list", folder=tmp_path, hide=BACKENDS + SLOW)
    assert done.code == 0, done.err
    names = ("cnn2", "cnn3", "cnn5", "vgg16", "resnet50", "baseline", "oversample", "augment", "oversample+augment")
    assert [name for name in names if name not in done.out] == []


def test_weights_are_listed_and_verified_without_a_backend(tmp_path: Path) -> None:
    done = study("weights", "list", folder=tmp_path, hide=BACKENDS + SLOW)
    assert done.code == 0 and "resnet50" in done.out, done.err
    assert study("weights", "verify", folder=tmp_path, hide=BACKENDS + SLOW).code == 0


def test_a_dry_run_plans_without_a_backend(tmp_path: Path) -> None:
    places = ("--results", tmp_path / "results", "--reports", tmp_path / "reports")
    done = study("run", "--grid", "all", *SYNTHETIC, *places, "--dry-run", folder=tmp_path)
    assert done.code == 0, done.err
    assert "missing" in done.out
    assert not (tmp_path / "results").exists() and not (tmp_path / "reports").exists()


def test_a_report_is_written_without_a_backend(tmp_path: Path) -> None:
    make_store(tmp_path / "results", models=("cnn2", "cnn3"), protocols=("baseline", "augment"))
    places = ("--results", tmp_path / "results", "--reports", tmp_path / "reports")
    done = study("report", "fake", *places, folder=tmp_path)
    assert done.code == 0, done.err
    assert "cnn3" in (tmp_path / "reports" / "fake" / "README.md").read_text()
    assert study("report", "fake", *places, "--check", folder=tmp_path).code == 0


@pytest.mark.parametrize("what", ["predict", "live"])
def test_an_exported_run_is_used_without_a_backend_and_soon(what: str, tmp_path: Path) -> None:
    """The aim is an answer within two seconds; twice that in processor time leaves room for slow, busy machines."""
    import cv2

    store = Store(tmp_path / "results", "faces")
    add_onnx(store, keep(store))
    picture = background(1280, 720).copy()
    put_face(picture, 3, (500, 300), 200)
    cv2.imwrite(str(tmp_path / "in.png"), picture)
    writer = cv2.VideoWriter(str(tmp_path / "in.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (1280, 720))
    for _ in range(4):
        writer.write(picture)
    writer.release()
    words = {
        "predict": ("--image", tmp_path / "in.png", "--json"),
        "live": ("--video", tmp_path / "in.avi", "--no-window", "--jsonl", "-"),
    }[what]
    hide = (*BACKENDS, "pandas", "sklearn", "imblearn", "seaborn", "matplotlib", "scipy", "statsmodels")
    done = study(what, *words, "--results", tmp_path / "results", folder=tmp_path, hide=hide)
    assert done.code == 0, done.err
    data = json.loads(done.out) if what == "predict" else json.loads(done.out.splitlines()[-1])
    faces = data["images"][0]["faces"] if what == "predict" else data["faces"]
    assert len(faces) == 1 and len(faces[0]["probabilities"]) == 7
    assert not done.imported & set(hide)
    assert done.cpu_s < 4


def test_a_slip_is_one_line_and_exit_code_2_without_a_backend(tmp_path: Path) -> None:
    done = study("run", "--models", "cnn33", *SYNTHETIC, "--dry-run", folder=tmp_path)
    assert done.code == 2
    assert "cnn3" in done.err and "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_missing_system_library_is_one_line_that_says_what_to_install(tmp_path: Path) -> None:
    message = "libGL.so.1: cannot open shared object file: No such file or directory"
    broken = tmp_path / "hidden" / "cv2.py"  # the first place where the child looks
    broken.parent.mkdir()
    broken.write_text(f"raise ImportError({message!r})")
    done = study("run", *SYNTHETIC, "--dry-run", folder=tmp_path)
    assert done.code == 2
    assert message in done.err and "apt-get install libgl1 libglib2.0-0" in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "words", [("--help",), ("run", "--help"), ("list",), ("run", *SYNTHETIC, "--dry-run")], ids=" ".join
)
def test_light_commands_are_quick(words: tuple[str, ...], tmp_path: Path) -> None:
    """The aim is half a second; three times that in processor time leaves room for slow and busy machines."""
    places = ("--results", tmp_path / "results", "--reports", tmp_path / "reports") if "--dry-run" in words else ()
    study(*words, *places, folder=tmp_path)  # the first call fills the file system's and the dataset's caches
    assert min(study(*words, *places, folder=tmp_path).cpu_s for _ in range(2)) < 1.5


def test_no_light_module_imports_a_backend_or_anything_slow(tmp_path: Path) -> None:
    done = run_hidden(["-c", IMPORT_ALL, *HEAVY_ROOMS], tmp_path, BACKENDS + SLOW)
    assert done.code == 0, done.err
