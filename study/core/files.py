"""Files written whole or not at all, damaged ones set aside, and what a killed writer left cleared away."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import BinaryIO

from study.core.errors import WriteError
from study.core.process_id import ProcessId, this_process

#: What a file is called while it is written: the writing process and the name that the file will have.
TEMPORARY = re.compile(r"\.study-([0-9a-f]{8})-(\d+)-(\d*)-[0-9a-f]{8}-(?s:.+)")
#: Age at which a temporary file of another machine counts as left: no write takes nearly as long.
LEFT_S = 24 * 3600
DAMAGED = ".damaged"


def write_atomically(path: Path, data: bytes) -> None:
    """Write bytes so that the file is either the old one or the whole new one, also after a crash or a power cut.

    Raises:
        WriteError: the folder cannot be written or the disk is full.
    """
    with replacing(path) as temporary:  # by calls of the system, which tests let a writer die at
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(handle, rest) :]
        finally:
            os.close(handle)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; its file takes the place of ``path`` when the block ends.

    The content is on disk before it gets the name, and the name is on disk before this returns. After an error the
    temporary file is gone and ``path`` is as it was.

    Raises:
        WriteError: the folder cannot be written or the disk is full.
    """
    temporary = temporary_path(path)
    try:
        make_folder(path.parent)
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # after an error; otherwise it has the other name
            os.unlink(temporary)


def output_error(error: OSError) -> WriteError:
    """Return the error for standard output that takes no more: a full disk, or a pipe that was closed.

    What waits to be written is dropped, since it would fail again when the process ends.
    """
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return WriteError(f"cannot write to standard output ({error.strerror or error}). Free space, or read all of it.")


def write_error(path: Path, error: OSError) -> WriteError:
    """Return the error for a place that cannot be written."""
    return WriteError(f"cannot write {path} ({error.strerror or error}). Free space or choose another folder.")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that they survive a power cut; one that is there already is fine.

    Raises:
        OSError: it cannot be made.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in reversed(missing):
        _sync(place.parent)


def temporary_path(path: Path) -> Path:
    """Return a new path beside ``path``, with its suffixes, that says which process writes there."""
    mine = this_process()
    return path.with_name(f".study-{mine.machine}-{mine.pid}-{mine.started}-{secrets.token_hex(4)}-{path.name}")


def clear_left(folder: Path) -> list[Path]:
    """Remove the temporary files and folders that ended processes left in a folder and below; return their paths.

    Another machine's are removed a day after they were last touched. Nothing else is ever removed.
    """
    removed = []
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(place, name)
            with contextlib.suppress(OSError):  # another process was quicker, or it is not ours to remove
                if _left(path):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                    removed.append(path)
    return removed


def open_regular(path: PurePath) -> BinaryIO:
    """Open a file to read its bytes, without ever waiting for a pipe.

    Raises:
        OSError: not to be read, or not a regular file: a pipe or a device may never end.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_regular(path: PurePath, most: int) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        OSError: not to be read, not a regular file, or more than ``most`` bytes.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise too_large(most)
        return file.read(size + 1)


def too_large(most: int) -> OSError:
    """Return the error for a file of more than ``most`` bytes."""
    return OSError(None, f"more than {most >> 20} MiB" if most >> 20 else f"more than {most >> 10} KiB")


def file_sha256(path: Path) -> str:
    """Return the sha256 (hex) of a regular file's content.

    Raises:
        OSError: not to be read, or not a regular file.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def set_aside(path: Path) -> Path:
    """Rename a damaged file or folder to ``<name>.damaged``, or with a number where that is taken; return the new path.

    Raises:
        WriteError: it cannot be renamed.
    """
    names = (path.with_name(f"{path.name}{DAMAGED}{number or ''}") for number in range(1000))
    target = next(name for name in names if not name.exists())
    try:
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            os.rename(path, target)
        _sync(path.parent)
    except OSError as error:
        raise WriteError(f"cannot rename {path} ({error.strerror}). Rename or remove it by hand.") from error
    return target


def _left(path: Path) -> bool:
    found = TEMPORARY.fullmatch(path.name)
    if found is None or path.is_symlink():
        return False
    writer = ProcessId(found[1], int(found[2]), found[3])
    return writer.gone if writer.here else time.time() - path.stat().st_mtime > LEFT_S


def _sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:  # some shared file systems know no syncing of folders
        if error.errno not in (errno.EINVAL, errno.ENOTSUP) or not path.is_dir():
            raise
    finally:
        os.close(handle)
