"""Archives as folders: the files in a .zip or .tar are read where they are, within limits; none is written by name."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import BinaryIO, NoReturn

from study.core.errors import DataError, UsageError
from study.core.files import open_regular, too_large

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
DEFAULT_GIB = 4.0
"""Default limit on what an archive unpacks to; FER-2013's csv takes 0.3 GiB."""

_GIB = 1 << 30
_MOST_GIB = 1_000_000
_FREE_BYTES = 16 << 20  # what small archives may unpack to whatever the ratio
_CHUNK = 1 << 20
_LONGEST_HEADER = 1 << 16
_XZ_MEMORY = 256 << 20  # xz -9 needs 65 MiB; a file may ask for gigabytes
_LONGEST_NAME, _LONGEST_PART, _DEEPEST = 1024, 255, 16
_DRIVE, _ODD, _HALVES = re.compile(r"[A-Za-z]:"), re.compile(r"[\\\x00-\x1f\x7f]"), re.compile("[\ud800-\udfff]")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_ENCRYPTED, _UTF8 = 0x1, 0x800  # flags of zip entries

Parts = tuple[str, ...]


def is_archive(name: str) -> bool:
    """Tell by its name whether a file is an archive that can be read."""
    return name.lower().endswith(SUFFIXES)


def archive_stem(name: str) -> str:
    """Return the name of an archive without its suffixes.

    >>> archive_stem("faces.tar.xz")
    'faces'
    """
    suffix = max((one for one in SUFFIXES if name.lower().endswith(one)), key=len, default="")
    return name[: len(name) - len(suffix)]


@dataclass(frozen=True)
class Limits:
    """What an archive may hold: unpacked bytes in all (also of what is skipped) and in a file, entries, the ratio."""

    total_bytes: int
    member_bytes: int
    members: int
    ratio: float

    @classmethod
    def of(cls, gib: float = DEFAULT_GIB) -> Limits:
        """Return the limits for archives that unpack to at most some GiB.

        Raises:
            UsageError: not a number, or more than a million.
        """
        if not 0 < gib <= _MOST_GIB:
            raise UsageError(f"an archive may unpack to more than 0 and at most {_MOST_GIB:,} GiB, got {gib:g}.")
        return cls(int(gib * _GIB), int(gib * _GIB / 4), int(gib * 20_000), gib * 50)


class Archive(AbstractContextManager["Archive"]):
    """An open archive whose files can be read in any order, from any thread.

    A zip is read in place. A tar is gone through once, and the bytes of the files that are wanted by their names are
    kept in one nameless temporary file.

    Raises:
        DataError: anything but files and folders with plain relative names, limits passed, damage.
    """

    def __init__(self, path: Path, limits: Limits, wanted: Callable[[str], bool]) -> None:
        self.path = path
        #: Names of the files and of the folders in each folder.
        self.folders: dict[Parts, tuple[list[str], list[str]]] = {(): ([], [])}
        self.files: dict[Parts, int] = {}  #: Size in bytes of each file.
        self._lock = Lock()
        self._counter = _Counter(path, limits)
        self._contents: dict[Parts, Callable[[], bytes]] = {}
        self._file = open_regular(path)
        try:
            if path.name.lower().endswith(".zip"):
                self._list_zip()
            else:
                self._read_tar(wanted)
        except BaseException as error:
            self._file.close()
            of_disk = isinstance(error, OSError) and error.errno is not None
            if of_disk or isinstance(error, DataError | MemoryError) or not isinstance(error, Exception):
                raise
            self._counter.refuse_damaged(error)  # libraries raise many kinds

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self, parts: Parts, most: int | None = None) -> bytes:
        """Return the bytes of a file.

        Raises:
            OSError: there is no such file, it was not wanted, it is larger than ``most``, or it is damaged.
        """
        content = self._contents.get(parts)
        if content is None:
            raise FileNotFoundError(None, "not kept of the archive", "/".join([str(self.path), *parts]))
        if most is not None and self.files[parts] > most:
            raise too_large(most)
        with self._lock:
            try:
                return content()
            except Exception as error:  # zipfile and what it unpacks with raise many kinds on damage
                raise OSError(None, f"damaged in the archive ({_first_line(error)})") from error

    def _list_zip(self) -> None:
        archive = zipfile.ZipFile(self._file)
        entries = archive.infolist()
        self._counter.add_members(len(entries))
        for entry in entries:
            name = entry.orig_filename
            if not entry.flag_bits & _UTF8:  # macOS writes UTF-8 without saying so, zipfile then takes it for cp437
                with suppress(UnicodeError):
                    name = name.encode("cp437").decode("utf-8")
            parts = self._counter.parts(name, entry.file_size)
            self._counter.add_bytes(entry.file_size)  # reading never gives more than is stated here
            if entry.compress_size > self._counter.packed:  # zipfile would ask for so much memory at once
                self._counter.refuse_damaged("a file is larger than the archive")
            kind = stat.S_IFMT(entry.external_attr >> 16)
            folder = name.endswith("/")
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR) > folder:
                self._counter.refuse("files and folders", f"a link or a device: {_shown(name)}")
            if entry.flag_bits & _ENCRYPTED:
                self._counter.refuse("files that anyone can read", "encrypted ones")
            if entry.compress_type not in _METHODS:
                self._counter.refuse("files packed as zip usually does", f"method {entry.compress_type}")
            if folder:
                self._add_folder(parts)
            else:
                self._add_file(parts, entry.file_size)
                self._contents[parts] = partial(archive.read, entry)

    def _read_tar(self, wanted: Callable[[str], bool]) -> None:
        packed, self._file = self._file, tempfile.TemporaryFile()  # noqa: SIM115 - closed on exit
        with packed:
            stream = _Forward(_unpacked(packed), self._counter)
            with tarfile.TarFile(fileobj=stream, encoding="utf-8", errors="surrogateescape") as tar:  # type: ignore[arg-type]
                while (member := tar.next()) is not None:
                    self._add_tar_member(member, stream, wanted)
                    tar.members.clear()  # type: ignore[attr-defined] # it would keep them all
                    stream.header_left = _LONGEST_HEADER
            stream.finish()

    def _add_tar_member(self, member: tarfile.TarInfo, stream: _Forward, wanted: Callable[[str], bool]) -> None:
        self._counter.add_members(1)
        if member.isdir():
            self._add_folder(self._counter.parts(member.name, 0))
            return
        parts = self._counter.parts(member.name, member.size)
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE) or member.sparse is not None:
            self._counter.refuse(
                "files and folders", f"a link, a device or another kind of entry: {_shown(member.name)}"
            )
        self._add_file(parts, member.size)
        if wanted(parts[-1]):
            self._contents[parts] = partial(self._kept, self._file.tell(), member.size)
            stream.seek(member.offset_data)
            stream.copy(member.size, self._file)

    def _kept(self, start: int, size: int) -> bytes:
        self._file.seek(start)
        return self._file.read(size)

    def _add_file(self, parts: Parts, size: int) -> None:
        if not parts or parts in self.files or parts in self.folders:
            self._counter.refuse("different names", f"{_shown('/'.join(parts))} twice")
        self._add_folder(parts[:-1])
        self.files[parts] = size
        self.folders[parts[:-1]][0].append(parts[-1])

    def _add_folder(self, parts: Parts) -> None:
        for depth in range(1, len(parts) + 1):
            if parts[:depth] in self.folders:
                continue
            if parts[:depth] in self.files:
                self._counter.refuse("different names", f"{_shown('/'.join(parts[:depth]))} twice")
            self.folders[parts[:depth]] = ([], [])
            self.folders[parts[: depth - 1]][1].append(parts[depth - 1])


class _Counter:
    """Counts what an archive unpacks to, and refuses it as soon as a limit is passed."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self.limits = limits
        self.packed = max(1, path.stat().st_size)
        self.unpacked = 0
        self.members = 0

    def add_bytes(self, count: int) -> None:
        """Count unpacked bytes; refuse too many in all, or for the archive's size."""
        self.unpacked += count
        if self.unpacked > self.limits.total_bytes:
            self._refuse_size(f"at most {_size(self.limits.total_bytes)} unpacked", "more")
        if self.unpacked > max(_FREE_BYTES, self.limits.ratio * self.packed):
            self._refuse_size(f"at most {self.limits.ratio:g} times its packed size", "more (as in a bomb)")

    def add_members(self, count: int) -> None:
        """Count files and folders; refuse too many."""
        self.members += count
        if self.members > self.limits.members:
            self._refuse_size(f"at most {self.limits.members:,} files", f"more ({self.members:,})")

    def parts(self, name: str, size: int) -> Parts:
        """Return the parts of a file's or folder's name; refuse names that no archive of a dataset has, and sizes."""
        if not 0 <= size <= self.limits.member_bytes:
            most = _size(self.limits.member_bytes)
            self._refuse_size(f"files of at most {most}", f"{_shown(name)} of {min(size, 1 << 63):,} bytes")
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        longest = max(map(len, parts), default=0)
        too_long = len(name) > _LONGEST_NAME or len(parts) > _DEEPEST or longest > _LONGEST_PART
        for wrong, what in (
            (name.startswith("/") or _DRIVE.match(name), "an absolute name"),
            (".." in parts, "a name that leads out of it"),
            (_ODD.search(name), "a name with a backslash or a control character"),
            (_HALVES.search(name), "a name that is not UTF-8"),
            (too_long, "a name that is too long or too deep"),
        ):
            if wrong:
                self.refuse("files with plain relative names", f"{what}: {_shown(name)}")
        return parts

    def refuse(self, expected: str, found: str) -> NoReturn:
        """Refuse what an archive holds."""
        raise DataError(
            f"{self.path}: expected an archive of {expected}, found {found}. If you trust it, unpack it yourself and "
            "give the folder."
        )

    def refuse_damaged(self, reason: object) -> NoReturn:
        """Refuse an archive that cannot be read to its end."""
        raise DataError(
            f"{self.path}: expected a whole archive, found one that is damaged or cut off ({_first_line(reason)}). Get "
            "a fresh copy."
        )

    def _refuse_size(self, expected: str, found: str) -> NoReturn:
        raise DataError(
            f"{self.path}: expected {expected}, found {found}. If you trust the archive, raise the limits with "
            "--archive-gib N, or unpack it and give the folder."
        )


class _Forward:
    """What ``tarfile`` reads from: forward only, every byte counted, headers bounded.

    ``tarfile`` takes a damaged header in the middle of an archive for its end, and reads headers of any size: so the
    last block is kept for ``finish`` to check, and ``header_left`` says how much may be read until the next member.
    """

    def __init__(self, read_up_to: Callable[[int], bytes], counter: _Counter) -> None:
        self._read_up_to = read_up_to
        self._counter = counter
        self._place = 0
        self._last = b""
        self.header_left = _LONGEST_HEADER

    def tell(self) -> int:
        """Return how much was read."""
        return self._place

    def read(self, size: int) -> bytes:
        """Return the next bytes of a header; fewer only at the end."""
        self.header_left -= size
        if self.header_left < 0:
            self._counter.refuse("files with plain relative names", f"a header of more than {_LONGEST_HEADER:,} bytes")
        self._last = self._take(size)
        return self._last

    def seek(self, place: int) -> None:
        """Skip bytes."""
        if place < self._place:
            raise ValueError("a size is negative")
        self.copy(place - self._place, None)

    def copy(self, size: int, target: BinaryIO | None) -> None:
        """Copy a file's bytes, or skip them."""
        while size:
            part = self._take(min(size, _CHUNK))
            if not part:
                raise EOFError("it ends too early")
            size -= len(part)
            if target is not None:
                target.write(part)

    def finish(self) -> None:
        """Check that a tar ended with empty blocks, and read to the end, where packed data bring their checksum."""
        if len(self._last) != tarfile.BLOCKSIZE or self._last.strip(b"\0"):
            raise EOFError("a header is damaged or missing")
        while self._take(_CHUNK):
            pass

    def _take(self, size: int) -> bytes:
        parts, missing = [], size
        while missing and (part := self._read_up_to(missing)):
            self._counter.add_bytes(len(part))
            parts.append(part)
            missing -= len(part)
        self._place += size - missing
        return b"".join(parts)


def _unpacked(file: BinaryIO) -> Callable[[int], bytes]:
    """Return what reads up to so many bytes of a file, unpacked as its first bytes say; none at the end."""
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file).read
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file).read
    return _Xz(file).read if start == b"\xfd7zXZ\0" else file.read


class _Xz:
    """Reads an xz file with at most ``_XZ_MEMORY``; ``lzma.LZMAFile`` has no such limit."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        while True:
            if self._decoder.eof:
                rest = (self._decoder.unused_data or self._file.read(_CHUNK)).lstrip(b"\0")  # padding between streams
                if not rest:
                    return b""
                self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
            else:
                rest = self._file.read(_CHUNK) if self._decoder.needs_input else b""
                if not rest and self._decoder.needs_input:
                    raise EOFError("it ends too early")
            if part := self._decoder.decompress(rest, size):
                return part


def _first_line(reason: object) -> str:
    return (str(reason).strip().splitlines() or [""])[0][:80] or type(reason).__name__


def _size(count: int) -> str:
    return f"{count / _GIB:.3g} GiB"


def _shown(name: str) -> str:
    """Return a name as it may stand in a message of one line."""
    return ascii(name if len(name) <= 80 else f"{name[:77]}...")
