"""Places where writing fails: a small disk, a read-only one, mounted in a namespace of the child process alone."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

_NAMESPACE = ("unshare", "--mount", "--map-root-user")


def can_mount() -> bool:
    """Return whether a child may have mounts of its own here."""
    call = [*_NAMESPACE, "sh", "-c", "mount -t tmpfs none /tmp"]
    try:
        return subprocess.run(call, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


needs_mounts = pytest.mark.skipif(not can_mount(), reason="a child may not have mounts of its own here")


def on_a_small_disk(folder: Path, size: str, *steps: Sequence[object] | str) -> list[str]:
    """Return the command that runs steps while ``folder`` is a disk of its own; what it holds at the end is kept.

    Args:
        folder: An existing folder; its content is on the small disk too.
        size: How much fits, as ``mount`` takes it.
        steps: Commands, or ``size=...`` and ``ro`` to change the disk in between. After each command its exit code is
            printed on a line ``exit CODE``.
    """
    place, kept = shlex.quote(str(folder)), shlex.quote(f"{folder}.kept")
    lines = [
        f"cp -a {place} {kept} && mount -t tmpfs -o size={size} none {place} && cp -a {kept}/. {place}/ || exit 99"
    ]
    for step in steps:
        if isinstance(step, str):
            lines.append(f"mount -o remount,{step} {place} || exit 99")
        else:
            lines.append(f"{shlex.join(map(str, step))}; echo exit $?")
    lines.append(f"rm -r {kept} && cp -a {place} {kept} && umount {place} && cp -a {kept}/. {place}/ && rm -r {kept}")
    return [*_NAMESPACE, "sh", "-c", "\n".join(lines)]
