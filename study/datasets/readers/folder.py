"""Folders of images: <split>/<class>/*, or <class>/* without a split; any classes and sizes, grey or colour."""

from __future__ import annotations

from study.core.errors import DataError
from study.core.spec import SPLITS
from study.datasets.readers.entry import Allocate, RawSet, Reader, Source, reader
from study.datasets.readers.image_stack import SUFFIXES, images_in, read_images
from study.datasets.readers.names import split_of
from study.datasets.readers.place import Place


@reader("folders")
class Folders(Reader):
    """Reads images whose folders say their class."""

    form = "images in folders <split>/<class>/* or <class>/*"
    order = 20

    def recognise(self, place: Place) -> Source | None:
        """Return the images below a folder that has split folders, or class folders with images."""
        if not place.is_folder:
            return None
        _, folders = place.lists()
        splits = {name: split for name in folders if (split := split_of(name))}
        if splits:
            below = _split_folders(place, folders, splits)
        else:
            lists = {name: (place / name).lists() for name in folders}
            if not any(images_in(place / name, files) for name, (files, _) in lists.items()):
                return None
            below = [_ClassFolder(place, name, None) for name in folders]
        classes = sorted({folder.label for folder in below})
        if len(classes) < 2:
            raise DataError(f"{place}: expected at least two classes, found only {classes[0]}. Add the other classes.")
        return Source(
            place,
            "folders",
            files=tuple(path for folder in below for path in folder.images),
            others=tuple(path for folder in below for path in folder.others),
            plan=[(folder.label, folder.split) for folder in below for _ in folder.images],
        )

    def read(self, source: Source, allocate: Allocate) -> RawSet:
        """Read all images."""
        labels, splits = zip(*source.plan, strict=True)
        return read_images(source, labels, splits, "the split folders", allocate)


class _ClassFolder:
    """One folder of images of one class; paths are below the dataset's root."""

    def __init__(self, root: Place, path: str, split: str | None) -> None:
        place = root / path
        files, folders = place.lists()
        images = images_in(place, files)
        if not images:
            raise DataError(
                f"{place}: expected images of class {place.name} ({', '.join(SUFFIXES)}), found {place.describe()}. "
                "Fill the folder or remove it."
            )
        self.path = path
        self.label = place.name
        self.split = split
        self.images = [f"{path}/{name}" for name in images]
        self.others = [f"{path}/{name}" for name in sorted({*files, *folders} - set(images))]


def _split_folders(place: Place, folders: list[str], splits: dict[str, str]) -> list[_ClassFolder]:
    """Return the class folders in split folders."""
    if "train" not in splits.values():
        raise DataError(
            f"{place}: expected a folder train beside the other splits, found {', '.join(folders)}. Add it or rename "
            "one."
        )
    for split in SPLITS:
        same = [name for name in splits if splits[name] == split]
        if len(same) > 1:
            raise DataError(
                f"{place}: expected one folder for the {split} split, found {' and '.join(same)}. Merge them."
            )
    strangers = [name for name in folders if name not in splits and any((place / name).lists())]
    if strangers:
        raise DataError(
            f"{place}: expected only split folders (train, test, val or validation), found {strangers[0]} beside "
            f"{', '.join(splits)}. Rename it to the split it is, or move it away."
        )
    found: list[_ClassFolder] = []
    for name, split in splits.items():
        files, labels = (place / name).lists()
        loose = images_in(place / name, files)
        if loose or not labels:
            what = f"{len(loose)} images without class folders" if loose else f"{len(files)} other files and no folders"
            raise DataError(
                f"{place / name}: expected one folder per class, found {what}. Sort the images by class, or put a csv "
                f"with the columns image and label beside {name}."
            )
        found += [_ClassFolder(place, f"{name}/{label}", split) for label in labels]
    known = {folder.label for folder in found if folder.split == "train"}
    for folder in found:
        if folder.label not in known:
            raise DataError(
                f"{place}/{folder.path}: expected a class of train ({', '.join(sorted(known))}), found "
                f"{folder.label}. Rename the folder or add the class to train."
            )
    return found
