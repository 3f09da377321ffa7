"""Reading tar archives front to back: files and folders only, every byte counted, nothing written to disk by name."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from study.datasets.readers.archives.limits import Counter

_BLOCK = 512
_CHUNK = 1 << 20
_LONGEST_EXTRA = 1 << 16
_XZ_MEMORY = 256 << 20  # xz -9 needs 65 MiB; a file may ask for gigabytes
_DAMAGE = (tarfile.HeaderError, lzma.LZMAError, zlib.error, EOFError, gzip.BadGzipFile)

FILE, FOLDER = "file", "folder"


class Source(Protocol):
    """What an archive is unpacked from, byte by byte."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""


def read_tar(
    path: Path, counter: Counter, keep: Callable[[tuple[str, ...]], BinaryIO | None]
) -> Iterator[tuple[tuple[str, ...], str, int]]:
    """Go through a tar archive, packed with gzip, xz or bzip2 or not at all.

    Args:
        path: The archive.
        counter: Its limits.
        keep: Told the parts of each file's name, it returns where the bytes go, or None to skip them.

    Yields:
        The parts of each member's name, ``FILE`` or ``FOLDER``, and its size, once its bytes have been kept.

    Raises:
        DataError: links, devices or anything else that is no file or folder, unsafe names, limits passed, damage.
    """
    try:
        with path.open("rb") as file, _unpacked(file) as source:
            yield from _members(_Counted(source, counter), counter, keep)
    except _DAMAGE as error:
        counter.refuse_damaged(error)
    except OSError as error:
        if error.errno is not None:  # a full or broken disk
            raise
        counter.refuse_damaged(error)  # bz2


def _members(
    source: _Counted, counter: Counter, keep: Callable[[tuple[str, ...]], BinaryIO | None]
) -> Iterator[tuple[tuple[str, ...], str, int]]:
    extra: dict[str, str] = {}
    while True:
        header = source.exactly(_BLOCK)
        if not header.strip(b"\0"):
            source.finish()
            return
        member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        if member.type in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE):
            if not 0 <= member.size <= _LONGEST_EXTRA:
                counter.refuse("files with plain relative names", f"a header of {member.size:,} bytes")
            text = source.padded(member.size)
            if member.type == tarfile.GNUTYPE_LONGNAME:
                extra["path"] = text.rstrip(b"\0").decode("utf-8", "surrogateescape")
            elif member.type != tarfile.XGLTYPE:  # what is said of all members is nothing that is needed here
                extra |= _pax(text)
            continue
        name, size = extra.get("path", member.name), _number(extra.get("size"), member.size)
        sparse = any(key.startswith("GNU.sparse") for key in extra)
        extra = {}
        if member.type == tarfile.DIRTYPE:
            yield counter.add_member(name, 0), FOLDER, 0
            source.padded(max(0, size))
            continue
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE) or sparse:
            counter.refuse("files and folders", f"a link, a device or another kind of entry: {ascii(name[:80])}")
        parts = counter.add_member(name, size)
        if member.type == tarfile.AREGTYPE and name.endswith("/"):  # how the oldest tar programs wrote folders
            yield parts, FOLDER, 0
            continue
        source.copy(size, keep(parts))
        yield parts, FILE, size


class _Counted:
    """Reads a source in full blocks and counts what comes out of it."""

    def __init__(self, source: Source, counter: Counter) -> None:
        self.source = source
        self.counter = counter

    def exactly(self, size: int) -> bytes:
        """Return ``size`` bytes (at most 1 MiB)."""
        parts, missing = [], size
        while missing:
            part = self.source.read(missing)
            if not part:
                break
            self.counter.add_bytes(len(part))
            parts.append(part)
            missing -= len(part)
        if missing:
            raise EOFError("it ends too early")
        return b"".join(parts)

    def finish(self) -> None:
        """Read to the end, where packed data bring their checksum."""
        while part := self.source.read(_CHUNK):
            self.counter.add_bytes(len(part))

    def padded(self, size: int) -> bytes:
        """Return a short member's bytes and skip the rest of its last block."""
        return self.exactly(size + -size % _BLOCK)[:size] if size <= _CHUNK else self.copy(size, None)

    def copy(self, size: int, target: BinaryIO | None) -> bytes:
        """Copy a member's bytes, skip the rest of its last block, return nothing."""
        missing = size
        while missing:
            part = self.exactly(min(missing, _CHUNK))
            missing -= len(part)
            if target is not None:
                target.write(part)
        self.exactly(-size % _BLOCK)
        return b""


def _pax(text: bytes) -> dict[str, str]:
    """Return the entries of an extended header: lines ``LENGTH KEY=VALUE``."""
    found = {}
    while text:
        length, _, _ = text.partition(b" ")
        if not length.isdigit() or not len(length) + 2 < int(length) <= len(text):
            raise tarfile.HeaderError("an extended header is not written as it should be")
        line, text = text[len(length) + 1 : int(length) - 1], text[int(length) :]
        key, _, value = line.partition(b"=")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
    return found


def _number(text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise tarfile.HeaderError("a size is no number")
    return int(text)


@contextmanager
def _unpacked(file: BinaryIO) -> Iterator[Source]:
    """Give what a file holds, unpacked as its first bytes say."""
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=file) as source:
            yield source
    elif start.startswith(b"BZh"):
        with bz2.BZ2File(file) as source:
            yield source
    elif start == b"\xfd7zXZ\0":
        yield _Xz(file)
    else:
        yield file


class _Xz:
    """Reads an xz file without ever taking more memory than ``_XZ_MEMORY``, whatever dictionary it asks for."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        while True:
            if self.decoder.eof:
                rest = self.decoder.unused_data or self.file.read(_CHUNK)
                rest = rest.lstrip(b"\0")  # padding between streams
                if not rest:
                    return b""
                self.decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
            else:
                rest = self.file.read(_CHUNK) if self.decoder.needs_input else b""
                if not rest and self.decoder.needs_input:
                    raise EOFError("it ends too early")
            if part := self.decoder.decompress(rest, size):
                return part
