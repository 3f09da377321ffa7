"""Finding datasets: each place is shown to every reader; wrapping folders and archives are looked into."""

from __future__ import annotations

from pathlib import Path

from study.core.errors import DataError
from study.datasets.readers.archive import is_archive
from study.datasets.readers.entry import Source, in_order
from study.datasets.readers.image_stack import images_in
from study.datasets.readers.place import Place
from study.datasets.readers.tables import SUFFIXES, Table

_DEEPEST = 3


def find(path: Path) -> Source:
    """Return the one dataset at a path, which may lead into an archive (``rafdb.zip/DATASET``).

    Raises:
        DataError: nothing there, no dataset there, or more than one.
    """
    if path.is_file() or path.is_dir():
        return find_at(Place(path))
    if path.exists():
        raise DataError(f"{path}: expected {forms()}, found a device or a pipe. Give a file or a folder.")
    for outer in path.parents:
        if is_archive(outer.name) and outer.is_file():
            return Source(Place(outer), "", plan=path.relative_to(outer).as_posix())
        if outer.is_dir():
            raise DataError(
                f"{path}: expected {forms()}, found nothing there; {outer} holds {describe(Place(outer))}. Check the "
                "path, or use synthetic."
            )
    raise DataError(f"{path}: expected {forms()}, found nothing there. Check the path, or use synthetic.")


def find_at(place: Place) -> Source:
    """Return the one dataset at a place that is there.

    Raises:
        DataError: no dataset there, or more than one.
    """
    found = find_all(place)
    if not found:
        raise DataError(f"{place}: expected {forms()}, found {describe(place)}. Check the path.")
    if len(found) > 1:
        names = ", ".join(str(source.place) for source in found)
        raise DataError(f"{place}: expected one dataset, found {len(found)}: {names}. Give the path of the one to use.")
    return found[0]


def find_all(place: Path | Place, depth: int = _DEEPEST) -> list[Source]:
    """Return the datasets at a place or, where it is only a wrapping, up to ``depth`` folders below; best known first.

    Raises:
        DataError: a folder that is laid out as a dataset but cannot be one.
    """
    place = Place(place) if isinstance(place, Path) else place
    for reader in in_order():
        if (source := reader.recognise(place)) is not None:
            return [source]
    if not place.is_folder:  # archives in archives stay closed
        packed = place.archive is None and is_archive(place.name) and Path(place.path).is_file()
        return [Source(place, "", plan="")] if packed else []
    files, folders = place.lists()
    found = [source for name in files for source in find_all(place / name, 0)]
    found.sort(key=lambda source: not source.reader)  # archives last
    if depth:
        found += [source for name in folders for source in find_all(place / name, depth - 1)]
    return found


def is_read(name: str) -> bool:
    """Tell by its name whether a file in an archive may be read; archives in archives stay closed."""
    return not name.startswith(".") and not is_archive(name)


def forms() -> str:
    """Return what can be read, for messages."""
    return "a dataset (" + ", ".join(reader.form for reader in in_order()) + "; also in a .zip or .tar)"


def describe(place: Place) -> str:
    """Say what is at a place that is no dataset."""
    if not place.is_folder:
        if place.suffix in SUFFIXES:
            if columns := ", ".join(_columns(place)):
                return f"a table with the columns {columns[:80]}"
            return "no text" if place.head(1) else "an empty file"
        return "a single image" if images_in(place.parent, [place.name]) else place.describe()
    files, _ = place.lists()
    if images := images_in(place, files):
        return f"{len(images)} images without class folders, such as {images[0]}: sort them into one folder per class"
    tables = [name for name in files if name.lower().endswith((".csv", ".tsv"))]
    return place.describe() + "".join(f"; {name}: {', '.join(_columns(place / name))[:80]}" for name in tables[:3])


def _columns(place: Place) -> list[str]:
    with Table(place) as table:
        return table.columns
