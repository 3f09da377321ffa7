"""Finding out what a path holds: a csv, split folders with class folders, class folders, or an archive of these."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from study.core.errors import DataError
from study.core.spec import SPLITS
from study.datasets.readers.archives.archive import Member, is_archive

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp")
LAYOUTS = "fer2013.csv, <split>/<class>/* with train and test, or <class>/*, also in a .zip or .tar"
_SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "publictest": "validation",
    "test": "test",
    "testing": "test",
    "privatetest": "test",
}
_CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
_CSV_PAIR = ("train.csv", "test.csv")
_LITTER = {"Thumbs.db", "desktop.ini", "__MACOSX"}
_DEEPEST = 3

Place = Path | Member


@dataclass(frozen=True)
class ClassFolder:
    """One folder of images.

    Attributes:
        folder: Path below the layout's root, with slashes.
        label: Name of the class folder.
        split: Split that the folder above stands for, None without split folders.
        files: Names of the image files, sorted.
        others: Names of files and folders that are no images by their name.
    """

    folder: str
    label: str
    split: str | None
    files: tuple[str, ...]
    others: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """What a path holds.

    Attributes:
        path: A csv, an archive (both without ``folders``), or the folder above ``folders``; a place in an open archive
            where that is looked into.
        folders: The folders of images.
        test: A second csv that holds the test split.
    """

    path: Place
    folders: tuple[ClassFolder, ...] = ()
    test: Place | None = None

    @property
    def packed(self) -> bool:
        """Tell whether it is an archive that has to be opened before it can be read."""
        return not self.folders and isinstance(self.path, Path) and is_archive(self.path)


def find(path: Place) -> Layout:
    """Return the one dataset that a path holds.

    Raises:
        DataError: nothing there, no dataset there, or more than one.
    """
    if isinstance(path, Path) and not path.exists():
        raise DataError(f"{path}: expected {LAYOUTS}, found nothing there. Check the path, or use synthetic.")
    if isinstance(path, Path) and not (path.is_file() or path.is_dir()):
        raise DataError(f"{path}: expected {LAYOUTS}, found a device or a pipe. Give a file or a folder.")
    found = find_all(path)
    if not found:
        kinds = ", ".join(IMAGE_SUFFIXES)
        raise DataError(f"{path}: expected {LAYOUTS}, found no csv and no images ({kinds}). Check the path.")
    if len(found) > 1:
        names = ", ".join(str(layout.path) for layout in found)
        raise DataError(f"{path}: expected one dataset, found {len(found)}: {names}. Give the path of the one to use.")
    return found[0]


def find_all(path: Place, depth: int = _DEEPEST) -> list[Layout]:
    """Return the datasets at a path or, where it is only a wrapping, up to ``depth`` folders below; best known first.

    Raises:
        DataError: a folder that is laid out as a dataset but cannot be one.
    """
    if not path.is_dir():
        return [Layout(path)]
    files, folders = _list(path)
    splits = {name: _SPLIT_FOLDERS[name.lower()] for name in folders if name.lower() in _SPLIT_FOLDERS}
    if splits:
        return [_split_folders(path, folders, splits)]
    inner = {name: _list(path / name) for name in folders}
    if any(_images(names) for names, _ in inner.values()):
        return [_class_folders(path, inner)]
    loose = _images(files)
    if loose:
        what = f"{len(loose)} images without class folders, such as {loose[0]}"
        raise DataError(f"{path}: expected {LAYOUTS}, found {what}. Sort them into one folder per class.")
    tables = sorted((name for name in files if name.lower().endswith(".csv")), key=_rank)
    if tables:
        known = [name for name in tables if name.lower() in _CSV_NAMES]
        pair = {name.lower(): path / name for name in tables if name.lower() in _CSV_PAIR}
        if known:
            return [Layout(path / known[0])]
        if len(pair) == len(_CSV_PAIR):
            train, test = (pair[name] for name in _CSV_PAIR)
            return [Layout(train, test=test)]
        found = [Layout(path / name) for name in tables]
    else:
        found = []
    if isinstance(path, Path):  # archives in archives stay closed
        found += [Layout(path / name) for name in files if is_archive(path / name)]
    if depth:
        for name in folders:
            found += find_all(path / name, depth - 1)
    return found


def _split_folders(path: Place, folders: list[str], splits: dict[str, str]) -> Layout:
    """Return the layout of a folder that has split folders."""
    names = ", ".join(folders)
    if "train" not in splits.values():
        raise DataError(
            f"{path}: expected a folder train beside the other splits, found {names}. Add it or rename one."
        )
    for split in SPLITS:
        same = [name for name in splits if splits[name] == split]
        if len(same) > 1:
            raise DataError(
                f"{path}: expected one folder for the {split} split, found {' and '.join(same)}. Merge them."
            )
    strangers = [name for name in folders if name not in splits and any(_list(path / name))]
    if strangers:
        raise DataError(
            f"{path}: expected only split folders (train, test, val or validation), found {strangers[0]} beside "
            f"{', '.join(splits)}. Rename it to the split it is, or move it away."
        )
    found: list[ClassFolder] = []
    for name, split in splits.items():
        files, labels = _list(path / name)
        loose = _images(files)
        if loose or not labels:
            what = f"{len(loose)} images without class folders" if loose else "no folders"
            raise DataError(f"{path / name}: expected one folder per class, found {what}. Sort the images by class.")
        found += [_class_folder(path, f"{name}/{label}", split, *_list(path / name / label)) for label in labels]
    known = {folder.label for folder in found if folder.split == "train"}
    for folder in found:
        if folder.label not in known:
            raise DataError(
                f"{path / folder.folder}: expected a class of train ({', '.join(sorted(known))}), found "
                f"{folder.label}. Rename the folder or add the class to train."
            )
    return _checked(Layout(path, tuple(found)))


def _class_folders(path: Place, inner: dict[str, tuple[list[str], list[str]]]) -> Layout:
    """Return the layout of a folder that has class folders and no split."""
    return _checked(Layout(path, tuple(_class_folder(path, name, None, *lists) for name, lists in inner.items())))


def _class_folder(root: Place, folder: str, split: str | None, files: list[str], folders: list[str]) -> ClassFolder:
    images = _images(files)
    if not images:
        found = f"{len(folders)} folders" if folders else f"{len(files)} other files" if files else "an empty folder"
        raise DataError(
            f"{root / folder}: expected images of class {Path(folder).name} ({', '.join(IMAGE_SUFFIXES)}), "
            f"found {found}. Fill the folder or remove it."
        )
    others = sorted({*files, *folders} - set(images))
    return ClassFolder(folder, folder.rsplit("/", 1)[-1], split, tuple(images), tuple(others))


def _checked(layout: Layout) -> Layout:
    labels = sorted({folder.label for folder in layout.folders})
    if len(labels) < 2:
        raise DataError(f"{layout.path}: expected at least two classes, found only {labels[0]}. Add the other classes.")
    return layout


def _list(path: Place) -> tuple[list[str], list[str]]:
    """Return the names of files and of folders, sorted, without hidden ones and what systems leave behind."""
    if isinstance(path, Member):
        kinds = [(name, folder) for folder, names in enumerate(path.lists()) for name in names]
    else:
        with os.scandir(path) as entries:
            kinds = [(entry.name, entry.is_dir()) for entry in entries]
    kinds = [(name, folder) for name, folder in kinds if name[0] != "." and name not in _LITTER]
    try:
        "".join(name for name, _ in kinds).encode()
    except UnicodeEncodeError:
        raise DataError(f"{path}: expected file names in UTF-8, found others. Rename these files.") from None
    return sorted(name for name, folder in kinds if not folder), sorted(name for name, folder in kinds if folder)


def is_read(name: str) -> bool:
    """Tell by its name whether a file in an archive may be read: an image or a csv, not hidden."""
    return name[0] != "." and (bool(_images([name])) or name.lower().endswith(".csv"))


def _images(names: list[str]) -> list[str]:
    return [name for name in names if name[name.rfind(".") :].lower() in IMAGE_SUFFIXES]


def _rank(name: str) -> tuple[int, str]:
    """Order csv files: FER-2013's own names first."""
    return (_CSV_NAMES.index(name.lower()) if name.lower() in _CSV_NAMES else len(_CSV_NAMES), name)
