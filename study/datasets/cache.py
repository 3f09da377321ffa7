"""The cache: each dataset is parsed once, then opened as a memory map and found by its content."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.arrays import read_array
from study.core.errors import WriteError
from study.core.files import (
    DAMAGED,
    clear_left,
    file_sha256,
    open_regular,
    read_regular,
    temporary_path,
    write_atomically,
)
from study.core.spec import SPLITS, canonical_json
from study.datasets.image_set import ImageSet
from study.datasets.readers.entry import READERS, Allocate, Source

VERSION = "3"
"""Part of every key. Raise it whenever a reader of the package makes something else of the same files."""

_FIELDS = ("name", "classes", "fingerprint", "split_source", "drawn", "bound", "notes", "settings")
_ARRAYS = ("images", "labels", "ids", "splits", "hashes")
_EXACT_FILES = 2000
_MOST_BYTES = 1 << 31


class CacheError(Exception):
    """The cache cannot be written. The data can still be read without it."""


@dataclass(frozen=True)
class Parsed:
    """A parsed dataset."""

    image_set: ImageSet  #: The finished set.
    drawn_split: bool  #: True where its split depends on the seed.
    left_out: tuple[str, ...] = ()  #: One line for each file that could not be read.


def default_dir() -> Path:
    """Return where the cache is: ``$STUDY_CACHE`` or below the user's cache folder, never beside the data."""
    if chosen := os.environ.get("STUDY_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "facial-emotion-study"


class Cache:
    """Finished image sets on disk.

    ``sources/`` maps what a glance at the source shows (names, sizes, times) to the hash of its content; ``sets/``
    holds one folder per content. A moved, copied or touched source is therefore hashed again but not parsed again, and
    a changed one is parsed again. Folders appear by renaming only when they are complete; damaged ones are set aside.
    With ``verify``, arrays are compared with their checksums even where their sizes and times have not changed.
    """

    def __init__(self, root: Path, verify: bool = False, log: Callable[[str], None] = lambda line: None) -> None:
        self.root = root
        self.verify = verify
        self.log = log

    def content(self, source: Source, recheck: bool = False) -> str:
        """Return the hash of a source's content; ``recheck`` reads every byte even where a glance shows no change."""
        index = self.root / "sources" / glance(source)
        if not recheck:
            with contextlib.suppress(OSError, UnicodeDecodeError):
                noted = read_regular(index, _MOST_BYTES).decode()
                if len(noted) == 64:
                    return noted
        content = content_hash(source)
        with contextlib.suppress(WriteError):  # a cache that cannot be written shows when it is filled
            write_atomically(index, content.encode())
        return content

    def get(self, content: str, name: str, seed: int) -> Parsed | None:
        """Return the set parsed from some content under a name (of which the set's is made) and a drawn split's seed.

        It is None where it is missing or damaged; that is then set aside.
        """
        for folder in (self.root / "sets" / key for key in _keys(content, name, seed)):
            if (parsed := _read(folder, self.verify)) is not None:
                return parsed
            if folder.exists():
                self._set_aside(folder)
        return None

    @contextlib.contextmanager
    def fill(self) -> Iterator[tuple[Path, Allocate]]:
        """Give a scratch folder in the cache and an allocator of memory maps in it; it is gone afterwards.

        Raises:
            CacheError: the place cannot be written; the allocator raises it too.
        """
        with _writing():
            clear_left(self.root)
            scratch = temporary_path(self.root / "sets" / "filling")
            scratch.mkdir(parents=True)
        count = 0

        def allocate(shape: tuple[int, ...]) -> NDArray[np.uint8]:
            nonlocal count
            need, free = int(np.prod(shape)), shutil.disk_usage(scratch).free
            if need > free:  # writing to a map of a full disk would kill the process
                raise CacheError(f"{need >> 20} MiB are needed, {free >> 20} MiB are free")
            count += 1
            with _writing():
                return np.lib.format.open_memmap(scratch / f"{count}.npy", mode="w+", dtype=np.uint8, shape=shape)

        try:
            yield scratch, allocate
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def put(self, scratch: Path, content: str, name: str, seed: int, parsed: Parsed) -> Parsed:
        """Store a set that was made in ``fill`` and return it as opened from the cache.

        Raises:
            CacheError: the place cannot be written.
        """
        any_seed, one_seed = _keys(content, name, seed)
        target = self.root / "sets" / (one_seed if parsed.drawn_split else any_seed)
        ready = scratch / "ready"
        with _writing():
            ready.mkdir()
            _write(ready, parsed)
            if target.exists():  # another process was quicker, or it is damaged and could not be set aside
                target.rename(scratch / "replaced")
            ready.rename(target)
        stored = _read(target)
        return parsed if stored is None else stored

    def _set_aside(self, folder: Path) -> None:
        """Rename a damaged set; only its last damaged copy is kept, since the set can be made again."""
        target = folder.with_name(folder.name + DAMAGED)
        shutil.rmtree(target, ignore_errors=True)
        with contextlib.suppress(OSError):  # it is replaced when the set is stored again
            folder.rename(target)
            self.log(f"The cached copy of the data is damaged, set aside as {target.name}: the data are read again")


def glance(source: Source) -> str:
    """Return a hash of the source's place, names, sizes and times, made in well under 0.1 s.

    Up to 2,000 files are looked at one by one. Of more it is every n-th of them, with all names and the times of all
    folders: adding, removing, renaming or replacing a file and rewriting many are seen at once, rewriting a single one
    in place only by ``recheck``.
    """
    root = _on_disk(source)
    digest = hashlib.sha256(f"{VERSION}\0{_readers()}\0{source.reader}\0{source.plan}".encode())
    digest.update(os.fsencode(root.resolve()))
    for folder in sorted({path.rpartition("/")[0] for path in source.files if path}):
        digest.update(folder.encode() + b"\0" + _stat(f"{root}/{folder}"))
    digest.update("\0".join(source.files + source.others).encode())
    for path in source.files[:: -(-len(source.files) // _EXACT_FILES) or 1]:
        digest.update(_stat(f"{root}/{path}" if path else root))
    return digest.hexdigest()


def content_hash(source: Source) -> str:
    """Return the sha256 (hex) of the readers, and of the paths and bytes of all files that the source is read from."""
    root = _on_disk(source)
    digest = hashlib.sha256(f"{_readers()}\0{source.reader}\0{source.plan}\0".encode())
    for path in source.files:
        try:
            with open_regular(root / path if path else root) as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        except OSError:
            if not path:
                raise
            content = "unreadable"  # left out by the reader
        digest.update(f"{path}\0{content}\n".encode())
    digest.update("\0".join(source.others).encode())
    return digest.hexdigest()


def _readers() -> str:
    """Return the hashes of the plugins that registered readers; ``VERSION`` covers the package's own."""
    own = Path(__file__).parent / "readers"
    files = sorted({path for name in READERS.names() if (path := Path(READERS.file(name))).parent != own})
    return " ".join(file_sha256(path) for path in files if path.is_file())


def _on_disk(source: Source) -> Path:
    """Return where a source is; of one in an archive the archive as a whole is what the cache looks at."""
    if source.place.archive is not None:
        raise TypeError(f"{source.place} lies in an archive: the cache looks at the archive itself.")
    return Path(source.place.path)


def _keys(content: str, name: str, seed: int) -> tuple[str, str]:
    """Return the folder names of a set whose split is given and of one whose split was drawn from a seed."""
    key = hashlib.sha256(f"{VERSION}\0{content}\0{name}".encode()).hexdigest()[:32]
    return key, f"{key}-seed_{seed}"


def _stat(path: Path | str) -> bytes:
    try:
        state = os.stat(path)
    except OSError:
        return b"unreadable\n"
    return b"%d %d %d %d\n" % (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheError(error.strerror or str(error)) from error


def _write(folder: Path, parsed: Parsed) -> None:
    """Write a set into an empty folder: one .npy file for each array, and set.json with their checksums."""
    data = parsed.image_set
    if _is_whole_map(data.images, folder.parent):
        data.images.flush()  # type: ignore[attr-defined]
        Path(data.images.filename).rename(folder / "images.npy")  # type: ignore[attr-defined]
    else:
        np.save(folder / "images.npy", data.images)
    for name in _ARRAYS[1:]:
        np.save(folder / f"{name}.npy", getattr(data, name))
    about = {
        "files": {
            name: [*_size_and_time(folder / f"{name}.npy"), file_sha256(folder / f"{name}.npy")] for name in _ARRAYS
        },
        "drawn_split": parsed.drawn_split,
        "left_out": parsed.left_out,
        "set": {name: getattr(data, name) for name in _FIELDS},
    }
    text = canonical_json(about)
    (folder / "set.json").write_text(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}", encoding="utf-8")


def _read(folder: Path, verify: bool = False) -> Parsed | None:
    """Open a stored set, None where it is missing or damaged.

    Without ``verify``, checksums of the arrays are computed only where size or time differ from those noted when they
    were written.
    """
    try:
        checksum, text = read_regular(folder / "set.json", _MOST_BYTES).decode().split("\n", 1)
        if hashlib.sha256(text.encode()).hexdigest() != checksum:
            return None
        about = json.loads(text)
        for name, (size, time_ns, checksum) in about["files"].items():
            path = folder / f"{name}.npy"
            if (verify or _size_and_time(path) != (size, time_ns)) and file_sha256(path) != checksum:
                return None
        files = {name: read_regular(folder / f"{name}.npy", _MOST_BYTES) for name in _ARRAYS[1:]}
        arrays: dict[str, Any] = {name: read_array(data) for name, data in files.items()}
        open_regular(folder / "images.npy").close()  # a pipe would never open
        images = np.lib.format.open_memmap(folder / "images.npy", mode="r")
        about["set"] |= {name: tuple(about["set"][name]) for name in ("classes", "notes")}
        found = Parsed(
            ImageSet(images=images, **about["set"], **arrays), about["drawn_split"], tuple(about["left_out"])
        )
        return found if _whole(found) else None
    except Exception:  # numpy raises many kinds on damaged headers; a set that cannot be read is made again
        return None


def _whole(parsed: Parsed) -> bool:
    """Return whether what was read has the types and the sizes of a set."""
    data = parsed.image_set
    texts = [data.name, data.fingerprint, data.split_source, *data.classes, *data.notes, *parsed.left_out]
    count = len(data.images)
    return (
        all(isinstance(text, str) for text in texts)
        and isinstance(data.drawn, bool)
        and isinstance(parsed.drawn_split, bool)
        and isinstance(data.bound, int | float | None)
        and isinstance(data.settings, dict)
        and data.images.dtype == np.uint8
        and data.images.ndim == 4
        and [array.shape for array in (data.labels, data.ids, data.splits, data.hashes)] == [(count,)] * 4
        and (data.labels.dtype, data.splits.dtype, data.hashes.dtype) == (np.int64, np.uint8, np.dtype("S32"))
        and data.ids.dtype.kind == "U"
        and count > 0
        and 0 <= data.labels.min() <= data.labels.max() < len(data.classes)
        and data.splits.max() < len(SPLITS)
        and np.ascontiguousarray(data.hashes).view(np.uint8).max() < 128
    )


def _is_whole_map(images: NDArray[np.uint8], scratch: Path) -> bool:
    """Return True where an array is the whole of a file in the scratch folder: the file is kept as it is."""
    if not isinstance(images, np.memmap) or images.filename is None or Path(images.filename).parent != scratch:
        return False
    stored = np.lib.format.open_memmap(images.filename, mode="r")
    return bool(stored.shape == images.shape)


def _size_and_time(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns
