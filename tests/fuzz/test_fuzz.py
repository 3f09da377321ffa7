"""Whatever a mutated file holds, it is read or refused in one line: no traceback, no hang, no gigabyte.

`STUDY_FUZZ_INPUTS=10000` raises how many inputs all targets get together; with N the number of an input,
`python -m tests.fuzz.child TARGET N N+1 FILE` reads it again.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fuzz.batch import ROOT, Batch, run_batch, scaled
from tests.fuzz.child import LIMIT_BYTES, LIMIT_S
from tests.fuzz.targets import QUICK, SLOW

#: What the quick form promises, and the share of inputs that get past the format's first check.
LEAST_INPUTS, LEAST_SHARE = 2000, 1 / 3


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Batch]:
    """Run all quick targets, two at a time."""
    counts = scaled({name: target.count for name, target in QUICK.items()})
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda name: run_batch(name, counts[name], tmp_path_factory.mktemp("fuzz")), counts)
        return {batch.target: batch for batch in found}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", QUICK)
def test_mutated_files_are_read_or_refused_in_one_line(name: str, batches: dict[str, Batch]) -> None:
    check(batches[name])


def test_enough_inputs_were_tried(batches: dict[str, Batch]) -> None:
    assert sum(len(batch.ended) for batch in batches.values()) >= LEAST_INPUTS
    print("\n" + "\n".join(summary(batch) for batch in batches.values()))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", SLOW)
def test_what_takes_longer_to_read_is_read_or_refused_too(name: str, tmp_path: Path) -> None:
    counts = scaled({name: target.count for name, target in (QUICK | SLOW).items()})
    batch = run_batch(name, counts[name], tmp_path)
    print("\n" + summary(batch))
    check(batch)


def check(batch: Batch) -> None:
    assert not batch.failed, f"{len(batch.failed)} inputs:\n" + "\n".join(batch.failed[:5])
    assert batch.passed / len(batch.ended) >= LEAST_SHARE
    assert batch.longest_s <= LIMIT_S
    assert batch.peak_mib <= LIMIT_BYTES >> 20
    assert all(row.get("message", "x").strip() for row in batch.ended)


def summary(batch: Batch) -> str:
    share = batch.passed / max(1, len(batch.ended))
    return (
        f"{batch.target:16} {len(batch.ended):5} inputs, {share:4.0%} past the first check, {batch.read:4} read, "
        f"longest {batch.longest_s:.2f} s, peak {batch.peak_mib} MiB"
    )


@pytest.mark.parametrize(
    ("reading", "limits_s", "ended", "where"),
    [
        ("re.match(r'(a+)+$', 'a' * 40 + 'b')", (0.3, 60), -signal.SIGPROF, "in match"),
        ("time.sleep(60)", (5, 0.5), 1, "in read"),
    ],
)
def test_a_reader_that_works_or_waits_for_ever_is_ended_with_its_traceback(
    reading: str, limits_s: tuple[float, float], ended: int, where: str, tmp_path: Path
) -> None:
    code = (
        "import re, time\n"
        "from tests.fuzz import child, targets\n"
        "from tests.fuzz.target import Target\n"
        "def read(data, folder):\n"
        f"    return data == b'seed' or {reading}\n"
        f"child.LIMIT_S, child.WAIT_S = {limits_s}\n"
        "targets.TARGETS['x'] = Target('x', lambda folder: [b'seed'], bool, read, lambda *_: b'input')\n"
        f"child.main('x', 0, 1, {str(tmp_path / 'rows')!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == ended and where in done.stderr
    [row] = (tmp_path / "rows").read_text().splitlines()
    assert json.loads(row) == {"number": 0, "passed": True}
