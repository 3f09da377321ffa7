"""The one entry to data: a path, the built-in faces, or what is in data/, as an image set."""

from __future__ import annotations

import errno
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from study.core.errors import DataError, UsageError, unknown_name
from study.core.spec import canonical_json
from study.datasets import cache as caching
from study.datasets import contamination, split
from study.datasets.image_set import ImageSet, hash_images, make_image_set
from study.datasets.readers import fer2013, kaggle, layout
from study.datasets.readers.archive import DEFAULT_GIB, Archive, Limits, archive_stem, is_archive
from study.datasets.readers.entry import READERS, Allocate, Log, Source, in_memory
from study.datasets.readers.place import folder_of, printable

SYNTHETIC = "synthetic"
_LONGEST_WORD = 40


def load(
    data: str | None,
    *,
    seed: int = 0,
    cache_dir: Path | None = None,
    default_dir: Path = Path("data"),
    log: Log = lambda line: None,
    recheck: bool = False,
    synthetic: str = "",
    archive_gib: float = DEFAULT_GIB,
    verify: bool = False,
) -> ImageSet:
    """Return the images that ``data`` means; the first line logged says which they are and why.

    Args:
        data: A path to what some reader of ``study.datasets.readers`` knows, to an archive of it or into one,
            ``kaggle:owner/name``, ``synthetic`` or ``synthetic:images=2000,difficulty=0.5,label_noise=0.1,seed=0``.
            None: what ``default_dir`` holds, otherwise ``synthetic``.
        seed: Seed of a split that has to be drawn (a given one is kept).
        cache_dir: Where parsed images are kept, by default ``study.datasets.cache.default_dir()``.
        default_dir: Where to look without ``data``.
        log: Receives lines for people.
        recheck: Look at every byte of the source even where its names, sizes and times have not changed.
        synthetic: Settings of the built-in faces (``images=2000``) where ``data`` gives none.
        archive_gib: What an archive may unpack to, in GiB; its other limits grow with it.
        verify: Compare every byte of the cached copy with its checksums even where sizes and times have not changed.

    Raises:
        DataError: data that cannot be used.
        UsageError: settings of ``synthetic`` that cannot be used.
    """
    cache = caching.Cache(cache_dir or caching.default_dir(), verify, log)
    try:
        if data is None:
            found = layout.find_all(default_dir) if default_dir.is_dir() else []
            if not found:
                log(f"Dataset: {SYNTHETIC}, the built-in faces (no --data given, no dataset in {default_dir}/)")
                return _synthetic(synthetic, cache, log)
            more = f"; also there: {', '.join(str(other.place) for other in found[1:])}" if found[1:] else ""
            log(f"Dataset: {found[0].place} (no --data given, found in {default_dir}/{more})")
            return _from_files(found[0], seed, cache, log, recheck, archive_gib)
        kind, _, settings = data.partition(":")
        if kind == SYNTHETIC:
            log(f"Dataset: {data}, the built-in faces (as given)")
            return _synthetic(settings or synthetic, cache, log)
        log(f"Dataset: {data} (as given)")
        path = kaggle.fetch(settings) if kind == kaggle.PREFIX else Path(data).expanduser()
        return _from_files(layout.find(path), seed, cache, log, recheck, archive_gib)
    except BrokenPipeError:  # of whoever reads the log
        raise
    except OSError as error:
        if error.errno == errno.ENOSPC and error.filename is None:  # where the log is written
            raise
        raise DataError(
            f"{error.filename or data}: expected data that can be read, found: {error.strerror or error}."
        ) from error


def _synthetic(text: str, cache: caching.Cache, log: Log) -> ImageSet:
    """Return the built-in faces for ``images=2000,difficulty=0.5``, drawn or from the cache."""
    settings = synthetic_settings(text)
    from study.datasets import synthetic

    name = synthetic.set_name(**settings)
    return _cached(
        cache, _drawing_hash(settings), name, 0, lambda _: caching.Parsed(synthetic.make(**settings), False), log
    ).image_set


def synthetic_settings(text: str) -> dict[str, Any]:
    """Return all settings of the built-in faces for what was given of them.

    Raises:
        UsageError: an unknown setting, or a value that is no number.
        DataError: a number out of range.

    >>> synthetic_settings("images=500,seed=3")
    {'images': 500, 'difficulty': 0.5, 'label_noise': 0.1, 'seed': 3}
    """
    from study.datasets import synthetic

    settings: dict[str, Any] = dict(synthetic.DEFAULTS)
    for part in filter(None, text.split(",")):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in settings:
            raise unknown_name("setting of synthetic", printable(name[:_LONGEST_WORD]), settings)
        kind = type(settings[name])
        try:
            settings[name] = kind(value if len(value) <= _LONGEST_WORD else "too long")
        except ValueError:
            raise UsageError(
                f"synthetic: expected a {'whole number' if kind is int else 'number'} for {name}, received "
                f"{ascii(value[:_LONGEST_WORD])}. Write for example {name}={synthetic.DEFAULTS[name]}."
            ) from None
    synthetic.check(**settings)
    return settings


def _drawing_hash(settings: Mapping[str, Any]) -> str:
    """Return the hash of all that decides the built-in faces: settings, the code that draws and what it draws with."""
    digest = hashlib.sha256(canonical_json(settings).encode())
    digest.update(f"{version('numpy')} {version('opencv-python')}".encode())
    for path in sorted((Path(__file__).parent / "synthetic").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _from_files(
    source: Source, seed: int, cache: caching.Cache, log: Log, recheck: bool, archive_gib: float
) -> ImageSet:
    """Open a source from the cache or read it into the cache."""
    name = _set_name(source)
    content = cache.content(source, recheck)
    parsed = _cached(cache, content, name, seed, lambda allocate: _open(source, name, seed, allocate, archive_gib), log)
    for line in parsed.left_out:
        log(f"Left out {line}")
    return parsed.image_set


def _cached(
    cache: caching.Cache, content: str, name: str, seed: int, parse: Callable[[Allocate], caching.Parsed], log: Log
) -> caching.Parsed:
    """Open a set from the cache, or make it and keep it there."""
    parsed = cache.get(content, name, seed)
    if parsed is not None:
        return parsed
    try:
        with cache.fill() as (scratch, allocate):
            return cache.put(scratch, content, name, seed, parse(allocate))
    except caching.CacheError as error:
        log(f"The cache {cache.root} cannot be written ({error}): the data are read again at every start")
        return parse(in_memory)


def _open(source: Source, name: str, seed: int, allocate: Allocate, archive_gib: float) -> caching.Parsed:
    """Read a source, an archive by what is in it."""
    if source.reader:
        return _parse(source, name, seed, allocate)
    with Archive(Path(str(source.place)), Limits.of(archive_gib), layout.is_read) as archive:
        root = folder_of(archive)
        inside = root / source.plan
        files, folders = root.lists()
        if not inside.exists and not files and len(folders) == 1:  # the folder around all that most archives have
            inside = root / folders[0] / source.plan
        if not inside.exists:
            raise DataError(
                f"{inside}: expected {layout.forms()}, found nothing there; the archive holds "
                f"{layout.describe(root)}. Check the path."
            )
        return _parse(layout.find_at(inside), name, seed, allocate)


def _parse(source: Source, name: str, seed: int, allocate: Allocate = in_memory) -> caching.Parsed:
    """Read a source, settle its split and check it."""
    raw = READERS.get(source.reader).read(source, allocate)
    hashes = hash_images(raw.images)
    splits, split_source, drawn = split.settle(raw.given, raw.labels, hashes, raw.classes, raw.given_by, seed)
    name, split_source = raw.name or name, raw.split_source or split_source
    notes = list(raw.notes)
    if raw.claims_fer2013:
        complete = fer2013.check_claim(raw.labels, raw.given, raw.classes, str(source.place))
        name = fer2013.NAME if complete else f"{fer2013.NAME}-part"
        if not complete:
            notes.append(
                f"A part of FER-2013, {len(raw.labels)} of {fer2013.TOTAL} images: "
                "results do not compare with published ones."
            )
    data = make_image_set(name, raw.images, raw.labels, raw.classes, raw.ids, splits, split_source, hashes)
    for part, counts in data.counts().items():
        absent = [label for label, count in zip(data.classes, counts, strict=True) if not count]
        if absent:
            notes.append(f"The {part} split has no image of {', '.join(absent)}: scores of these classes mean nothing.")
    shared = [f"{count} {pair}" for pair, count in contamination.guard(data).images.items() if count]
    if shared:
        notes.append(f"Images with an identical copy in another split: {', '.join(shared)}.")
    return caching.Parsed(replace(data, notes=tuple(dict.fromkeys(notes))), drawn, raw.left_out)


def _set_name(source: Source) -> str:
    """Return a name made from a file or folder; FER-2013's own name is kept for what was checked to be it."""
    path = Path(str(source.place)).resolve()
    stem = archive_stem(path.name) if is_archive(path.name) else path.stem
    inside = "" if source.reader else source.plan
    slug = re.sub(r"[^a-z0-9]+", "-", f"{stem} {inside}".lower()).strip("-") or "dataset"
    return f"{slug}-copy" if slug in (fer2013.NAME, SYNTHETIC) else slug
