"""The owner: which process something on disk belongs to, and whether that process is still there."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessId:
    """A process, told apart from every other one that has or will have its number."""

    machine: str  #: Eight hex digits for this start of this machine, and for the container in it.
    pid: int  #: Process number.
    started: str  #: When the process started, as the system counts; empty where it does not tell.

    @property
    def here(self) -> bool:
        """True where the process is or was one of this machine since it started, so that it can be looked up."""
        return self.machine == machine()

    @property
    def gone(self) -> bool:
        """True where the process has certainly ended; of another machine's processes nothing is certain."""
        return self.here and not _runs(self.pid, self.started)


def this_process() -> ProcessId:
    """Return the owner that this process is."""
    return ProcessId(machine(), os.getpid(), _status(os.getpid())[1])


@functools.cache
def machine() -> str:
    """Return eight hex digits that another machine, another start of this one and another container do not share."""
    parts = [platform.node()]
    for read in (lambda: Path("/proc/sys/kernel/random/boot_id").read_text(), lambda: os.readlink("/proc/self/ns/pid")):
        try:
            parts.append(read())
        except OSError:  # no Linux: the machine's name has to do
            continue
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]


def _runs(pid: int, started: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it runs as somebody else
        pass
    state, start = _status(pid)
    return state not in ("Z", "X") and start == started  # those have ended and wait for their parent to notice


def _status(pid: int) -> tuple[str, str]:
    """Return a process' state and the time of its start; empty where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, UnicodeDecodeError, IndexError):
        return "", ""
