"""What a record says about the process that made it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from study.core import environment
from study.core.environment import peak_memory_mb

CHILD = "from study.core.environment import peak_memory_mb; print(peak_memory_mb())"


def test_peak_memory_grows_with_what_is_held() -> None:
    before = peak_memory_mb()
    held = bytearray(b"x") * (round(before + 100) << 20)
    assert peak_memory_mb() > before + 90
    del held


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not hand the peak on")
def test_a_process_does_not_report_its_parents_peak() -> None:
    held = bytearray(b"x") * (600 << 20)
    told = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True).stdout
    del held
    assert 1 < float(told) < 300


CODE = '''"""What the module does."""
import numpy as np
from study.core.errors import DataError

@decorated
def one(value):
    """Return it."""
    # why
    return value + 1  # here

LIMIT = 3
'''


@pytest.mark.parametrize(
    ("files", "same"),
    [
        ({"training/loop.py": CODE}, True),
        ({"models/moved/other.py": CODE}, True),
        ({"training/a.py": CODE.partition("LIMIT")[0], "models/b.py": "LIMIT = 3\n"}, True),
        ({"training/loop.py": CODE.replace("# why", "# because").replace("Return it", "Give it")}, True),
        ({"training/loop.py": CODE.replace("study.core.errors", "study.errors")}, True),
        ({"training/loop.py": CODE, "models/entries/mine.py": "X = 1\n", "report/page.py": "X = 1\n"}, True),
        ({"training/loop.py": CODE.replace("+ 1", "- 1")}, False),
        ({"training/loop.py": CODE.replace("@decorated\n", "")}, False),
        ({"training/loop.py": CODE.replace("numpy", "jax.numpy")}, False),
        ({"training/loop.py": CODE.replace("LIMIT = 3", "LIMIT = 4")}, False),
    ],
)
def test_the_code_hash_sees_changes_and_no_moves(tmp_path, monkeypatch, files, same):
    def hashed(name, found):
        for room in ("training", "models"):
            (tmp_path / name / room).mkdir(parents=True)
        for path, text in found.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
        monkeypatch.setattr(environment, "PACKAGE", tmp_path / name)
        return environment.code_hash.__wrapped__()

    monkeypatch.setattr(environment, "RESULT_ROOMS", ("training", "models"))
    assert (hashed("before", {"training/loop.py": CODE}) == hashed("after", files)) == same
