"""A grid of small runs, one after another on all cores and with ``--jobs auto``, by turns."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from study.bench.contest import ContestError

#: What runs: six short trainings on drawn faces, so that starting is a good part of each.
WORDS = (
    *("--data", "synthetic:images=600", "--models", "cnn3", "--protocols", "baseline,augment"),
    *("--seeds", "3", "--budget", "full", "--epochs", "3"),
)
RUNS, WHAT = 6, "cnn3, two protocols, three seeds, 3 epochs of 600 drawn faces"
LINE = re.compile(r"^Jobs: .*$", re.MULTILINE)


def measure_grid(rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Run the grid in both ways in turns and return the seconds of each.

    Raises:
        ContestError: the grid failed.
    """
    times: dict[str, list[float]] = {"1": [], "auto": []}
    choice = ""
    with tempfile.TemporaryDirectory(prefix="study-bench-") as folder:
        for number in range(rounds):
            for jobs, spent in times.items():
                say(f"  grid: --jobs {jobs}, round {number + 1} of {rounds}")
                places = ["--results", str(Path(folder, f"{jobs}{number}")), "--reports", str(Path(folder, "reports"))]
                call = [sys.executable, "-m", "study.run", *WORDS, *places, "--jobs", jobs]
                start = time.perf_counter()
                done = subprocess.run(call, capture_output=True, text=True, check=False, env={**os.environ})
                spent.append(time.perf_counter() - start)
                if done.returncode:
                    raise ContestError(f"the grid ended with code {done.returncode}: {done.stderr.strip()[-300:]}")
                if found := LINE.search(done.stdout):
                    choice = found[0]
    return {"runs": RUNS, "what": WHAT, "one_by_one_s": times["1"], "auto_s": times["auto"], "choice": f"{choice}."}
