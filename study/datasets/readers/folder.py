"""Reading folders of images: any classes, any sizes, grey or colour; unreadable files are listed and left out."""

from __future__ import annotations

import numpy as np

from study.core.errors import DataError
from study.core.spec import SPLITS
from study.datasets.readers import fer2013
from study.datasets.readers.image_stack import MAX_SIDE, Header, read_stack
from study.datasets.readers.layout import ClassFolder, Layout
from study.datasets.readers.raw_set import NO_SPLIT, Allocate, RawSet, in_memory

_NAMED_IN_NOTE = 5


def read(layout: Layout, allocate: Allocate = in_memory) -> RawSet:
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
    ids = [f"{folder.folder}/{name}" for folder, name in files]
    images, found = read_stack(paths, allocate)
    left_out = [f"{ids[i]}: {reason}" for i, reason in enumerate(found) if isinstance(reason, str)]
    kept = [i for i, header in enumerate(found) if isinstance(header, Header)]
    if images is None:
        raise DataError(f"{layout.path}: expected images, none of {len(paths)} files can be read; {left_out[0]}.")
    labels = np.array([label_of[files[i][0].label] for i in kept], np.int64)
    for label, (name, folder_name) in enumerate(order.items()):
        if not np.any(labels == label):
            raise DataError(
                f"{layout.path}: expected images of class {name}, found none that can be read in {folder_name}. "
                "Mend the files or remove the folder."
            )
    sizes = {header.size for header in found if isinstance(header, Header)}
    return RawSet(
        images=images,
        labels=labels,
        classes=tuple(order),
        ids=np.array([ids[i] for i in kept]),
        given=np.array([_split_code(*files[i], claims) for i in kept], np.uint8),
        given_by="FER-2013's file names" if claims else "the split folders",
        claims_fer2013=claims and set(order) <= set(fer2013.CLASSES),
        notes=_notes(layout, tuple(order), images.shape, sizes, left_out),
        left_out=tuple(left_out),
    )


def _check_official_names(layout: Layout) -> None:
    """Refuse a copy whose folders say another split than FER-2013's file names, or that holds a file twice."""
    allowed = {"train": {"train"}, "validation": {"validation"}, "test": {"validation", "test"}}
    seen: dict[str, str] = {}
    for folder in layout.folders:
        for name in folder.files:
            place = f"{folder.folder}/{name}"
            split = fer2013.split_of_file(name)
            if folder.split and split not in allowed[folder.split]:
                raise DataError(
                    f"{layout.path}: expected FER-2013's official split, found {place}, which its name puts into "
                    f"{split}: a swapped or merged split. Use an untouched copy, or rename the files to keep the split."
                )
            if name in seen:
                raise DataError(
                    f"{layout.path}: expected each file of FER-2013 once, found {seen[name]} and {place}. Remove one."
                )
            seen[name] = place


def _split_code(folder: ClassFolder, name: str, official: bool) -> int:
    split = fer2013.split_of_file(name) if official else folder.split
    return SPLITS.index(split) if split else NO_SPLIT


def _notes(
    layout: Layout,
    classes: tuple[str, ...],
    shape: tuple[int, ...],
    sizes: set[tuple[int, int]],
    left_out: list[str],
) -> tuple[str, ...]:
    """Return what a reader of results must know about how the folder was read."""
    notes = []
    names = [
        (fer2013.split_of_file(name), f"{folder.folder}/{name}") for folder in layout.folders for name in folder.files
    ]
    strange = [place for split, place in names if split is None]
    if strange and classes == fer2013.CLASSES and shape[1:] == (fer2013.SIDE_PX, fer2013.SIDE_PX, 1):
        notes.append(
            f"Classes and size are FER-2013's, but {len(strange)} of {len(names)} file names are not, such as "
            f"{strange[0]}: if this is a copy of FER-2013, its official split cannot be recovered, and results do not "
            "compare with published ones."
        )
    if sizes != {shape[2:0:-1]}:
        smallest, largest = min(sizes), max(sizes)
        notes.append(
            f"Images of {len(sizes)} sizes ({smallest[0]}x{smallest[1]} to {largest[0]}x{largest[1]}) were resized to "
            f"{shape[2]}x{shape[1]}, the most common shorter edge (at most {MAX_SIDE}), without keeping the aspect."
        )
    if left_out:
        more = f" and {len(left_out) - _NAMED_IN_NOTE} more" if len(left_out) > _NAMED_IN_NOTE else ""
        named = "; ".join(left_out[:_NAMED_IN_NOTE])
        notes.append(f"{len(left_out)} of {len(left_out) + shape[0]} files cannot be read, left out: {named}{more}.")
    others = [f"{folder.folder}/{name}" for folder in layout.folders for name in folder.others]
    if others:
        notes.append(f"{len(others)} files or folders that are no images by name are left out, such as {others[0]}.")
    return tuple(notes)
