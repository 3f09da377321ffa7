"""Content files: what a run needs on whatever node executes it, recognised by content and not by name."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.core.files import write_atomically
from study.datasets.cache import default_dir

#: Fetches the bytes, uint8 (n,), of content_files that a node does not see.
Fetch = Callable[[], NDArray[np.uint8]]


@dataclass(frozen=True)
class ContentFiles:
    """A file, or the end of one, as the driver sees it."""

    path: Path  #: Where it lies for the driver.
    offset: int  #: Where the bytes begin that matter; they go on to the end of the file.
    size: int  #: Their number.
    sha256: str  #: Their sha256 (hex).

    def obtain(self, fetch: Fetch | None) -> tuple[Path, int]:
        """Return a file of this machine with the bytes, and where in it they begin.

        It is the driver's own path where that holds the same bytes here, because the folder is shared; otherwise a
        copy in this machine's cache, which is written at the first time, so that bytes travel once to a machine.

        Args:
            fetch: Fetches the bytes; None where they were not sent.

        Raises:
            MissingContent: they are not here, and there is nothing to fetch them with.
            WriteError: the copy cannot be written.
        """
        if self.seen:
            return self.path, self.offset
        copy = default_dir() / "content_files" / self.sha256[:16] / self.path.name
        if not self.seen_at(copy, 0):
            if fetch is None:
                raise MissingContent(self)
            write_atomically(copy, fetch().tobytes())
        return copy, 0

    @property
    def seen(self) -> bool:
        """Whether this machine holds the bytes where they lie for the driver."""
        return self.seen_at(self.path, self.offset)

    def seen_at(self, path: Path, offset: int) -> bool:
        """Return whether a file of this machine holds the bytes; it is read once for each time it was changed."""
        try:
            state = os.stat(path)
        except OSError:
            return False
        if state.st_size != offset + self.size:
            return False
        return _sha256(path, offset, (state.st_ino, state.st_size, state.st_mtime_ns)) == self.sha256


class MissingContent(Exception):  # noqa: N818 (a message to the driver, which then sends them)
    """A node does not see some content files and was not sent them."""

    def __init__(self, content_files: ContentFiles) -> None:
        super().__init__(content_files)
        self.content_files = content_files


def content_files_of(path: Path) -> ContentFiles:
    """Return a whole file as content_files.

    Raises:
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    return ContentFiles(path, 0, len(data), hashlib.sha256(data).hexdigest())


def bytes_of(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a contiguous array's bytes, uint8 (n,), without a copy."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, offset: int, state: tuple[int, int, int]) -> str:
    """Return the sha256 of the end of a file, empty where it cannot be read; ``state`` tells changed files apart."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
