"""Archives as folders: the files in a .zip or .tar are read where they are, and nothing is unpacked by name."""

from __future__ import annotations

import io
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from study.datasets.readers.archives.limits import Counter, Limits
from study.datasets.readers.archives.tar import FOLDER, read_tar

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_ENCRYPTED = 1
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError, RuntimeError)

Parts = tuple[str, ...]


def is_archive(path: Path) -> bool:
    """Tell by its name whether a path is an archive that can be read."""
    return path.name.lower().endswith(SUFFIXES)


def archive_stem(path: Path) -> str:
    """Return the name of an archive without its suffixes."""
    name = path.name
    suffix = max((one for one in SUFFIXES if name.lower().endswith(one)), key=len, default="")
    return name[: len(name) - len(suffix)]


class Member:
    """A file or folder in an archive; it offers what readers use of ``pathlib.Path``."""

    def __init__(self, archive: Archive, parts: Parts = ()) -> None:
        self.archive = archive
        self.parts = parts

    def __truediv__(self, name: str) -> Member:
        return Member(self.archive, (*self.parts, *name.split("/")))

    def __str__(self) -> str:
        return "/".join([str(self.archive.path), *self.parts])

    @property
    def name(self) -> str:
        """The last part of the name."""
        return self.parts[-1] if self.parts else self.archive.path.name

    def is_dir(self) -> bool:
        """Tell whether it is a folder."""
        return self.parts in self.archive.folders

    def lists(self) -> tuple[list[str], list[str]]:
        """Return the names of the files and of the folders in it."""
        return self.archive.folders[self.parts]

    def open(self, mode: str = "rb") -> BinaryIO:
        """Return its bytes to read from."""
        return io.BytesIO(self.read_bytes())

    def read_bytes(self, most: int | None = None) -> bytes:
        """Return its bytes.

        Raises:
            OSError: they cannot be read, or are more than ``most``.
        """
        if most is not None and self.archive.size(self.parts) > most:
            raise OSError(f"more than {most >> 20} MiB")
        return self.archive.read(self.parts)


class Archive:
    """An open archive of which the wanted files can be read in any order, from any thread.

    A zip is read in place. A tar is gone through once, and the wanted files' bytes are kept in one nameless temporary
    file.

    Args:
        path: The archive.
        limits: What it may hold.
        wanted: Told a file's name, whether it will be read; others are only listed.

    Raises:
        DataError: anything but files and folders with plain relative names, limits passed, damage.
    """

    def __init__(self, path: Path, limits: Limits, wanted: Callable[[str], bool]) -> None:
        self.path = path
        self.folders: dict[Parts, tuple[list[str], list[str]]] = {(): ([], [])}
        self._files: set[Parts] = set()
        self._lock = Lock()
        self._counter = Counter(path, limits)
        self._file: BinaryIO | None = None
        self._zip: zipfile.ZipFile | None = None
        self._places: dict[Parts, tuple[int, int]] = {}
        self._entries: dict[Parts, zipfile.ZipInfo] = {}
        try:
            if path.name.lower().endswith(".zip"):
                self._list_zip(wanted)
            else:
                self._read_tar(wanted)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def root(self) -> Member:
        """The archive as a folder."""
        return Member(self)

    def close(self) -> None:
        """Close the archive and drop what was kept of it."""
        for file in (self._file, self._zip):
            if file is not None:
                file.close()

    def size(self, parts: Parts) -> int:
        """Return the size of a wanted file in bytes, 0 for others."""
        return self._places[parts][1] if parts in self._places else getattr(self._entries.get(parts), "file_size", 0)

    def read(self, parts: Parts) -> bytes:
        """Return the bytes of a wanted file.

        Raises:
            OSError: there is no such file, or it is damaged.
        """
        with self._lock:
            if parts in self._places and self._file is not None:
                start, size = self._places[parts]
                self._file.seek(start)
                return self._file.read(size)
            if parts in self._entries and self._zip is not None:
                try:
                    return self._zip.read(self._entries[parts])
                except _DAMAGE as error:
                    raise OSError(f"damaged in the archive ({error})") from error
        raise FileNotFoundError(f"{'/'.join(parts)} is not kept of {self.path}")

    def _read_tar(self, wanted: Callable[[str], bool]) -> None:
        spool = self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        start = 0

        def keep(parts: Parts) -> BinaryIO | None:
            nonlocal start
            start = spool.tell()
            return spool if parts and wanted(parts[-1]) else None

        for parts, kind, size in read_tar(self.path, self._counter, keep):
            if kind == FOLDER:
                self._add_folder(parts)
                continue
            self._add_file(parts)
            if spool.tell() > start or (not size and wanted(parts[-1])):
                self._places[parts] = (start, size)

    def _list_zip(self, wanted: Callable[[str], bool]) -> None:
        try:
            self._zip = zipfile.ZipFile(self.path)
            entries = self._zip.infolist()
        except _DAMAGE as error:
            self._counter.refuse_damaged(error)
        self._counter.expect_members(len(entries))
        for entry in entries:
            parts = self._counter.add_member(entry.orig_filename, entry.file_size)
            self._counter.add_bytes(entry.file_size)  # reading never gives more than is stated here
            if entry.compress_size > self._counter.packed:  # zipfile would ask for so much memory at once
                self._counter.refuse_damaged("a file is larger than the archive")
            kind = stat.S_IFMT(entry.external_attr >> 16)
            folder = entry.orig_filename.endswith("/")
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR) > folder:
                self._counter.refuse("files and folders", f"a link or a device: {ascii(entry.filename[:80])}")
            if entry.flag_bits & _ENCRYPTED:
                self._counter.refuse("files that anyone can read", "encrypted ones")
            if entry.compress_type not in _METHODS:
                self._counter.refuse("files packed as zip usually does", f"method {entry.compress_type}")
            if folder:
                self._add_folder(parts)
            else:
                self._add_file(parts)
                if wanted(parts[-1]):
                    self._entries[parts] = entry

    def _add_file(self, parts: Parts) -> None:
        if not parts or parts in self._files or parts in self.folders:
            self._counter.refuse("different names", f"{ascii('/'.join(parts)[:80])} twice")
        self._add_folder(parts[:-1])
        self._files.add(parts)
        self.folders[parts[:-1]][0].append(parts[-1])

    def _add_folder(self, parts: Parts) -> None:
        for depth in range(1, len(parts) + 1):
            if parts[:depth] in self.folders:
                continue
            if parts[:depth] in self._files:
                self._counter.refuse("different names", f"{ascii('/'.join(parts[:depth])[:80])} twice")
            self.folders[parts[:depth]] = ([], [])
            self.folders[parts[: depth - 1]][1].append(parts[depth - 1])
