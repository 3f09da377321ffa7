"""Folders of images: <split>/<class>/*, or <class>/* without a split; any classes and sizes, grey or colour."""

from __future__ import annotations

from collections.abc import Iterator

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
        if not splits and not any(images_in(place / name, (place / name).lists()[0]) for name in folders):
            return None
        found, others, plan = [], [], []
        unsplit = ((name, None) for name in folders)
        for path, split in _in_split_folders(place, folders, splits) if splits else unsplit:
            of_class = place / path
            files, below = of_class.lists()
            images = images_in(of_class, files)
            if not images:
                raise DataError(
                    f"{of_class}: expected images of class {of_class.name} ({', '.join(SUFFIXES)}), found "
                    f"{of_class.describe()}. Fill the folder or remove it."
                )
            found += [f"{path}/{name}" for name in images]
            others += [f"{path}/{name}" for name in sorted({*files, *below} - set(images))]
            plan += [(of_class.name, split)] * len(images)
        classes = {label for label, _ in plan}
        if len(classes) < 2:
            raise DataError(
                f"{place}: expected at least two classes, found only {min(classes)}. Add the other classes."
            )
        return Source(place, "folders", files=tuple(found), others=tuple(others), plan=plan)

    def read(self, source: Source, allocate: Allocate) -> RawSet:
        """Read all images."""
        labels, splits = zip(*source.plan, strict=True)
        return read_images(source, labels, splits, "the split folders", allocate)


def _in_split_folders(place: Place, folders: list[str], splits: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the path and the split of each class folder in split folders."""
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
    found: list[tuple[str, str, str]] = []
    for name, split in splits.items():
        files, labels = (place / name).lists()
        loose = images_in(place / name, files)
        if loose or not labels:
            what = f"{len(loose)} images without class folders" if loose else f"{len(files)} other files and no folders"
            raise DataError(
                f"{place / name}: expected one folder per class, found {what}. Sort the images by class, or put a csv "
                f"with the columns image and label beside {name}."
            )
        for label in labels:
            found.append((f"{name}/{label}", label, split))
            yield f"{name}/{label}", split
    known = {label for _, label, split in found if split == "train"}
    for path, label, _ in found:
        if label not in known:
            raise DataError(
                f"{place}/{path}: expected a class of train ({', '.join(sorted(known))}), found {label}. Rename the "
                "folder or add the class to train."
            )
