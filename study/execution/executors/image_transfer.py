"""The image set on its way into a worker process: memory maps are reopened there, so that the pages are shared."""

from __future__ import annotations

import mmap
from dataclasses import dataclass, replace

import numpy as np

from study.datasets.image_set import ImageSet


@dataclass(frozen=True)
class MappedImages:
    """Where the images of an image set lie in a file."""

    file: str
    dtype: str
    shape: tuple[int, ...]
    offset: int


def pack(image_set: ImageSet) -> tuple[ImageSet, MappedImages | None]:
    """Return the image set in a form that is cheap to send to another process of this machine."""
    images = image_set.images
    whole = isinstance(images, np.memmap) and isinstance(images.base, mmap.mmap) and images.flags.c_contiguous
    if not whole or images.filename is None:  # type: ignore[attr-defined]
        return image_set, None
    assert isinstance(images, np.memmap)
    place = MappedImages(str(images.filename), images.dtype.str, images.shape, images.offset)
    return replace(image_set, images=np.empty((0, *images.shape[1:]), np.uint8)), place


def unpack(packed: tuple[ImageSet, MappedImages | None]) -> ImageSet:
    """Return the image set that was packed."""
    image_set, place = packed
    if place is None:
        return image_set
    images = np.memmap(place.file, place.dtype, "r", place.offset, place.shape)
    return replace(image_set, images=images)
