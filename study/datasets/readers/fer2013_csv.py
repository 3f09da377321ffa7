"""Reading fer2013.csv, icml_face_data.csv and the challenge's train.csv: blocks of rows at once, each value checked."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from io import BytesIO
from math import isqrt
from typing import BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from study.core.errors import DataError
from study.datasets.readers import fer2013
from study.datasets.readers.layout import Place
from study.datasets.readers.raw_set import NO_SPLIT, Allocate, RawSet, in_memory

COLUMNS = ("emotion", "pixels")
USAGE = "usage"
_BLOCK_BYTES = 1 << 17  # about 16 rows of FER-2013: the working arrays stay in the processor's cache
_LONGEST_HEADER = 1 << 12
_LONGEST_ROW = 1 << 21
_BLANK = 32
_OWN_USAGES = {"train": 0, "val": 1, "validation": 1, "selection": 1, "test": 2}
_USAGE_CODES = {name.lower().encode(): code for code, name in enumerate(fer2013.USAGES)} | {
    name.encode(): code for name, code in _OWN_USAGES.items()
}
_LABEL_CODES = {str(code).encode(): code for code in range(len(fer2013.CLASSES))}


def read(path: Place, allocate: Allocate = in_memory, test: Place | None = None) -> RawSet:
    """Read a csv with the columns emotion (0..6), pixels (blank-separated 0..255) and mostly Usage, in any order.

    Usage may hold FER-2013's words or train, val and test; only FER-2013's words in 48x48 claim to be FER-2013. Ids are
    ``<Usage>/<row>`` with rows counted from 1 after the header. The challenge's train.csv has no Usage: its images come
    without a split, or as the training split where ``test`` has labels; ids are then ``<file>/<row>``.

    Args:
        path: The csv.
        allocate: Gives the array for the images.
        test: A second csv, without Usage, that holds the test split; the challenge's has no labels and takes no part.

    Raises:
        DataError: anything else than such files; the message names the row.
    """
    reader, has_usage = _read_rows(path)
    readers, notes, given_by = [reader], [], "the csv's Usage column"
    if not has_usage:
        notes.append(_without_usage(path, reader))
        given_by = f"the file {path.name}"
    if test is not None and not has_usage:
        with test.open("rb") as file:
            labelled = "emotion" in _column_names(file, test)
        if labelled:
            readers.append(_read_rows(test, reader.pixels)[0])
            reader.splits, readers[1].splits = [0] * len(reader.splits), [2] * len(readers[1].splits)
            given_by = f"the files {path.name} and {test.name}"
        else:
            notes.append(f"{test.name} has no labels and takes no part.")
    labels = np.array([label for one in readers for label in one.labels], np.int64)
    counts = np.bincount(labels, minlength=len(fer2013.CLASSES))
    if not counts.all():
        empty = ", ".join(name for name, count in zip(fer2013.CLASSES, counts, strict=True) if not count)
        raise DataError(
            f"{path}: expected images of all seven classes (emotion 0 to 6), found no {empty} in {len(labels)} rows. "
            "Get a complete copy, or use folders <class>/* for other classes."
        )
    side = isqrt(reader.pixels)
    images = allocate((len(labels), side, side, 1))
    images[...] = np.concatenate([block for one in readers for block in one.blocks]).reshape(images.shape)
    usages = {name.lower() for name in fer2013.USAGES}
    return RawSet(
        images=images,
        labels=labels,
        classes=fer2013.CLASSES,
        ids=np.array([f"{usage}/{row}" for one in readers for row, usage in enumerate(one.usages, start=1)]),
        given=np.array([split for one in readers for split in one.splits], np.uint8),
        given_by=given_by,
        claims_fer2013=has_usage and side == fer2013.SIDE_PX and {name.lower() for name in reader.usages} <= usages,
        notes=tuple(notes),
    )


def _read_rows(path: Place, pixels: int = 0) -> tuple[_Rows, bool]:
    """Read all rows of a csv, and tell whether it says the split of each."""
    with path.open("rb") as file:
        names = _column_names(file, path)
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            found = ", ".join(names)
            raise DataError(
                f"{path}: expected the columns emotion, pixels and mostly Usage in the first line, missing "
                f"{', '.join(missing)}, found {found[:80] or 'an empty line'}. Give fer2013.csv, icml_face_data.csv or "
                "train.csv as published; the challenge's test.csv has no labels."
            )
        usage = names.index(USAGE) if USAGE in names else None
        emotion, column = (names.index(name) for name in COLUMNS)
        reader = _Rows(path, (emotion, column, usage, len(names)), pixels)
        for lines in _blocks(file, path):
            reader.add(lines)
    if not reader.labels:
        raise DataError(f"{path}: expected one image per row, found no rows. Get a complete copy of the file.")
    return reader, usage is not None


def _blocks(file: BinaryIO, path: Place) -> Iterator[list[bytes]]:
    """Yield the lines of a file, many at a time, each with its end.

    Raises:
        DataError: a line that is longer than any row: it would have to be held in memory as a whole.
    """
    rest = b""
    while block := file.read(_BLOCK_BYTES):
        text = rest + block
        end = text.rfind(b"\n") + 1
        rest = text[end:]
        if len(rest) > _LONGEST_ROW:
            raise DataError(
                f"{path}: expected rows of at most {_LONGEST_ROW >> 20} MiB, found a longer one. Get a fresh copy."
            )
        if end:
            yield BytesIO(text[:end]).readlines()
    if rest:
        yield [rest]


def _column_names(file: BinaryIO, path: Place) -> list[str]:
    """Return the names in the first line, in small letters."""
    line = file.readline(_LONGEST_HEADER)
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise DataError(
            f"{path}: expected a csv that starts with emotion,pixels,Usage, found binary data. Unpack it first."
        )
    return [name.strip(' \t\r\n"').lower() for name in text.split(",")]


def _without_usage(path: Place, reader: _Rows) -> str:
    """Return what a reader of results must know about a csv that says no split."""
    if tuple(np.bincount(reader.labels, minlength=len(fer2013.CLASSES))) == fer2013.OFFICIAL_COUNTS["train"]:
        return (
            f"{path.name} has the counts of FER-2013's training split and no other: without PublicTest and PrivateTest "
            "results do not compare with published ones. icml_face_data.csv and fer2013.csv hold all three."
        )
    return f"{path.name} does not say which split an image belongs to."


class _Rows:
    """Collects rows block by block."""

    def __init__(self, path: Place, order: tuple[int, int, int | None, int], pixels: int) -> None:
        self.path = path
        self.emotion, self.column, self.usage, self.width = order
        self.pixels = pixels
        self.file = path.name.rsplit(".", 1)[0]
        self.labels: list[int] = []
        self.splits: list[int] = []
        self.usages: list[str] = []
        self.blocks: list[NDArray[np.uint8]] = []

    def add(self, lines: list[bytes]) -> None:
        """Parse some lines and append what they hold."""
        texts = []
        for line in lines:
            fields = line.split(b",")
            if len(fields) != self.width:
                if not line.strip():
                    continue
                self._refuse(line, f"{self.width} comma-separated fields", f"{len(fields)}")
            label = _LABEL_CODES.get(fields[self.emotion].strip(b' \t\r\n"'))
            if label is None:
                self._refuse(line, "an emotion from 0 to 6", _show(fields[self.emotion]))
            split, usage = self._split_of(line, fields)
            text = fields[self.column].strip(b' \t\r\n"')
            if not self.pixels:
                self._set_size(line, text)
            self.labels.append(label)
            self.splits.append(split)
            self.usages.append(usage)
            texts.append(text)
        if texts:
            block = parse_block(texts, self.pixels)
            if block is None:
                block = self._parse_one_by_one(texts, open_end=not lines[-1].endswith(b"\n"))
            self.blocks.append(block)

    def _split_of(self, line: bytes, fields: list[bytes]) -> tuple[int, str]:
        """Return a row's split code and how its id starts: its Usage, or the name of a file without this column."""
        if self.usage is None:
            return NO_SPLIT, self.file
        usage = fields[self.usage].strip(b' \t\r\n"')
        split = _USAGE_CODES.get(usage.lower())
        if split is None:
            self._refuse(line, "Usage Training, PublicTest or PrivateTest (or train, val, test)", _show(usage))
        return split, usage.decode()

    def _set_size(self, line: bytes, text: bytes) -> None:
        """Let the first row decide how many pixels every row has."""
        count = len(text.split())
        if count < 64 or isqrt(count) ** 2 != count:
            self._refuse(line, "a square number of pixels (48x48 = 2304)", str(count))
        self.pixels = count

    def _parse_one_by_one(self, texts: list[bytes], open_end: bool) -> NDArray[np.uint8]:
        """Parse rows that are not written as usual, slowly, and refuse those that are wrong."""
        first = len(self.labels) - len(texts)
        rows = np.empty((len(texts), self.pixels), np.uint8)
        for number, text in enumerate(texts, start=first + 1):
            values = text.split()
            truncated = open_end and number == len(self.labels)
            if len(values) != self.pixels:
                self._refuse_row(number, f"{self.pixels} pixels as in the first row", str(len(values)), truncated)
            for value in values:
                if not value.isdigit() or len(value) > 9 or int(value) > 255:
                    self._refuse_row(number, "pixels from 0 to 255", _show(value), truncated)
            rows[number - first - 1] = [int(value) for value in values]
        return rows

    def _refuse(self, line: bytes, expected: str, found: str) -> NoReturn:
        """Refuse the row that would come next."""
        self._refuse_row(len(self.labels) + 1, expected, found, truncated=not line.endswith(b"\n"))

    def _refuse_row(self, number: int, expected: str, found: str, truncated: bool) -> NoReturn:
        """Refuse a row; one whose line just stops is named as the end of a truncated file."""
        if truncated:
            found += ", and the file ends in the middle of this row: it is truncated"
        where = f"{self.path}, row {number}"
        raise DataError(f"{where}: expected {expected}, found {found}. Mend the row or get a fresh copy of the file.")


def parse_block(texts: list[bytes], pixels: int) -> NDArray[np.uint8] | None:
    """Parse rows of blank-separated numbers in one go.

    Each number ends at a blank; the three bytes before it index a table that knows every correct ending, so that one
    look-up both converts and checks.

    Args:
        texts: One row each, single blanks between numbers, none at the ends.
        pixels: How many numbers each row has.

    Returns:
        uint8 (rows, pixels), or None where some row is written in another way (perhaps wrongly).
    """
    text = np.frombuffer(b"   " + b" ".join(texts) + b" ", np.uint8)
    starts = np.flatnonzero(text[3:] == _BLANK)  # where the three bytes before each blank start
    row_ends = np.cumsum([len(row) + 1 for row in texts]) - 1
    if len(starts) != len(texts) * pixels or not np.array_equal(starts[pixels - 1 :: pixels], row_ends):
        return None
    if starts[0] > 3 or (starts[1:] - starts[:-1]).max() > 4:  # more than three digits
        return None
    endings = text.take(starts).astype(np.uint32)
    endings |= text[1:].take(starts).astype(np.uint32) << 8
    endings |= text[2:].take(starts).astype(np.uint32) << 16
    values = _endings().take(endings)
    if not values.all():
        return None
    return (values - 1).astype(np.uint8).reshape(len(texts), pixels)


@cache
def _endings() -> NDArray[np.uint16]:
    """Return the table from three bytes before a blank to value + 1; 0 marks what is no number from 0 to 255."""
    table = np.zeros(1 << 24, np.uint16)
    for value in range(256):
        before = [b""] if value > 99 else [b" "] if value > 9 else [b"%d " % digit for digit in range(10)] + [b"  "]
        for start in before:
            table[int.from_bytes(start + b"%d" % value, "little")] = value + 1
    return table


def _show(value: bytes) -> str:
    """Return a value as it may stand in a one-line message."""
    return repr(value.strip()[:20].decode("utf-8", "replace"))
