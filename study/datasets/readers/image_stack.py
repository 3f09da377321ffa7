"""Reading many image files into one array of one size: squares, grey where all are, unreadable files left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from study.datasets.readers.archives.archive import Member
from study.datasets.readers.image_file import decode, open_image, strict_pillow
from study.datasets.readers.raw_set import Allocate

MAX_SIDE = 224
MOST_PACKED_BYTES = 64 << 20
"""Larger image files in archives are not read, because they have to be held in memory."""

_COLOUR_MODES = frozenset({"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV"})
_CHUNK = 128
_THREADS = 6  # so many of the largest images that are allowed take less than 1 GB


class Header(NamedTuple):
    """What an image file says of itself: width and height in pixels, and whether it can hold colour."""

    size: tuple[int, int]
    colour: bool


def read_stack(
    paths: Sequence[Path | Member], allocate: Allocate
) -> tuple[NDArray[np.uint8] | None, list[Header | str]]:
    """Read files as squares of one side: the most common shorter edge, at most ``MAX_SIDE``.

    They are grey where every image is, also where colour files hold three equal channels. Most folders are uniform: all
    files are read in the form that the first one suggests, and again only where another turns out to be right.

    Returns:
        uint8 (readable files, side, side, 1 or 3), None where there are none; for each file its header, or the reason
        why it could not be read.
    """
    with strict_pillow():
        headers = (_header(path) for path in paths)
        form = _form([next((header for header in headers if isinstance(header, Header)), "")])
        if form is None:
            return None, [_header(path) for path in paths]
        images = allocate((len(paths), *form))
        found = _read_pixels(paths, images)
        right = _form(found)
        if right is None:
            return None, found
        if right != form:
            images = allocate((len(paths), *right))
            found = _read_pixels(paths, images)
    kept = [row for row, header in enumerate(found) if isinstance(header, Header)]
    if len(kept) < len(found):
        for row, source in enumerate(kept):  # in place, from the front: nothing is read after it was overwritten
            images[row] = images[source]
        images = images[: len(kept)]
    if images.shape[-1] == 3 and _is_grey(images):
        grey = allocate((*images.shape[:3], 1))
        grey[...] = images[..., :1]
        images = grey
    return images, found


def _header(path: Path | Member) -> Header | str:
    """Return the header of an image, or the reason why it cannot be read."""
    try:
        with open_image(_readable(path)) as image:
            return Header(image.size, image.mode in _COLOUR_MODES)
    except ValueError as error:
        return str(error)


def _readable(path: Path | Member) -> Path | BinaryIO:
    """Return what Pillow can open.

    Raises:
        ValueError: a file in an archive that cannot be read.
    """
    if isinstance(path, Path):
        return path
    try:
        return BytesIO(path.read_bytes(MOST_PACKED_BYTES))
    except OSError as error:
        raise ValueError(str(error)[:80]) from None


def _form(found: list[Header | str]) -> tuple[int, int, int] | None:
    """Return height, width and channels that suit all images found, None where there are none."""
    headers = [header for header in found if isinstance(header, Header)]
    if not headers:
        return None
    edges = Counter(min(header.size) for header in headers)
    side = min(max(edges, key=lambda edge: (edges[edge], edge)), MAX_SIDE)
    return side, side, 3 if any(header.colour for header in headers) else 1


def _read_pixels(paths: Sequence[Path | Member], images: NDArray[np.uint8]) -> list[Header | str]:
    """Fill uint8 (n, side, side, channels) and return what ``read_stack`` returns for each file."""
    _, side, _, channels = images.shape

    def read_some(rows: range) -> list[Header | str]:
        found: list[Header | str] = []
        for row in rows:
            try:
                with open_image(_readable(paths[row])) as image:
                    found.append(Header(image.size, image.mode in _COLOUR_MODES))
                    images[row] = decode(image, side, channels)
            except ValueError as error:
                found[row - rows.start :] = [str(error)]
        return found

    chunks = [range(start, min(start + _CHUNK, len(paths))) for start in range(0, len(paths), _CHUNK)]
    with ThreadPoolExecutor(
        _THREADS
    ) as pool:  # decoding leaves Python's lock; chunks keep the cost of handing over small
        return [header for part in pool.map(read_some, chunks) for header in part]


def _is_grey(images: NDArray[np.uint8]) -> bool:
    """Return True where all three channels are equal in every image; stops at the first that differs."""
    return all((image[..., :1] == image).all() for image in images)
