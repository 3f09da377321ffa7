"""Running a target's inputs in a process of their own, and what became of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
#: Inputs of all targets together; more of each in proportion to its own count.
INPUTS = "STUDY_FUZZ_INPUTS"

MEMORY = "/dev/shm"


@dataclass(frozen=True)
class Batch:
    """What became of a target's inputs.

    Attributes:
        target: Its name.
        ended: One row for each input that was read or refused.
        failed: One sentence for each input that ended otherwise.
    """

    target: str
    ended: list[dict[str, Any]]
    failed: list[str]

    @property
    def passed(self) -> int:
        """Inputs that passed the format's first check."""
        return sum(row["passed"] for row in self.ended)

    @property
    def read(self) -> int:
        """Inputs that were read without complaint."""
        return sum(row["outcome"] == "read" for row in self.ended)

    @property
    def longest_s(self) -> float:
        """Most processor time that one input took."""
        return max((row["seconds"] for row in self.ended), default=0.0)

    @property
    def peak_mib(self) -> int:
        """Most memory that the process held."""
        return max((row["peak_mib"] for row in self.ended), default=0)


def run_batch(name: str, count: int, folder: Path) -> Batch:
    """Read a target's first ``count`` inputs; after one that kills the process the next process goes on."""
    results, first, failed = folder / f"{name}.jsonl", 0, []
    results.touch()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MALLOC_ARENA_MAX": "2",  # each thread's arena would count as memory
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "STUDY_CACHE": str(folder / "cache"),
        "TMPDIR": MEMORY if os.access(MEMORY, os.W_OK) else str(folder),  # nothing waits for a disk
    }
    while first < count and len(failed) < 20:
        call = [sys.executable, "-m", "tests.fuzz.child", name, str(first), str(count), str(results)]
        done = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace")
        rows = _rows(results)
        if done.returncode == 0:
            break
        if not rows or "outcome" in rows[-1]:
            raise RuntimeError(f"{name}: the process ended before its first input:\n{done.stderr[-3000:]}")
        failed.append(f"{name} {rows[-1]['number']}: killed with {done.returncode}:\n{done.stderr[-3000:]}")
        first = rows[-1]["number"] + 1
    ended = [row for row in _rows(results) if "outcome" in row]
    failed += [
        f"{name} {row['number']}: {row['message']}\n{row['traceback']}"
        for row in ended
        if row["outcome"] == "traceback"
    ]
    return Batch(name, ended, failed)


def scaled(counts: dict[str, int]) -> dict[str, int]:
    """Return how many inputs each target gets: its own count, or its share of what ``STUDY_FUZZ_INPUTS`` says."""
    wanted = int(os.environ.get(INPUTS, "0"))
    total = sum(counts.values())
    return {name: max(count, -(-count * wanted // total)) for name, count in counts.items()}


def _rows(results: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
