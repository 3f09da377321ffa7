"""The cache: each dataset is parsed once and then opened as a memory map, found by what its source holds."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.datasets.image_set import ImageSet
from study.datasets.layout import Layout
from study.datasets.raw_set import Allocate
from study.spec import canonical_json

VERSION = "1"
"""Part of every key: a change of what readers make of the same files must raise it."""

_EXACT_FILES = 2000
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Parsed:
    """A parsed dataset.

    Attributes:
        image_set: The finished set.
        drawn_split: True where its split depends on the seed.
        left_out: One line for each file that could not be read.
    """

    image_set: ImageSet
    drawn_split: bool
    left_out: tuple[str, ...] = ()


def default_dir() -> Path:
    """Return the place of the cache: ``$STUDY_CACHE``, otherwise below the user's cache folder, never beside the data."""
    if chosen := os.environ.get("STUDY_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "facial-emotion-study"


class Cache:
    """Finished image sets on disk.

    ``sources/`` maps what a glance at the source shows (names, sizes, times) to the hash of its content; ``sets/`` holds
    one folder per content. A moved, copied or touched source is therefore hashed again but not parsed again, and a
    changed one is parsed anew. Folders appear by renaming only when they are complete.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def get(self, layout: Layout, name: str, seed: int, recheck: bool = False) -> Parsed | None:
        """Return the parsed set of a source, None where it is not there or damaged.

        Args:
            layout: The source.
            name: Name of the set, part of its identity here.
            seed: Seed of a drawn split.
            recheck: Hash the whole source even where a glance shows no change.
        """
        index = self._index(layout)
        content = None
        if not recheck:
            with contextlib.suppress(OSError, UnicodeDecodeError):
                content = index.read_text()
        if content is None:
            content = content_hash(layout)
            with contextlib.suppress(OSError):
                _write_text(index, content)
        for key in _keys(content, name, seed):
            parsed = _read(self.root / "sets" / key)
            if parsed is not None:
                return parsed
        return None

    @contextlib.contextmanager
    def fill(self) -> Iterator[tuple[Path, Allocate]]:
        """Give a scratch folder in the cache and an allocator of memory maps in it; it is gone afterwards.

        Raises:
            OSError: the place cannot be written.
        """
        (self.root / "sets").mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".filling-", dir=self.root / "sets"))
        count = 0

        def allocate(shape: tuple[int, ...]) -> NDArray[np.uint8]:
            nonlocal count
            need, free = int(np.prod(shape)), shutil.disk_usage(scratch).free
            if need > free:  # writing to a map of a full disk would kill the process
                raise OSError(f"{need >> 20} MiB are needed, {free >> 20} MiB are free")
            count += 1
            return np.lib.format.open_memmap(scratch / f"{count}.npy", mode="w+", dtype=np.uint8, shape=shape)

        try:
            yield scratch, allocate
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def put(self, scratch: Path, layout: Layout, name: str, seed: int, parsed: Parsed) -> Parsed:
        """Store a set that was made in ``fill`` and return it as opened from the cache."""
        content = self._index(layout).read_text()
        any_seed, one_seed = _keys(content, name, seed)
        key = one_seed if parsed.drawn_split else any_seed
        ready = scratch / "ready"
        ready.mkdir()
        _write(ready, parsed)
        target = self.root / "sets" / key
        if target.exists():  # damaged, or another process was quicker; either way this one is whole
            target.rename(scratch / "replaced")
        ready.rename(target)
        stored = _read(target)
        return parsed if stored is None else stored

    def _index(self, layout: Layout) -> Path:
        return self.root / "sources" / glance(layout)


def glance(layout: Layout) -> str:
    """Return a hash of the source's place, names, sizes and times, made in well under 0.1 s.

    Up to 2,000 files are looked at one by one. In larger folders it is every n-th of them, with all names and the times
    of all folders: adding, removing, renaming or replacing a file and rewriting many are seen at once, rewriting a
    single one in place only by ``recheck``.
    """
    digest = hashlib.sha256(VERSION.encode())
    digest.update(os.fsencode(layout.path.resolve()))
    if not layout.folders:
        digest.update(_stat(layout.path))
    total = sum(len(folder.files) for folder in layout.folders)
    step = -(-total // _EXACT_FILES) if total else 1
    for folder in layout.folders:
        place = layout.path / folder.folder
        digest.update(f"{folder.folder}\0{folder.label}\0{folder.split}".encode("utf-8", "surrogateescape"))
        digest.update(_stat(place))
        digest.update("\0".join(folder.files + folder.others).encode("utf-8", "surrogateescape"))
        for name in folder.files[::step]:
            digest.update(_stat(f"{place}/{name}"))
    return digest.hexdigest()


def content_hash(layout: Layout) -> str:
    """Return the sha256 (hex) of everything in the source: relative paths and bytes of all files."""
    digest = hashlib.sha256()
    if not layout.folders:
        with layout.path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    for folder in layout.folders:
        for name in folder.files:
            content = hashlib.sha256((layout.path / folder.folder / name).read_bytes()).hexdigest()
            digest.update(f"{folder.folder}/{name}\0{content}\n".encode("utf-8", "surrogateescape"))
        digest.update("\0".join(folder.others).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _keys(content: str, name: str, seed: int) -> tuple[str, str]:
    """Return the folder names of a set whose split is given and of one whose split was drawn from a seed."""
    key = hashlib.sha256(f"{VERSION}\0{content}\0{name}".encode()).hexdigest()[:32]
    return key, f"{key}-seed_{seed}"


def _stat(path: Path | str) -> bytes:
    state = os.stat(path)
    return b"%d %d %d %d\n" % (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}-{os.getpid()}")
    scratch.write_text(text)
    scratch.replace(path)


def _write(folder: Path, parsed: Parsed) -> None:
    """Write a set into an empty folder: images.npy, arrays.npz and set.json."""
    data = parsed.image_set
    target = folder / "images.npy"
    source = getattr(data.images, "filename", None)
    if source and Path(source).parent == folder.parent and Path(source).stat().st_size - data.images.offset == data.images.nbytes:
        data.images.flush()  # type: ignore[attr-defined]
        Path(source).rename(target)
    else:
        np.save(target, data.images)
    np.savez(folder / "arrays.npz", labels=data.labels, ids=data.ids, splits=data.splits, hashes=data.hashes)
    state = target.stat()
    about = {
        "images": {"size": state.st_size, "mtime_ns": state.st_mtime_ns, "sha256": _sha256(target)},
        "name": data.name,
        "classes": data.classes,
        "fingerprint": data.fingerprint,
        "split_source": data.split_source,
        "notes": data.notes,
        "drawn_split": parsed.drawn_split,
        "left_out": parsed.left_out,
    }
    text = canonical_json(about)
    (folder / "set.json").write_text(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}", encoding="utf-8")


def _read(folder: Path) -> Parsed | None:
    """Open a stored set, None where it is missing or damaged.

    The checksum of the images is computed only where size or time differ from those noted when they were written.
    """
    target = folder / "images.npy"
    try:
        checksum, text = (folder / "set.json").read_text(encoding="utf-8").split("\n", 1)
        if hashlib.sha256(text.encode()).hexdigest() != checksum:
            return None
        about = json.loads(text)
        state, noted = target.stat(), about["images"]
        same_file = (state.st_size, state.st_mtime_ns) == (noted["size"], noted["mtime_ns"])
        if not same_file and _sha256(target) != noted["sha256"]:
            return None
        images = np.load(target, mmap_mode="r")
        with np.load(folder / "arrays.npz") as arrays:
            labels, ids, splits, hashes = (arrays[name] for name in ("labels", "ids", "splits", "hashes"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    image_set = ImageSet(
        name=about["name"],
        images=images,
        labels=labels,
        classes=tuple(about["classes"]),
        ids=ids,
        splits=splits,
        hashes=hashes,
        fingerprint=about["fingerprint"],
        split_source=about["split_source"],
        notes=tuple(about["notes"]),
    )
    return Parsed(image_set, about["drawn_split"], tuple(about["left_out"]))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
