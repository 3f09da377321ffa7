"""Reading many image files into one array: squares of one size, grey where all are, unreadable files left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from study.core.errors import DataError
from study.core.spec import SPLITS
from study.datasets.readers import fer2013
from study.datasets.readers.entry import NO_SPLIT, Allocate, RawSet, Source
from study.datasets.readers.image_file import decode, is_image, open_image, strict_pillow
from study.datasets.readers.names import note_on_numbers, order_classes
from study.datasets.readers.place import Place

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff")
MAX_SIDE = 224

_COLOUR_MODES = frozenset({"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV"})
_CHUNK = 128
_THREADS = 6  # so many of the largest images that are allowed take less than 1 GB
_NAMED_IN_NOTE = 5


class Header(NamedTuple):
    """What an image file says of itself: width and height in pixels, and whether it can hold colour."""

    size: tuple[int, int]
    colour: bool


def images_in(folder: Place, files: Sequence[str]) -> list[str]:
    """Return which of a folder's files are images: by their suffix, or by their first bytes where they have none."""
    return [
        name
        for name in files
        if (dot := name.rfind(".")) >= 0
        and name[dot:].lower() in SUFFIXES
        or dot < 0
        and is_image((folder / name).head(12))
    ]


def read_images(
    source: Source, labels: Sequence[str], splits: Sequence[str | None], given_by: str, allocate: Allocate
) -> RawSet:
    """Read the image files of a source as ``read_stack`` does; ids are the paths below the source's place.

    FER-2013's classes get its names and order, and its file names go before the splits, which rest on ``given_by``.

    Raises:
        DataError: no readable image, a class without one, or names that contradict the split.
    """
    files = source.files
    named = [fer2013.split_of_file(path.rsplit("/", 1)[-1]) for path in files]
    claims = all(named)
    if claims:
        _check_official_names(source, splits)
    order = order_classes(set(labels))
    label_of = {given: label for label, given in enumerate(order.values())}
    images, found = read_stack([source.place / path for path in files], allocate)
    left_out = [f"{files[i]}: {reason}" for i, reason in enumerate(found) if isinstance(reason, str)]
    kept = [i for i, header in enumerate(found) if isinstance(header, Header)]
    if images is None:
        raise DataError(f"{source.place}: none of {len(files)} image files can be read; {left_out[0]}.")
    codes = np.array([label_of[labels[i]] for i in kept], np.int64)
    for label, (name, given) in enumerate(order.items()):
        if not np.any(codes == label):
            raise DataError(
                f"{source.place}: expected images of class {name}, found none that can be read among "
                f"{labels.count(given)}. Fix the files or remove the class."
            )
    settled = named if claims else splits
    return RawSet(
        images=images,
        labels=codes,
        classes=tuple(order),
        ids=np.array([files[i] for i in kept]),
        given=np.array([NO_SPLIT if (split := settled[i]) is None else SPLITS.index(split) for i in kept], np.uint8),
        given_by="FER-2013's file names" if claims else given_by,
        claims_fer2013=claims and set(order) <= set(fer2013.CLASSES),
        notes=_notes(source, order, images.shape, found, left_out),
        left_out=tuple(left_out),
    )


def read_stack(places: Sequence[Place], allocate: Allocate) -> tuple[NDArray[np.uint8] | None, list[Header | str]]:
    """Read files as squares of one side: the most common shorter edge, at most ``MAX_SIDE``.

    They are grey where every image is, also where colour files hold three equal channels. Most folders are uniform: all
    files are read in the form that the first one suggests, and again only where another turns out to be right.

    Returns:
        uint8 (readable files, side, side, 1 or 3), None where there are none; for each file its header, or the reason
        why it could not be read.
    """
    with strict_pillow():
        headers = (_look(place) for place in places)
        form = _form([next((header for header in headers if isinstance(header, Header)), "")])
        if form is None:
            return None, [_look(place) for place in places]
        images = allocate((len(places), *form))
        found = _read_pixels(places, images)
        right = _form(found)
        if right is None:
            return None, found
        if right != form:
            images = allocate((len(places), *right))
            found = _read_pixels(places, images)
    kept = [row for row, header in enumerate(found) if isinstance(header, Header)]
    if len(kept) < len(found):
        for row, source in enumerate(kept):  # in place, from the front: nothing is read after it was overwritten
            images[row] = images[source]
        images = images[: len(kept)]
    if images.shape[-1] == 3 and all((image[..., :1] == image).all() for image in images):
        grey = allocate((*images.shape[:3], 1))
        grey[...] = images[..., :1]
        images = grey
    return images, found


def _look(place: Place, pixels: NDArray[np.uint8] | None = None) -> Header | str:
    """Return the header of an image, or the reason why it cannot be read; fill uint8 (side, side, channels)."""
    try:
        with open_image(place.read_bytes) as image:
            header = Header(image.size, image.mode in _COLOUR_MODES)
            if pixels is not None:
                pixels[...] = decode(image, *pixels.shape[1:])
            return header
    except ValueError as error:
        return str(error)


def _form(found: Sequence[Header | str]) -> tuple[int, int, int] | None:
    """Return height, width and channels that suit the images found, None where there are none."""
    headers = [header for header in found if isinstance(header, Header)]
    if not headers:
        return None
    edges = Counter(min(header.size) for header in headers)
    side = min(max(edges, key=lambda edge: (edges[edge], edge)), MAX_SIDE)
    return side, side, 3 if any(header.colour for header in headers) else 1


def _read_pixels(places: Sequence[Place], images: NDArray[np.uint8]) -> list[Header | str]:
    """Fill uint8 (n, side, side, channels) and return what ``read_stack`` returns for each file."""

    def read_some(start: int) -> list[Header | str]:
        return list(map(_look, places[start : start + _CHUNK], images[start : start + _CHUNK]))

    with ThreadPoolExecutor(_THREADS) as pool:  # decoding releases Python's lock; chunks keep handing over cheap
        return [header for part in pool.map(read_some, range(0, len(places), _CHUNK)) for header in part]


def _check_official_names(source: Source, splits: Sequence[str | None]) -> None:
    """Refuse a copy whose folders say another split than FER-2013's file names, or that holds a file twice."""
    allowed = {"train": {"train"}, "validation": {"validation"}, "test": {"validation", "test"}}
    seen: dict[str, str] = {}
    for path, given in zip(source.files, splits, strict=True):
        name = path.rsplit("/", 1)[-1]
        split = fer2013.split_of_file(name)
        if given and split not in allowed[given]:
            raise DataError(
                f"{source.place}: expected FER-2013's official split, found {path}, which its name puts into {split}: "
                "a swapped or merged split. Use an untouched copy, or rename the files to keep the split."
            )
        if name in seen:
            raise DataError(
                f"{source.place}: expected each file of FER-2013 once, found {seen[name]} and {path}. Remove one."
            )
        seen[name] = path


def _notes(
    source: Source, order: dict[str, str], shape: tuple[int, ...], found: Sequence[Header | str], left_out: list[str]
) -> tuple[str, ...]:
    """Return what readers of results must know about how the files were read."""
    notes = list(note_on_numbers(order))
    strange = [path for path in source.files if fer2013.split_of_file(path.rsplit("/", 1)[-1]) is None]
    if strange and tuple(order) == fer2013.CLASSES and shape[1:] == (fer2013.SIDE_PX, fer2013.SIDE_PX, 1):
        notes.append(
            f"Classes and size are FER-2013's, but {len(strange)} of {len(found)} file names are not, such as "
            f"{strange[0]}: if this is a copy of FER-2013, its official split cannot be recovered, and results do not "
            "compare with published ones."
        )
    sizes = {header.size for header in found if isinstance(header, Header)}
    if sizes != {shape[2:0:-1]}:
        smallest, largest = min(sizes), max(sizes)
        notes.append(
            f"Images of {len(sizes)} sizes ({smallest[0]}x{smallest[1]} to {largest[0]}x{largest[1]}) were resized to "
            f"{shape[2]}x{shape[1]}, the most common shorter edge (at most {MAX_SIDE}), without keeping the aspect."
        )
    if left_out:
        more = f" and {len(left_out) - _NAMED_IN_NOTE} more" if len(left_out) > _NAMED_IN_NOTE else ""
        shown = "; ".join(left_out[:_NAMED_IN_NOTE])
        notes.append(f"{len(left_out)} of {len(found)} files cannot be read, left out: {shown}{more}.")
    if source.others:
        notes.append(f"{len(source.others)} other files or folders are left out, such as {source.others[0]}.")
    return tuple(notes)
