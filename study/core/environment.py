"""Where a record comes from: versions, commit, code, processor, peak memory. No paths and no host names."""

from __future__ import annotations

import ast
import contextlib
import datetime
import functools
import hashlib
import importlib.metadata
import io
import os
import platform
import subprocess
import sys
import tokenize
from collections.abc import Mapping
from pathlib import Path

from study.core.record import Provenance

PACKAGE = Path(__file__).parents[1]
#: What a result depends on beside its spec; a change anywhere else leaves "code changed since" alone.
RESULT_ROOMS = ("datasets", "models", "protocols", "training", "execution/run_one.py", "core/spec.py")
#: What the spec speaks for: versions of entries, resolved protocols, the fingerprint of what readers read.
IN_SPEC = ("models/entries", "protocols/named", "datasets/readers", "datasets/audit", "datasets/synthetic")
PACKAGES = ("tensorflow", "keras", "keras-cv", "jax", "numpy", "imbalanced-learn", "scikit-learn", "opencv-python")


@functools.cache
def code_hash() -> str:
    """Return the first 12 hex digits of the sha256 over the sources that decide results.

    Where a definition stands does not count, nor do comments, docstrings and imports within the package, so that moved
    and renamed files leave the hash alone.
    """
    statements: set[str] = set()
    for room in RESULT_ROOMS:
        place = PACKAGE / room
        for path in place.rglob("*.py") if place.is_dir() else [place]:
            if not path.relative_to(PACKAGE).as_posix().startswith(IN_SPEC):
                statements |= result_statements(path.read_text(encoding="utf-8"))
    return hashlib.sha256("\0".join(sorted(statements)).encode()).hexdigest()[:12]


def result_statements(source: str) -> set[str]:
    r"""Return a module's top-level statements as ``code_hash`` sees them.

    >>> sorted(result_statements("import numpy\nfrom study.core import spec\ndef one():  # a comment\n    return 1"))
    ['def one():\n    return 1', 'import numpy']
    """
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or 0) - node.lineno + 1)
    found = set()
    for node in tree.body:
        inside = isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "study"
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        written = [line.rstrip() for line in lines[first - 1 : node.end_lineno] if line.strip()]
        if written and not inside:
            found.add("\n".join(written))
    return found


@functools.cache
def commit() -> str:
    """Return the checkout's commit, with ``+changes`` where sources differ from it; empty outside a checkout."""

    def git(*words: str) -> str:
        call = ["git", "-C", str(PACKAGE.parent), *words]
        return subprocess.run(call, capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    if not (PACKAGE.parent / ".git").exists():
        return ""
    try:
        mark = "+changes" if git("status", "--porcelain", "--untracked-files=no", "--", "study") else ""
        return git("rev-parse", "--short=12", "HEAD") + mark
    except (OSError, subprocess.SubprocessError):
        return ""


def processor() -> str:
    """Return the processor's name, as far as the system tells it."""
    return system_field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()


def system_field(table: str, name: str) -> str:
    """Return the first value behind a name in one of Linux' tables of text; empty where the system has none."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in Path(table).read_text().splitlines():
            if line.startswith(name):
                return line.partition(":")[2].strip()
    return ""


@functools.cache
def versions() -> Mapping[str, str]:
    """Return the versions of the packages that a result depends on, as far as they are installed."""
    return {name: version for name in PACKAGES if (version := package_version(name))}


def package_version(package: str) -> str:
    """Return the version of an installed package; empty where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def provenance(threads: int | None = None) -> Provenance:
    """Return what is known about the code and the machine; ``threads`` defaults to the usable cores."""
    return Provenance(
        study=package_version("facial-emotion-study") or "source",
        commit=commit(),
        code=code_hash(),
        python=platform.python_version(),
        versions=dict(versions()),
        system=f"{platform.system()} {platform.machine()}",
        processor=processor(),
        threads=threads or usable_cores(),
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def usable_cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory_mb() -> float:
    """Return this process's peak resident memory in MiB (0.0 where the system does not tell)."""
    # Linux hands getrusage's peak on to children: a small process started by a large one would report its parent's.
    if found := system_field("/proc/self/status", "VmHWM"):
        return int(found.split()[0]) / 1024
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024
