"""What a record says about the process that made it."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
