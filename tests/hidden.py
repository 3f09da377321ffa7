"""Child processes in which packages cannot be imported, and which tell what they imported."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent

# Runs in the child before anything else, because Python imports a module of this name by itself.
_SITECUSTOMIZE = """
import atexit, os, sys

HIDDEN = frozenset(os.environ["STUDY_TEST_HIDDEN"].split())


class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r} (hidden by the test)", name=name)


def tell():
    with open(os.environ["STUDY_TEST_IMPORTED"], "w") as file:
        file.write("\\n".join(sorted({name.partition(".")[0] for name in sys.modules})))


sys.meta_path.insert(0, Hide())
atexit.register(tell)
"""


@dataclass(frozen=True)
class Finished:
    """What a child process left.

    Attributes:
        code: Exit code.
        out: Standard output.
        err: Standard error.
        imported: Top-level packages it had imported when it ended.
        cpu_s: Processor time it took, start of Python included.
    """

    code: int
    out: str
    err: str
    imported: frozenset[str]
    cpu_s: float


def run_hidden(words: Iterable[object], folder: Path, hide: Iterable[str], cwd: Path = ROOT) -> Finished:
    """Run ``python WORDS`` where the packages named in ``hide`` are not to be found.

    Args:
        words: What follows ``python`` on the command line.
        folder: Scratch folder; the child's cache of datasets is there too.
        hide: Top-level packages.
        cwd: Working folder.
    """
    places = folder / "hidden"
    places.mkdir(parents=True, exist_ok=True)
    (places / "sitecustomize.py").write_text(_SITECUSTOMIZE)
    told = places / "imported.txt"
    told.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "STUDY_CACHE": str(folder / "cache"),
        "PYTHONPATH": os.pathsep.join([str(places), str(ROOT)]),
        "STUDY_TEST_HIDDEN": " ".join(hide),
        "STUDY_TEST_IMPORTED": str(told),
    }
    before = os.times()
    call = [sys.executable, *map(str, words)]
    done = subprocess.run(call, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    imported = frozenset(told.read_text().split()) if told.exists() else frozenset()
    return Finished(done.returncode, done.stdout, done.stderr, imported, cpu_s)
