"""Nothing but a spec decides a result: not how many run beside it, the machine's cores, or what a user has set."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.execution.sameness import timeless

ROOT = Path(__file__).parents[2]
RUN = "run --models cnn2 --protocols augment --seeds 2 --epochs 1 --data synthetic:images=200"


def home(folder: Path, settings: object) -> dict[str, str]:
    """Return the environment of a user whose keras.json holds these settings."""
    (folder / ".keras").mkdir(parents=True)
    (folder / ".keras" / "keras.json").write_text(json.dumps(settings))
    environment = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT), "STUDY_CACHE": str(folder / "cache")}
    environment.pop("KERAS_HOME", None)
    return environment


@pytest.mark.parametrize(
    "settings",
    [
        {"floatx": "float16", "epsilon": 0.5, "image_data_format": "channels_first", "backend": "jax"},
        {"floatx": "no such type"},
        [1, 2],
    ],
)
def test_the_users_keras_json_is_not_read(settings: object, tmp_path: Path) -> None:
    code = (
        "from study.training.backend import prepare_backend; prepare_backend('tensorflow', 2); import keras, os; "
        "from keras.src.utils.file_utils import config; "
        "print(keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format(), "
        "keras.backend.backend(), keras.config.dtype_policy().name, config.keras_home(), os.environ.get('KERAS_HOME'))"
    )
    call = [sys.executable, "-c", code]
    done = subprocess.run(call, env=home(tmp_path, settings), cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        *("float32", "1e-07", "channels_last", "tensorflow", "float32", str(tmp_path / ".keras"), "None")
    ]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_same_specs_give_the_same_bytes_whatever_runs_beside_them_and_whatever_is_set(tmp_path: Path) -> None:
    def results(name: str, *words: str, before: tuple[str, ...] = (), **variables: str) -> dict[str, object]:
        settings = {"floatx": "float16", "image_data_format": "channels_first"} if variables else {}
        environment = home(tmp_path / name, settings) | variables
        call = [*before, sys.executable, "-m", "study", *RUN.split(), *words]
        done = subprocess.run(call, env=environment, cwd=tmp_path / name, capture_output=True, timeout=600)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        found: dict[str, object] = {}
        for path in sorted((tmp_path / name / "results").rglob("seed_*")):
            if path.suffix == ".npz":
                found[path.name] = path.read_bytes()
            elif path.suffix == ".json":
                found[path.name] = timeless(json.loads(path.read_text()))
        assert len(found) == 4
        return found

    alone = results("alone", "--jobs", "1")
    odd = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "7", "TF_ENABLE_ONEDNN_OPTS": "0", "LC_ALL": "C"}
    assert results("beside", "--jobs", "2", PYTHONIOENCODING="cp1252", **odd) == alone
    one_core = ("taskset", "-c", "0") if shutil.which("taskset") else ()
    assert results("one-core", "--executor", "inprocess", before=one_core) == alone
