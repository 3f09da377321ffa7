"""Places: files and folders, on disk or in an archive, read in one way and within limits."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import PurePath, PurePosixPath
from typing import BinaryIO

from study.core.errors import DataError
from study.core.files import open_regular, read_regular
from study.datasets.readers.archive import Archive

_LITTER = {"$recycle.bin", "@eadir", "#recycle", "__macosx", "desktop.ini", "lost+found", "thumbs.db"}
_LITTER |= {"system volume information"}


def is_litter(name: str) -> bool:
    """Tell whether a name is hidden or one of those that systems leave behind.

    >>> [name for name in ("0.png", "._0.png", "@eaDir", "System Volume Information") if not is_litter(name)]
    ['0.png']
    """
    return name.startswith(".") or name.lower() in _LITTER


class Place:
    """A file or folder that datasets are read from, on disk or in an open archive: ``place / "a/b.png"`` is below it.

    >>> (Place(PurePath("faces")) / "happy/0.PNG").suffix
    '.png'
    """

    def __init__(self, path: PurePath, archive: Archive | None = None) -> None:
        self.path = path
        self.archive = archive
        self.name = path.name

    def __truediv__(self, below: str) -> Place:
        return Place(self.path / below, self.archive)

    def __str__(self) -> str:
        return "/".join([str(self.archive.path), *self.path.parts]) if self.archive else str(self.path)

    @property
    def suffix(self) -> str:
        """Its name from the last dot on, in small letters; empty without one."""
        return self.path.suffix.lower()

    @property
    def parent(self) -> Place:
        """The folder that it is in."""
        return Place(self.path.parent, self.archive)

    @property
    def exists(self) -> bool:
        """Whether there is anything."""
        return self.is_folder or self.path.parts in self.archive.files if self.archive else os.path.exists(self.path)

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.path.parts in self.archive.folders if self.archive else os.path.isdir(self.path)

    def lists(self) -> tuple[list[str], list[str]]:
        """Return the names of the files and of the folders in it, sorted, without litter (see ``is_litter``)."""
        if self.archive is not None:
            kinds = self.archive.folders[self.path.parts]
        else:
            kinds = [], []
            with os.scandir(self.path) as entries:
                for entry in entries:
                    kinds[entry.is_dir()].append(entry.name)
        files, folders = (sorted(name for name in names if not is_litter(name)) for names in kinds)
        try:
            "".join(files + folders).encode()
        except UnicodeEncodeError:
            raise DataError(f"{self}: file names must be UTF-8, found others. Rename these files.") from None
        return files, folders

    def open(self) -> BinaryIO:
        """Open a file to read its bytes.

        Raises:
            OSError: not to be read, or not a regular file: a pipe or a device may never end.
        """
        if self.archive is None:
            return open_regular(self.path)
        return BytesIO(self.archive.read(self.path.parts))

    def read_bytes(self, most: int) -> bytes:
        """Return a file's bytes.

        Raises:
            OSError: not to be read, not a regular file, or more than ``most`` bytes.
        """
        if self.archive is None:
            return read_regular(self.path, most)
        return self.archive.read(self.path.parts, most)

    def head(self, count: int) -> bytes:
        """Return a file's first bytes; none where it cannot be read."""
        try:
            with self.open() as file:
                return file.read(count)
        except OSError:
            return b""

    def describe(self) -> str:
        """Say in a few words what is there, for messages."""
        if not self.is_folder:
            return f"a file of another kind ({self.suffix or 'no suffix'})" if self.head(1) else "an empty file"
        parts = []
        for names, kind in zip(self.lists(), ("file", "folder"), strict=True):
            if names:
                shown = ", ".join(names[:3]) + ", ..." * (len(names) > 3)
                parts.append(f"{len(names):,} {kind}{'s' * (len(names) > 1)} ({printable(shown)})")
        return " and ".join(parts) or "an empty folder"


def folder_of(archive: Archive) -> Place:
    """Return an open archive as a folder."""
    return Place(PurePosixPath(), archive)


def printable(text: str) -> str:
    r"""Return text in which what could break a line or steer a terminal is written as its code.

    >>> printable("a\x1b[31mb.jpg")
    'a\\x1b[31mb.jpg'
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
