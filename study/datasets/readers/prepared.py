"""Prepared datasets: one small file with an image set and its split, which ``study data prepare --out`` writes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from study.core.arrays import MOST_BYTES, read_arrays, write_arrays
from study.core.errors import DataError, UsageError
from study.core.files import write_atomically
from study.core.spec import SPLITS, Stored
from study.datasets.image_set import ImageSet
from study.datasets.readers import fer2013
from study.datasets.readers.entry import Allocate, RawSet, Reader, Source, reader
from study.datasets.readers.image_stack import MAX_SIDE
from study.datasets.readers.lossless import decode, encode
from study.datasets.readers.place import Place, printable

SUFFIX = ".study"
_FORMAT = 1
_FREE_BYTES, _RATIO = 16 << 20, 200
"""What a file may unpack to: some MiB in any case, and so many times its own size."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")


class _About(Stored, frozen=True):
    format: int
    name: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    ids: tuple[str, ...]
    split_source: str
    notes: tuple[str, ...]


@reader("prepared")
class Prepared(Reader):
    """Reads what ``write_prepared`` wrote: the same images, ids, labels and split, and so the same fingerprint."""

    form = f"a {SUFFIX} file that study data prepare --out wrote"
    order = 40

    def recognise(self, place: Place) -> Source | None:
        """Return a file with the suffix that looks like one."""
        if place.is_folder or place.suffix != SUFFIX or place.head(2) != b"PK":
            return None
        return Source(place, "prepared")

    def read(self, source: Source, allocate: Allocate) -> RawSet:
        """Unpack the images."""
        data = source.place.read_bytes(MOST_BYTES)
        try:
            arrays = read_arrays(data)
            about = msgspec.convert(json.loads(arrays["about"].tobytes()), _About)
            images, labels, splits = _unpacked(arrays, about, _FREE_BYTES + _RATIO * len(data), allocate)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError) as error:
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            raise DataError(
                f"{source.place}: expected what study data prepare --out wrote, found something else ({reason}). Make "
                "it again or get a fresh copy."
            ) from error
        return RawSet(
            images=images,
            labels=labels,
            classes=about.classes,
            ids=np.array(about.ids),
            given=splits,
            given_by="the prepared file",
            claims_fer2013=about.name.startswith(fer2013.NAME),
            notes=about.notes,
            name=about.name,
            split_source=about.split_source,
        )


def write_prepared(data: ImageSet, path: Path) -> int:
    """Write an image set as one file that every ``--data`` reads, on any machine; return its size in bytes.

    Equal images are kept once, and all without loss.

    Raises:
        UsageError: another suffix than ``.study``, the built-in faces, which need no file, or too many images.
        WriteError: it cannot be written.
    """
    if path.suffix != SUFFIX:
        raise UsageError(f"--out takes a file that ends in {SUFFIX}, got {path}.")
    if data.drawn:
        raise UsageError(
            "the built-in faces are drawn wherever they are needed: give --data synthetic, without a file."
        )
    _, first, which = np.unique(data.hashes, return_index=True, return_inverse=True)
    words, states, tables = encode(_planes(np.asarray(data.images)[first]))
    about = _About(
        format=_FORMAT,
        name=data.name,
        classes=data.classes,
        shape=data.image_shape,
        ids=tuple(data.ids.tolist()),
        split_source=data.split_source,
        notes=data.notes,
    )
    arrays: dict[str, NDArray[Any]] = {
        "about": np.frombuffer(msgspec.json.encode(about), np.uint8),
        "which": which.astype(np.uint32),
        "labels": data.labels.astype(np.uint16),
        "splits": data.splits,
        "words": words,
        "states": states,
        "tables": tables,
    }
    if sum(array.nbytes for array in arrays.values()) > MOST_BYTES - (1 << 20):
        raise UsageError(
            f"a prepared file holds at most {MOST_BYTES >> 20} MiB of packed images: use the data as they are."
        )
    packed = write_arrays(arrays)
    write_atomically(path, packed)
    return len(packed)


def _unpacked(
    arrays: dict[str, NDArray[Any]], about: _About, most: int, allocate: Allocate
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8]]:
    """Return images, labels and split codes; raise a ValueError where they do not fit or take over ``most`` bytes."""
    height, width, channels = about.shape
    which, labels, splits = (np.asarray(arrays[name]) for name in ("which", "labels", "splits"))
    if about.format != _FORMAT or not _NAME.fullmatch(about.name):
        raise ValueError("another format, or no name")
    own = set(about.classes) <= set(fer2013.CLASSES)
    if about.name == "synthetic" or (about.name.startswith(fer2013.NAME) and not own):
        raise ValueError(f"it is not {about.name}")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE and channels in (1, 3)):
        raise ValueError(f"images of {height}x{width}x{channels}")
    if (which.dtype, labels.dtype, splits.dtype) != (np.uint32, np.uint16, np.uint8):
        raise ValueError("other types")
    count = len(about.ids)
    if not count or not which.shape == labels.shape == splits.shape == (count,):
        raise ValueError("not equally many images, ids, labels and splits")
    if labels.max() >= len(about.classes) or splits.max() >= len(SPLITS) or which.max() >= count:
        raise ValueError("labels, splits or images out of range")
    if not all(printable(text) == text for text in (*about.classes, *about.notes, about.split_source, *about.ids)):
        raise ValueError("texts that cannot be printed")
    if count * height * width * channels > most:
        raise ValueError(f"more than {most >> 20} MiB")
    words, states, tables = (np.asarray(arrays[name]) for name in ("words", "states", "tables"))
    planes = decode(words, states, tables, ((int(which.max()) + 1) * channels, height, width))
    images = allocate((count, height, width, channels))
    distinct = _images(planes, channels)
    for start in range(0, count, 4096):
        images[start : start + 4096] = distinct[which[start : start + 4096]]
    return images, labels.astype(np.int64), splits


def _planes(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (n, h, w, 1 or 3) as planes; of colours, green and what red and blue differ from it."""
    if images.shape[3] == 1:
        return images[..., 0]
    green = images[..., 1]
    return np.concatenate([green, images[..., 0] - green, images[..., 2] - green])


def _images(planes: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    if channels == 1:
        return planes[..., np.newaxis]
    green, red, blue = np.split(planes, 3)
    return np.stack([red + green, green, blue + green], axis=-1)
