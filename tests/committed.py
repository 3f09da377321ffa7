"""What is committed, and nothing that somebody's own runs have left in the same folders."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def copy_committed(target: Path, *places: str) -> Path:
    """Copy files that git knows, as git knows them, and return the folder; without git the test is skipped.

    Args:
        target: Folder to copy to, as ``target/results/...``.
        places: Files and folders, from the repository's root.
    """
    try:
        names = subprocess.run(["git", "ls-files", "-z", *places], cwd=ROOT, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs a git checkout")
    copy = ["git", "checkout-index", "-z", "--stdin", f"--prefix={target.resolve()}/"]
    subprocess.run(copy, cwd=ROOT, check=True, input=names)
    return target
