"""Images with a list of labels: RAF-DB, AffectNet and any csv with a column of paths and one of classes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from study.core.errors import DataError
from study.datasets.readers import tables
from study.datasets.readers.entry import Allocate, RawSet, Reader, Source, reader
from study.datasets.readers.image_stack import SUFFIXES, images_in, read_images
from study.datasets.readers.names import AFFECTNET, RAF_DB, split_of
from study.datasets.readers.place import Place

RAF_DB_LIST = "list_patition_label.txt"
AFFECTNET_PATHS = "subdirectory_filepath"
PATHS = (
    *("image", "path", "file", "filename", "file_name", "filepath", "file_path", "img", "image_path"),
    *("img_path", "image_name", "pth", "name"),
)
"""Names of the column with the path, in small letters."""

_SPLITS = ("split", "usage", "set", "subset", "partition")
_NO_EMOTION = ("8", "9", "10")  # AffectNet: none, uncertain, no face
_RAF_DB_NAME = re.compile(r"(train|test)_\d+(_aligned)?\.\w+")
_DEEPEST = 5
_TRIED = 200  # rows, of which one must name an image that is there


class _Row(NamedTuple):
    """What a row says: a path, the class as written and as named, the split or None, and its number."""

    path: str
    written: str
    label: str
    split: str | None
    number: int


@reader("listed")
class Listed(Reader):
    """Reads images whose class a list says: a csv with names of columns, or lines ``name label`` without.

    A row may give an image's path from anywhere above it, or its name alone: the file whose path ends most like it is
    taken. The split is in a column, in the list's name (``train_labels.csv``), or in the images' folders or RAF-DB's
    file names. Where every image lies in a folder called like its class, the folders are read instead.
    """

    form = "images with a list of labels"
    order = 10

    def recognise(self, place: Place) -> Source | None:
        """Return the images that a list, or the lists in a folder or just below it, are about."""
        if not place.is_folder:
            is_list = place.suffix in tables.SUFFIXES and _is_list(place)
            return _source(place.parent, [place.name]) if is_list else None
        files, folders = place.lists()
        lists = [name for name in files if name.lower().endswith(tables.SUFFIXES) and _is_list(place / name)]
        if not lists:
            below = [f"{name}/{file}" for name in folders for file in (place / name).lists()[0]]
            lists = [path for path in below if path.lower().endswith(tables.SUFFIXES) and _is_list(place / path)]
        return _source(place, lists) if lists else None

    def read(self, source: Source, allocate: Allocate) -> RawSet:
        """Match the rows to files and read these."""
        place, lists = source.place, source.plan
        images = _Images(source.files[len(lists) :])
        found: dict[str, _Row] = {}
        missing, twice = [], set()
        for path in lists:
            for row in _rows(place / path):
                image = images.find(row, place / path)
                if image is None:
                    missing.append(row.path)
                elif found.setdefault(image, row).split != row.split:
                    raise DataError(f"{place / path}: expected each image in one split, found {image} in two.")
                elif found[image].label != row.label:
                    twice.add(image)
        kept = sorted(set(found) - twice)
        splits = [found[image].split or _split_of_path(image) for image in kept]
        if not kept or None in splits and any(splits):
            what = f"{splits.count(None):,} of {len(kept):,} without" if kept else "no image that is there"
            raise DataError(f"{place}: expected images in {', '.join(lists)}, all with a split or none, found {what}.")
        said = "its own list" if len(lists) == 1 else "its own lists"
        given_by = said if any(row.split for row in found.values()) else "the names of folders or files"
        chosen = Source(place, source.reader, files=tuple(kept))
        raw = read_images(chosen, [found[image].label for image in kept], splits, given_by, allocate)
        left = (
            (missing, "listed images are not there"),
            (sorted(twice), "images are listed with two classes and left out"),
            (sorted(set(images.paths) - set(found)), "images are in no list and left out"),
        )
        notes = [f"{len(paths):,} {what}, such as {ascii(paths[0][-99:])[1:-1]}." for paths, what in left if paths]
        return replace(raw, notes=(*raw.notes, *notes))


def _source(root: Place, lists: list[str]) -> Source | None:
    """Return the images below a folder with those of its lists that say something new about them."""
    images = _Images(_walk(root))
    kept = [path for path in lists if _says_more(root, path, images)]
    if not kept:
        return None
    if len(kept) > 1 and not all(next(_rows(root / path)).split for path in kept):
        raise DataError(
            f"{root}: expected one list of images, or one for each split such as train_labels.csv, found "
            f"{', '.join(kept)}. Give the path of the one to use."
        )
    return Source(root, "listed", files=(*kept, *images.paths), plan=kept)


def _says_more(root: Place, path: str, images: _Images) -> bool:
    """Tell whether a list is about images that are there and whose folders are not called like the classes."""
    folder = path.rpartition("/")[0]
    if folder and any(image.startswith(f"{folder}/") for image in images.paths):
        return False  # a dataset of its own
    matched = False
    for row in _sound_rows(root / path):
        image = images.find(row, root / path)
        if image is not None and f"/{image}".split("/")[-2].lower() != row.written.lower():
            return True
        matched = matched or image is not None
        if not matched and row.number > _TRIED:
            return False
    return False


class _Images:
    """The image files below a folder, found by what a row says of them."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        self._named: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            self._named[path.rpartition("/")[2]].append(path)

    def find(self, row: _Row, place: Place) -> str | None:
        """Return the path of the one file that fits a row, None where there is none.

        Raises:
            DataError: several fit equally well.
        """
        folders, _, name = row.path.rpartition("/")
        found = self._named.get(name, [])
        if place.name == RAF_DB_LIST:  # faces that were cut out and turned upright go before whole pictures
            stem, dot, suffix = name.rpartition(".")
            found = self._named.get(f"{stem}_aligned{dot}{suffix}", found)
        if len(found) > 1:
            wanted = folders.split("/")[::-1]

            def fit(path: str) -> tuple[int, bool, bool]:
                parents = path.split("/")[-2::-1]
                same = next((n for n, (a, b) in enumerate(zip(wanted, parents, strict=False)) if a != b), len(parents))
                return same, _split_of_path(path) == row.split, bool(parents) and parents[0] == row.written

            best = max(map(fit, found))
            found = [path for path in found if fit(path) == best]
        if len(found) > 1:
            raise DataError(
                f"{place}, row {row.number}: expected the path of one image, found {ascii(row.path[-80:])}, which may "
                f"be {found[0]} or {found[1]}. Write its folder too."
            )
        return found[0] if found else None


def _walk(folder: Place, depth: int = _DEEPEST) -> list[str]:
    """Return the paths of the image files below a folder, sorted."""
    files, folders = folder.lists()
    found = images_in(folder, files)
    for name in folders if depth else ():
        found += [f"{name}/{path}" for path in _walk(folder / name, depth - 1)]
    return sorted(found)


def _is_list(place: Place) -> bool:
    with suppress(OSError), tables.Table(place) as table:
        names = set(table.columns)
        named = names & {*PATHS, AFFECTNET_PATHS} and names & set(tables.LABELS)
        return _has_no_names(table) or bool(named) and "pixels" not in names
    return False


def _has_no_names(table: tables.Table) -> bool:
    """Tell whether the first line is a row already: the name of an image and a class."""
    return len(table.columns) == 2 and table.columns[0].endswith(SUFFIXES)


def _rows(place: Place) -> Iterator[_Row]:
    """Yield what the rows of a list say.

    Raises:
        DataError: a row that is not as it should be, with its number.
    """
    words = {split_of(word) for word in re.split("[^a-z]+", place.name.lower())} - {None}
    of_list = words.pop() if len(words) == 1 else None
    with tables.Table(place) as table:
        bare = _has_no_names(table)
        path, label = (0, 1) if bare else (table.column(*PATHS, AFFECTNET_PATHS), table.column(*tables.LABELS))
        column = None if bare else table.column(*_SPLITS)
        if path is None or label is None:
            return
        affectnet = table.columns[path] == AFFECTNET_PATHS
        numbers = RAF_DB if place.name == RAF_DB_LIST else AFFECTNET if affectnet else {}

        def row(fields: list[str]) -> _Row:
            written = fields[label]
            table.check_class(written)
            split = of_list if column is None else split_of(fields[column])
            if column is not None and split is None:
                table.refuse("train, val or test as split", tables.shown(fields[column]))
            name = fields[path].replace("\\", "/")
            return _Row(name, written, numbers.get(written, written), split, table.row)

        if bare:
            yield row(table.first)
        for fields in table.rows():
            if not (affectnet and fields[label] in _NO_EMOTION):
                yield row(fields)


def _sound_rows(place: Place) -> Iterator[_Row]:
    """Yield the rows before the first that is not as it should be: a csv beside folders need not be a list."""
    with suppress(DataError):
        yield from _rows(place)


def _split_of_path(path: str) -> str | None:
    """Return the split that the folders of an image say, or RAF-DB's name for it."""
    *folders, name = path.split("/")
    named = _RAF_DB_NAME.fullmatch(name)
    return next((split for folder in folders if (split := split_of(folder))), split_of(named[1]) if named else None)
