"""Pixels in a csv: fer2013.csv, icml_face_data.csv, the challenge's train.csv, and such files with other classes."""

from __future__ import annotations

import warnings
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from study.core.errors import DataError
from study.core.spec import SPLITS
from study.datasets.readers import fer2013
from study.datasets.readers.entry import NO_SPLIT, Allocate, RawSet, Reader, Source, reader
from study.datasets.readers.names import note_on_numbers, order_classes, split_of
from study.datasets.readers.place import Place
from study.datasets.readers.tables import LABELS, Table, has_column, shown

OWN_NAMES = ("fer2013.csv", "icml_face_data.csv")
"""Files of these names hold FER-2013's classes, all of them and no others."""

_PAIR = ("train.csv", "test.csv")
_MOST_CLASSES = 1000


@reader("pixel-csv")
class PixelCsv(Reader):
    """Reads tables with a column of pixels.

    The columns are emotion (or label, class ...), pixels (a square number of values from 0 to 255) and mostly Usage, in
    any order. Usage may hold FER-2013's words or train, val and test. Ids are ``<Usage>/<row>``, with rows counted from
    1 after the first line. Without Usage they are ``<file>/<row>``, and the images come without a split, or as train
    and test where the challenge's two files lie together and both have labels.
    """

    form = "a csv of pixels such as fer2013.csv"
    order = 30

    def recognise(self, place: Place) -> Source | None:
        """Return a csv that has pixels, or those in a folder that are known to belong together."""
        if not place.is_folder:
            return Source(place, "pixel-csv") if has_column(place, "pixels") else None
        names = {name.lower(): name for name in place.lists()[0]}
        for name in OWN_NAMES:
            if name in names and has_column(place / names[name], "pixels"):
                return Source(place / names[name], "pixel-csv")
        pair = [names[name] for name in _PAIR if name in names]
        if len(pair) == len(_PAIR) and all(has_column(place / name, "pixels") for name in pair):
            return Source(place, "pixel-csv", files=tuple(pair))
        return None

    def read(self, source: Source, allocate: Allocate) -> RawSet:
        """Read one csv, or train.csv and test.csv."""
        train, *rest = (source.place / path if path else source.place for path in source.files)
        rows = _Rows(train)
        tables, notes, given_by = [rows], [], "the csv's Usage column"
        if not rows.has_usage:
            notes.append(_without_usage(rows))
            given_by = f"the file {train.name}"
            for test in rest:
                if has_column(test, *LABELS):
                    tables.append(_Rows(test, rows.pixels))
                    rows.splits, tables[1].splits = [0] * len(rows.splits), [2] * len(tables[1].splits)
                    given_by = f"the files {train.name} and {test.name}"
                else:
                    notes.append(f"{test.name} has no labels and is not used.")
        given = [label for one in tables for label in one.labels]
        order = _order(rows, set(given))
        label_of = {name: label for label, name in enumerate(order.values())}
        side = isqrt(rows.pixels)
        images = allocate((len(given), side, side, 1))
        for row, pixels in enumerate(pixels for one in tables for pixels in one.images):
            images[row] = pixels.reshape(side, side, 1)
        usages = {usage.lower() for one in tables for usage in one.usages}
        return RawSet(
            images=images,
            labels=np.array([label_of[label] for label in given], np.int64),
            classes=tuple(order),
            ids=np.array([f"{usage}/{row}" for one in tables for row, usage in enumerate(one.usages, start=1)]),
            given=np.array([split for one in tables for split in one.splits], np.uint8),
            given_by=given_by,
            claims_fer2013=rows.has_usage
            and side == fer2013.SIDE_PX
            and usages <= {name.lower() for name in fer2013.USAGES}
            and set(order) <= set(fer2013.CLASSES),
            notes=(*notes, *note_on_numbers(order)),
        )


def _order(rows: _Rows, found: set[str]) -> dict[str, str]:
    """Return the label as given by class name, in label order; 0 to 6 in a column emotion are FER-2013's."""
    official = {str(code): name for code, name in enumerate(fer2013.CLASSES)}
    if rows.emotions and found <= set(official):
        order = {name: code for code, name in official.items() if code in found}
        if rows.strict and len(order) < len(official):
            raise DataError(
                f"{rows.place}: expected images of all seven classes in a file of this name, found no "
                f"{', '.join(name for name in fer2013.CLASSES if name not in order)} in {len(rows.labels)} rows. Get a "
                "complete copy, or rename the file if it holds other classes."
            )
        return order
    if len(found) > _MOST_CLASSES:
        raise DataError(f"{rows.place}: expected at most {_MOST_CLASSES:,} classes, found {len(found):,}.")
    if all(name.isdecimal() for name in found):
        return {name: name for name in sorted(found, key=lambda name: (int(name), name))}
    return order_classes(found)


def _without_usage(rows: _Rows) -> str:
    """Return what readers of results must know about a csv that says no split."""
    counts = tuple(rows.labels.count(str(code)) for code in range(len(fer2013.CLASSES)))
    if counts == fer2013.OFFICIAL_COUNTS["train"]:
        return (
            f"{rows.place.name} has the counts of FER-2013's training split and no other: without PublicTest and "
            "PrivateTest results do not compare with published ones. icml_face_data.csv and fer2013.csv hold all three."
        )
    return f"{rows.place.name} does not say which split an image belongs to."


class _Rows:
    """The rows of one csv, each with so many pixels; 0 lets the first row decide.

    Raises:
        DataError: a missing column, or a row that is not as it should be, with its number.
    """

    def __init__(self, place: Place, pixels: int = 0) -> None:
        self.place, self.pixels = place, pixels
        self.strict = place.name.lower() in OWN_NAMES
        self.labels: list[str] = []
        self.splits: list[int] = []
        self.usages: list[str] = []
        self.images: list[NDArray[np.uint8]] = []
        with Table(place) as table, warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # numpy's word for numbers that cannot be read
            label, column, usage = table.column(*LABELS), table.column("pixels"), table.column("usage")
            if label is None or column is None:
                raise DataError(
                    f"{place}: expected the columns emotion, pixels and mostly Usage in the first line, found "
                    f"{', '.join(table.columns)[:80] or 'an empty line'}. Give fer2013.csv, icml_face_data.csv or "
                    "train.csv as published; the challenge's test.csv has no labels."
                )
            self.emotions = table.columns[label] == "emotion"
            self.has_usage = usage is not None
            for fields in table.rows():
                if self.strict and fields[label] not in tuple("0123456"):
                    rule = "an emotion from 0 to 6 in a file of this name (rename it if it holds others)"
                    table.refuse(rule, shown(fields[label]))
                table.check_class(fields[label])
                split = None if usage is None else split_of(fields[usage])
                if usage is not None and split is None:
                    rule = "Usage Training, PublicTest or PrivateTest (or train, val, test)"
                    table.refuse(rule, shown(fields[usage]))
                self.labels.append(fields[label])
                self.splits.append(NO_SPLIT if split is None else SPLITS.index(split))
                self.usages.append(place.name.rsplit(".", 1)[0] if usage is None else fields[usage])
                self.images.append(self._pixels(table, fields[column]))
        if not self.labels:
            raise DataError(f"{place}: expected one image per row, found no rows. Get a complete copy of the file.")

    def _pixels(self, table: Table, text: str) -> NDArray[np.uint8]:
        try:
            values = np.fromstring(text, np.int64, sep=" ") if text else np.empty(0, np.int64)
        except (ValueError, DeprecationWarning):
            wrong = next((one for one in text.split() if not (one.isascii() and one.isdecimal())), text)
            table.refuse("pixels from 0 to 255", shown(wrong))
        if not self.pixels and (len(values) < 64 or isqrt(len(values)) ** 2 != len(values)):
            table.refuse("a square number of pixels (48x48 = 2304)", str(len(values)))
        self.pixels = self.pixels or len(values)
        if len(values) != self.pixels:
            table.refuse(f"{self.pixels} pixels as in the first row", str(len(values)))
        if values.min() < 0 or values.max() > 255:
            wrong = str(values[(values < 0) | (values > 255)][0])
            table.refuse("pixels from 0 to 255", shown(wrong))
        return values.astype(np.uint8)
