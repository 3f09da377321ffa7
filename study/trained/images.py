"""Images for a stored run: its own, given, found in data/ or drawn again; and any dataset's in its size and classes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.core.errors import DataError, StudyError, UsageError, unknown_name
from study.core.record import Record
from study.core.spec import SPLITS
from study.core.store import Store
from study.core.toml import read_text, read_toml
from study.datasets.image_set import ImageSet, hash_images
from study.datasets.load import load
from study.datasets.readers import layout
from study.datasets.readers.names import emotion
from study.trained.winner import data_words

#: The split that stands for all of a dataset.
ALL = "all"
#: Images that an export is checked on.
SAMPLE = 256
#: Settings of the faces that stand in where a study's photographs are not at hand.
STAND_IN = "synthetic:images=400"
#: First row of a CSV table that is a heading and no pair.
HEADING = ("dataset", "run")


@dataclass(frozen=True)
class Sample:
    """Images that an export is checked on."""

    images: NDArray[np.uint8]  #: uint8 (n, height, width, channels) as the network takes them.
    what: str  #: Which they are, to be read after "on": ``256 images of fer2013's validation split``.
    image_set: ImageSet | None  #: The study's image set, where it is at hand.


def study_images(record: Record, data: str | None, log: Callable[[str], None]) -> ImageSet | None:
    """Return the image set of a run, or None where it is not at hand.

    Without ``data`` the built-in faces are drawn again, or ``data/`` is looked into.

    Raises:
        DataError: ``data`` is another dataset, or cannot be used.
    """
    if data is None and not record.dataset.drawn and not (Path("data").is_dir() and layout.find_all(Path("data"))):
        return None
    try:
        found = load(data or (data_words(record.dataset) if record.dataset.drawn else None), log=log)
    except StudyError:
        if data is None:
            return None
        raise
    if found.fingerprint == record.dataset.fingerprint:
        return found
    if data is None:
        return None
    raise DataError(
        f"{data} must be the dataset of {record.key}, {record.dataset.name} "
        f"({record.dataset.fingerprint[:12]}), found {found.name} ({found.fingerprint[:12]})."
    )


def check_sample(record: Record, data: str | None, log: Callable[[str], None]) -> Sample:
    """Return images to check an export on: the run's own validation split, else drawn faces.

    Raises:
        DataError: ``data`` is another dataset than the run's, or cannot be used.
    """
    found = study_images(record, data, log)
    if found is not None:
        return validation_sample(found)
    drawn = load(STAND_IN, log=lambda line: None).images[:SAMPLE]
    what = f"{len(drawn)} drawn faces, since {record.dataset.name} is not at hand"
    return Sample(resized(drawn, record.dataset.image_shape), what, None)


def validation_sample(image_set: ImageSet) -> Sample:
    """Return images of a run's own validation split."""
    images = image_set.images[spread(image_set.indices("validation"), SAMPLE)]
    return Sample(images, f"{len(images)} images of {image_set.name}'s validation split", image_set)


def spread(places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return at most ``count`` of the places, evenly spread and ascending.

    >>> spread(np.arange(10), 4).tolist()
    [0, 3, 6, 9]
    """
    if len(places) <= count:
        return places
    return places[np.linspace(0, len(places) - 1, count).round().astype(np.int64)]


def resized(images: NDArray[np.uint8], image_shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return images uint8 (n, h, w, 1 or 3) in another size and number of channels; colour becomes grey by BT.601."""
    import cv2

    if images.shape[1:] == image_shape:
        return images
    height, width, channels = image_shape
    result = np.empty((len(images), height, width, channels), np.uint8)
    shrinks = images.shape[1] > height or images.shape[2] > width
    for target, image in zip(result, images, strict=True):
        if image.shape[-1] == 3 and channels == 1:
            image = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        target[:] = small if small.ndim == 3 else small[..., np.newaxis]
    return result


@dataclass(frozen=True)
class Foreign:
    """Labelled images for a run."""

    images: NDArray[np.uint8]  #: uint8 (n, height, width, channels) of the run's image shape.
    labels: NDArray[np.int64]  #: int64 (n,), in the run's classes.
    ids: NDArray[np.str_]  #: (n,), of the dataset.
    hashes: NDArray[np.bytes_]  #: bytes (n,), content hashes of ``images``.
    split: str  #: Which of the dataset's images these are: ``all``, ``train``, ``validation`` or ``test``.
    mapped: Mapping[str, str]  #: The run's class by the dataset's.
    left_out: Mapping[str, int]  #: Images by class of the dataset that has no counterpart.
    own: bool  #: Whether it is the run's own dataset.
    #: bool (n,), whether the run trained on the image or on an identical one, or chose by it; None where the study does
    #: not tell.
    seen: NDArray[np.bool_] | None


def prepare(
    store: Store, record: Record, image_set: ImageSet, table: Mapping[str, str] | None = None, split: str | None = None
) -> Foreign:
    """Return a dataset's images as a run takes them, with classes by ``map_classes``.

    Without ``split``, which may be ``all``: the test split of the run's own dataset, all of another one.

    Raises:
        UsageError: no class has a counterpart, or fewer than two images are left.
    """
    classes = list(record.dataset.classes)
    own = image_set.fingerprint == record.dataset.fingerprint
    split = split or ("test" if own else ALL)
    mapped = map_classes(image_set.classes, classes, table)
    chosen = np.arange(len(image_set)) if split == ALL else image_set.indices(split)
    theirs = image_set.labels[chosen]
    counts = zip(image_set.classes, np.bincount(theirs, minlength=len(image_set.classes)), strict=True)
    left_out = {name: int(count) for name, count in counts if name not in mapped and count}
    labels = np.array([classes.index(mapped[name]) if name in mapped else -1 for name in image_set.classes])[theirs]
    kept = chosen[labels >= 0]
    if len(kept) < 2:
        raise UsageError(f"scores need at least two images, {image_set.name} has {len(kept)} of the run's classes.")
    images = resized(np.ascontiguousarray(image_set.images[kept]), record.dataset.image_shape)
    hashes, dataset = hash_images(images), store.find_dataset()
    seen = None
    if dataset is not None:
        seen = np.isin(hashes, dataset["hashes"][dataset["splits"] != SPLITS.index("test")])
    return Foreign(
        images=images,
        labels=labels[labels >= 0].astype(np.int64),
        ids=image_set.ids[kept],
        hashes=hashes,
        split=split,
        mapped=mapped,
        left_out=left_out,
        own=own,
        seen=seen,
    )


def map_classes(theirs: Sequence[str], ours: Sequence[str], table: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the run's class (of ``ours``) for each class of the dataset (of ``theirs``) that has one.

    The table has the run's class by the dataset's, empty to leave a class out. What it does not name goes by name.

    Raises:
        UsageError: the table names a class that the dataset or the run does not have, or no class has a counterpart.

    >>> map_classes(["Happiness", "anger", "contempt"], ["angry", "happy"])
    {'Happiness': 'happy', 'anger': 'angry'}
    """
    table = table or {}
    for name, meant in table.items():
        if name not in theirs:
            raise unknown_name("class of the dataset", name, theirs)
        if meant and meant not in ours:
            raise unknown_name("class of the run", meant, ours)
    by_name = {emotion(name): name for name in ours}
    found = {name: table.get(name, by_name.get(emotion(name), "")) for name in theirs}
    mapped = {name: meant for name, meant in found.items() if meant}
    if not mapped:
        raise UsageError(
            f"no class of the dataset ({', '.join(theirs)}) has the name of one of the run's ({', '.join(ours)}): "
            "say which means which with --map FILE."
        )
    return mapped


def read_map(path: Path) -> dict[str, str]:
    """Read a table of classes: TOML (``happiness = "happy"``) or CSV (``happiness,happy``); empty leaves a class out.

    Raises:
        UsageError: it cannot be read as such a table.
    """
    if path.suffix == ".toml":
        table = read_toml(path)
        wrong = next((f"{name} = {value!r}" for name, value in table.items() if not isinstance(value, str)), None)
        if wrong:
            raise UsageError(f'{path}: every line must read dataset_class = "run_class", found {wrong}.')
        return {str(name): str(value) for name, value in table.items()}
    if path.suffix != ".csv":
        raise UsageError(f"--map takes a .toml or a .csv file, got {path}.")
    try:
        rows = [row for row in csv.reader(read_text(path, "utf-8-sig").splitlines()) if row]
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as CSV ({error}): give an existing file.") from error
    rows = [[cell.strip() for cell in row] for row in rows]
    wrong_row = next((row for row in rows if len(row) != 2), None)
    if wrong_row:
        raise UsageError(f"{path}: every line must read dataset_class,run_class, found {','.join(wrong_row)}.")
    return {name: meant for name, meant in rows if (name, meant) != HEADING}
