"""Reading folders of images: any classes, any sizes, grey or colour; unreadable files are listed and left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from study.datasets import fer2013
from study.datasets.image_file import decode, open_image, strict_pillow
from study.datasets.layout import ClassFolder, Layout
from study.datasets.raw_set import NO_SPLIT, Allocate, RawSet
from study.errors import DataError
from study.spec import SPLITS

MAX_SIDE = 224
_NAMED_IN_NOTE = 5
_COLOUR_MODES = frozenset({"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV"})

T = TypeVar("T")


def read(layout: Layout, allocate: Allocate = lambda shape: np.empty(shape, np.uint8)) -> RawSet:
    """Read all images below a layout's root.

    All images become squares of one side: the most common shorter edge, at most ``MAX_SIDE``. They are grey where every
    image is (also where colour files hold equal channels), otherwise RGB. Ids are the paths below the root.

    Raises:
        DataError: no readable image, a class without one, or names that contradict the folders.
    """
    claims = all(fer2013.split_of_file(name) for folder in layout.folders for name in folder.files)
    if claims:
        _check_official_names(layout)
    order = fer2013.order_classes({folder.label for folder in layout.folders})
    label_of = {folder_name: label for label, folder_name in enumerate(order.values())}
    files = [(folder, name) for folder in layout.folders for name in folder.files]
    paths = [layout.path / folder.folder / name for folder, name in files]
    with strict_pillow():
        heads = _in_threads(_head, paths)
        sizes = Counter(min(head[0]) for head in heads if not isinstance(head, str))
        if not sizes:
            raise DataError(f"{layout.path}: none of {len(paths)} images can be read, {paths[0]}: {heads[0]}.")
        side = min(max(sizes, key=lambda edge: (sizes[edge], edge)), MAX_SIDE)
        colour = any(head[1] in _COLOUR_MODES for head in heads if not isinstance(head, str))
        images, errors = _read_pixels(paths, side, 3 if colour else 1, allocate)
    ids = [f"{folder.folder}/{name}" for folder, name in files]
    left_out = [f"{ids[i]}: {error}" for i, error in enumerate(errors) if error]
    kept = [i for i, error in enumerate(errors) if not error]
    if left_out:
        for i, source in enumerate(kept):  # in place, from the front: nothing is read after it was overwritten
            images[i] = images[source]
        images = images[: len(kept)]
    if colour and _is_grey(images):
        grey = allocate((*images.shape[:3], 1))
        grey[...] = images[..., :1]
        images = grey
    labels = np.array([label_of[files[i][0].label] for i in kept], np.int64)
    for label, (name, folder_name) in enumerate(order.items()):
        if not np.any(labels == label):
            raise DataError(f"{layout.path}: no image of class {name} (folder {folder_name}) can be read. Mend or remove it.")
    shapes = {head[0] for head in heads if not isinstance(head, str)}
    return RawSet(
        images=images,
        labels=labels,
        classes=tuple(order),
        ids=np.array([ids[i] for i in kept]),
        given=np.array([_split_code(*files[i], claims) for i in kept], np.uint8),
        given_by="FER-2013's file names" if claims else "the split folders",
        claims_fer2013=claims,
        notes=_notes(layout, claims, tuple(order), images.shape, shapes, left_out),
        left_out=tuple(left_out),
    )


def _check_official_names(layout: Layout) -> None:
    """Refuse a copy whose folders say another split than FER-2013's file names, or that holds a file twice."""
    seen: dict[str, str] = {}
    for folder in layout.folders:
        allowed = {"train": {"train"}, "selection": {"selection"}, "test": {"selection", "test"}}
        for name in folder.files:
            place = f"{folder.folder}/{name}"
            split = fer2013.split_of_file(name)
            if folder.split and split not in allowed[folder.split]:
                raise DataError(
                    f"{layout.path}: {place} belongs to FER-2013's {split} split by its name but lies in {folder.folder}: a swapped "
                    "or merged split. Use an untouched copy, or rename the files if the new split is wanted."
                )
            if name in seen:
                raise DataError(f"{layout.path}: {name} is there twice, as {seen[name]} and {place}: expected each image once.")
            seen[name] = place


def _head(path: Path) -> tuple[tuple[int, int], str] | str:
    """Return size and mode of an image, or the reason why it cannot be read."""
    try:
        with open_image(path) as image:
            return image.size, image.mode
    except ValueError as error:
        return str(error)


def _read_pixels(paths: list[Path], side: int, channels: int, allocate: Allocate) -> tuple[NDArray[np.uint8], list[str]]:
    """Return uint8 (n, side, side, channels) and for each file the reason why it could not be read, or an empty text."""
    images = allocate((len(paths), side, side, channels))

    def read_one(row: int) -> str:
        try:
            with open_image(paths[row]) as image:
                images[row] = decode(image, side, channels)
        except ValueError as error:
            return str(error)
        return ""

    return images, _in_threads(read_one, range(len(paths)))


def _in_threads(work: Callable[..., T], items: object) -> list[T]:
    """Map over items with a few threads: decoding of larger images leaves Python's lock."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(work, items))  # type: ignore[call-overload]


def _is_grey(images: NDArray[np.uint8]) -> bool:
    """Return True where all three channels are equal in every image; stops at the first that differs."""
    return all(np.array_equal(image[..., 0], image[..., 1]) and np.array_equal(image[..., 0], image[..., 2]) for image in images)


def _split_code(folder: ClassFolder, name: str, official: bool) -> int:
    split = fer2013.split_of_file(name) if official else folder.split
    return SPLITS.index(split) if split else NO_SPLIT


def _notes(
    layout: Layout, claims: bool, classes: tuple[str, ...], shape: tuple[int, ...], sizes: set[tuple[int, int]], left_out: list[str]
) -> tuple[str, ...]:
    """Return what a reader of results must know about how the folder was read."""
    notes = []
    if not claims and classes == fer2013.CLASSES and shape[1:] == (fer2013.SIDE_PX, fer2013.SIDE_PX, 1):
        notes.append(
            "Classes and size are FER-2013's, but the file names are not: if this is a copy of FER-2013, its official split "
            "cannot be recovered, and results do not compare with published ones."
        )
    if sizes != {shape[2:0:-1]}:
        smallest, largest = min(sizes), max(sizes)
        notes.append(
            f"Images of {len(sizes)} sizes ({smallest[0]}x{smallest[1]} to {largest[0]}x{largest[1]}) were resized to "
            f"{shape[2]}x{shape[1]}, the most common shorter edge (at most {MAX_SIDE}), without keeping the aspect."
        )
    if left_out:
        more = f" and {len(left_out) - _NAMED_IN_NOTE} more" if len(left_out) > _NAMED_IN_NOTE else ""
        total = len(left_out) + shape[0]
        notes.append(f"{len(left_out)} of {total} files could not be read and are left out: {'; '.join(left_out[:_NAMED_IN_NOTE])}{more}.")
    others = [f"{folder.folder}/{name}" for folder in layout.folders for name in folder.others]
    if others:
        notes.append(f"{len(others)} files or folders that are no images by their name are left out, such as {others[0]}.")
    return tuple(notes)
