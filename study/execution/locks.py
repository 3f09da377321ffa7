"""Locks: which of several drivers on one results folder has which run, by files that are created atomically."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from study.core.files import make_folder, read_regular, write_error
from study.core.process_id import ProcessId, this_process

#: Seconds between signs of life of a lock.
BEAT_S = 5.0
#: Seconds without one after which a lock is taken over. The owner's clock does not matter, only that nothing changes.
STALE_S = 90.0
#: How often to look again at what others have locked.
POLL_S = 1.0
SUFFIX = ".lock"


class Lock:
    """One run, or another piece of work, as long as this process has it."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle = handle
        self._identity = _identity(os.fstat(handle))

    @property
    def holds(self) -> bool:
        """False once another process has taken over, because this one gave no sign of life for too long."""
        try:
            # Asked at every event of a run, hence without a look at all locks: whoever takes over creates the next
            # number, and removes it later than this one.
            return not _next(self.path).exists() and _identity(os.stat(self.path)) == self._identity
        except OSError:
            return False

    def beat(self) -> None:
        """Give a sign of life."""
        with contextlib.suppress(OSError):  # it was taken over and removed, which `holds` tells
            os.utime(self._handle)

    def release(self) -> None:
        """Let others have it. What ended processes left of the same lock goes first, so that it never counts again."""
        with contextlib.suppress(OSError):
            for path in _generations(self.path)[:-1] if self.holds else []:
                path.unlink(missing_ok=True)
            if _identity(os.stat(self.path)) == self._identity:
                self.path.unlink()
        os.close(self._handle)


class Locks:
    """This process' locks in one folder, kept alive by a thread while the context is open.

    A lock is a file ``<name>.<number>.lock``, created so that only one process can; the highest number counts. It is
    taken over by creating the next number, which again only one process can, so that nothing is ever removed that
    somebody else may just have taken. It is taken over at once where its owner's process on this machine has ended, and
    after ``stale_s`` without a sign of life otherwise, which an owner gives every ``beat_s``. No locks of the file
    system are used, which shared ones lack. The folder is made when needed.
    """

    def __init__(self, folder: Path, beat_s: float = BEAT_S, stale_s: float = STALE_S) -> None:
        self.folder = folder
        self.stale_s = stale_s
        self._beat_s = beat_s
        self._seen: dict[Path, tuple[tuple[int, int], float]] = {}  # the last sign of life, and since when it is known
        self._mine: list[Lock] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="locks", daemon=True)

    def __enter__(self) -> Locks:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        while self._mine:
            self.release(self._mine[0])

    def take(self, name: str) -> Lock | None:
        """Lock a piece of work; None where somebody else has it.

        What the work is must be looked at again afterwards: it may have been done just before.

        Raises:
            WriteError: the folder cannot be written.
        """
        path = self.folder / f"{name}.1{SUFFIX}"
        try:
            make_folder(self.folder)
            found = _generations(path)
            if found:
                if not self._stale(found[-1]):
                    return None
                path = _next(found[-1])
            lock = _create(path)
        except OSError as error:
            raise write_error(path, error) from error
        if lock is None or not lock.holds or _generations(path)[-1:] != [path]:  # another process was quicker
            if lock is not None:
                lock.release()
            return None
        with self._lock:
            self._mine.append(lock)
        return lock

    def release(self, lock: Lock) -> None:
        """Give a lock back."""
        with self._lock:
            self._mine.remove(lock)
        lock.release()

    @contextlib.contextmanager
    def hold(self, name: str, waiting: Callable[[str], None] = lambda owner: None) -> Iterator[None]:
        """Wait until a piece of work is free and have it for the length of a block.

        ``waiting`` is called once, with who has it, where there is somebody to wait for.

        Raises:
            WriteError: the folder cannot be written.
        """
        if (lock := self.take(name)) is None:
            waiting(self.owner(name))
        while lock is None:
            time.sleep(POLL_S)
            lock = self.take(name)
        try:
            yield
        finally:
            self.release(lock)

    def clear_left(self) -> None:
        """Remove what ended processes left, by taking it over and giving it back; what somebody has is left alone.

        Raises:
            WriteError: the folder cannot be written.
        """
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            if _read(path)[0] is not None and (lock := self.take(_name(path))) is not None:
                self.release(lock)

    def owner(self, name: str) -> str:
        """Return who has a piece of work, for a person: ``process 4711 on this machine``; empty where nobody has."""
        found = _generations(self.folder / f"{name}.1{SUFFIX}")
        if not found:
            return ""
        owner, host = _read(found[-1])
        if owner is None:
            return "another process"
        return f"process {owner.pid} on {'this machine' if owner.here else host}"

    def _stale(self, path: Path) -> bool:
        """Return whether the owner of a lock has ended, as far as can be told from here and now."""
        try:
            state = os.stat(path)
        except FileNotFoundError:  # given back a moment ago; the next look will find it free
            return False
        owner, _ = _read(path)
        if owner is not None and owner.gone:
            return True
        now, sign = time.monotonic(), (state.st_ino, state.st_mtime_ns)
        known, since = self._seen.get(path, (None, now))
        if known != sign:
            self._seen[path] = sign, now
            return False
        return now - since > self.stale_s

    def _beat(self) -> None:
        while not self._ended.wait(self._beat_s):
            with self._lock:
                for lock in self._mine:
                    lock.beat()


def _create(path: Path) -> Lock | None:
    """Create a lock's file; None where it is there already."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return None
    mine = this_process()
    about = {"machine": mine.machine, "pid": mine.pid, "started": mine.started}
    # The token makes every lock's content its own; the host is for people.
    about |= {"host": platform.node(), "token": secrets.token_hex(8)}
    try:
        os.write(handle, json.dumps(about).encode())
    except OSError:
        os.close(handle)
        path.unlink(missing_ok=True)
        raise
    return Lock(path, handle)


def _read(path: Path) -> tuple[ProcessId | None, str]:
    """Return the owner of a lock and its host; no owner where the file does not tell (yet)."""
    try:
        about = json.loads(read_regular(path, 1 << 16))
        return ProcessId(str(about["machine"]), int(about["pid"]), str(about["started"])), str(about["host"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None, ""


def _identity(state: os.stat_result) -> tuple[int, int]:
    return state.st_dev, state.st_ino


def _generations(path: Path) -> list[Path]:
    """Return all files of a lock, lowest number first."""
    try:
        names = os.listdir(path.parent)
    except FileNotFoundError:
        return []
    start = f"{_name(path)}."
    fits = re.compile(re.escape(start) + r"(\d+)" + re.escape(SUFFIX))
    mine = [path.with_name(name) for name in names if name.startswith(start) and fits.fullmatch(name)]
    return sorted(mine, key=_number)


def _name(path: Path) -> str:
    return path.name.removesuffix(SUFFIX).rpartition(".")[0]


def _number(path: Path) -> int:
    return int(path.name.removesuffix(SUFFIX).rpartition(".")[2])


def _next(path: Path) -> Path:
    return path.with_name(f"{_name(path)}.{_number(path) + 1}{SUFFIX}")
