"""The image set: what every reader returns and everything else consumes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.errors import DataError
from study.core.record import DatasetCard
from study.core.spec import SPLITS, DatasetName


@dataclass(frozen=True)
class ImageSet:
    """Labelled images with a split for each."""

    name: str  #: Short name, used as the study's default name (``fer2013``, ``synthetic``, a folder's name).
    images: NDArray[np.uint8]  #: uint8 (n, height, width, channels), range 0..255; may be a read-only memory map.
    labels: NDArray[np.int64]  #: int64 (n,), index into ``classes``.
    classes: tuple[str, ...]  #: Class names in label order.
    ids: NDArray[np.str_]  #: str (n,), unique, the same on every reading of the same source.
    splits: NDArray[np.uint8]  #: uint8 (n,), index into ``study.core.spec.SPLITS`` (train, validation, test).
    #: bytes (n,) of dtype S32: hex of a 128-bit hash of shape and pixels; equal images have equal hashes.
    hashes: NDArray[np.bytes_]
    fingerprint: str  #: sha256 (hex) of all of the above but ``name``.
    split_source: str  #: One sentence that says where the split comes from.
    drawn: bool = False  #: True where the faces are drawn by this package and not photographs.
    bound: float | None = None  #: Known upper bound of accuracy (share of clean labels in the test split), or None.
    notes: tuple[str, ...] = ()  #: Warnings that belong in front of every result made from the set.
    settings: Mapping[str, Any] = field(default_factory=dict)  #: How a generated set was made (empty for files).

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        _, height, width, channels = self.images.shape
        return height, width, channels

    def indices(self, split: str) -> NDArray[np.int64]:
        """Return the positions (ascending, int64) of one split's images."""
        return np.flatnonzero(self.splits == SPLITS.index(split)).astype(np.int64)

    def counts(self) -> dict[str, list[int]]:
        """Return images per class for each split, in class order."""
        width = len(self.classes)
        return {name: np.bincount(self.labels[self.indices(name)], minlength=width).tolist() for name in SPLITS}

    def split_hash(self, split: str) -> str:
        """Return sha256 (hex) of a split's ids, contents and labels, whatever their order."""
        rows = self.indices(split)
        lines = sorted(f"{self.ids[i]}\t{self.hashes[i].decode()}\t{self.labels[i]}" for i in rows)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def identity(self) -> DatasetName:
        """What a spec says of the set."""
        return DatasetName(name=self.name, fingerprint=self.fingerprint)

    def card(self) -> DatasetCard:
        """Return what records and reports say about the set."""
        return DatasetCard(
            name=self.name,
            fingerprint=self.fingerprint,
            classes=tuple(self.classes),
            image_shape=self.image_shape,
            counts={name: tuple(counts) for name, counts in self.counts().items()},
            split_source=self.split_source,
            split_hashes={name: self.split_hash(name) for name in SPLITS},
            drawn=self.drawn,
            bound=self.bound,
            notes=tuple(self.notes),
            settings=dict(self.settings),
        )


def hash_images(images: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """Return a 128-bit content hash (hex, dtype S32) of each image; the shape is part of the content.

    >>> hashes = hash_images(np.zeros((2, 48, 48, 1), np.uint8))
    >>> hashes.shape, bool(hashes[0] == hashes[1])
    ((2,), True)
    """
    shape = repr(images.shape[1:]).encode()
    digests = [hashlib.blake2b(image.tobytes(), digest_size=16, key=shape).hexdigest() for image in images]
    return np.array(digests, dtype="S32")


def fingerprint(
    hashes: NDArray[np.bytes_],
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    ids: NDArray[np.str_],
    splits: NDArray[np.uint8],
) -> str:
    """Return the sha256 (hex) that names a dataset: contents, labels, classes, ids and splits, in order."""
    digest = hashlib.sha256()
    digest.update("\n".join(classes).encode())
    digest.update(np.ascontiguousarray(hashes).tobytes())
    digest.update(np.ascontiguousarray(labels, dtype="<i8").tobytes())
    digest.update(np.ascontiguousarray(splits, dtype=np.uint8).tobytes())
    digest.update("\n".join(ids.tolist()).encode())
    return digest.hexdigest()


def make_image_set(
    name: str,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    ids: NDArray[np.str_],
    splits: NDArray[np.uint8],
    split_source: str,
    hashes: NDArray[np.bytes_] | None = None,
    **more: Any,
) -> ImageSet:
    """Check the parts against each other and return the image set with hashes and fingerprint filled in.

    Raises:
        DataError: lengths differ, an id occurs twice, a label or a split code is out of range, fewer than two classes,
            or an empty train, validation or test split.
    """
    n = len(images)
    if not n == len(labels) == len(ids) == len(splits):
        raise DataError(
            f"images, labels, ids and splits must be equally many, got {n}, {len(labels)}, {len(ids)}, {len(splits)}."
        )
    if images.ndim != 4 or images.dtype != np.uint8:
        raise DataError(f"images must be uint8 (n, height, width, channels), got {images.dtype} {images.shape}.")
    if len(classes) < 2:
        raise DataError(f"a dataset needs at least two classes, found {len(classes)}: {', '.join(classes) or 'none'}.")
    if n and (labels.min() < 0 or labels.max() >= len(classes)):
        raise DataError(f"labels must lie in 0..{len(classes) - 1}, found {labels.min()}..{labels.max()}.")
    if len(np.unique(ids)) != n:
        values, counts = np.unique(ids, return_counts=True)
        raise DataError(f"ids must be unique, {values[counts > 1][0]!r} occurs {counts.max()} times.")
    for code, split in enumerate(SPLITS):
        if not np.any(splits == code):
            raise DataError(f"the {split} split is empty: give more images or another split.")
    if hashes is None:
        hashes = hash_images(images)
    mark = fingerprint(hashes, labels, classes, ids, splits)
    return ImageSet(name, images, labels, classes, ids, splits, hashes, mark, split_source, **more)
