"""Tables of text: csv and lists in UTF-8 or UTF-16, separated by commas, semicolons, tabs or blanks, row by row."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from typing import NoReturn

from study.core.errors import DataError
from study.datasets.readers.place import Place

SUFFIXES = (".csv", ".tsv", ".txt", ".lst")
LABELS = ("emotion", "label", "labels", "class", "expression", "category", "target")
"""Names of the column with the class, in small letters."""

_LONGEST_ROW = 1 << 21
_LONGEST_HEADER = 1 << 16
_MOST_COLUMNS = 10_000
_LONGEST_CLASS = 64
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Table(AbstractContextManager["Table"]):
    """A table, open at its first row after the line with the names of the columns."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.row = 0  #: Number of the row that was read last, counted from 1 after the first line.
        self._ends_open = False
        file = place.open()
        encoding = _encoding(file.read(64))
        file.seek(0)
        self._text = io.TextIOWrapper(file, encoding, errors="surrogateescape", newline="")
        try:
            line = self._text.readline(_LONGEST_HEADER)
        except UnicodeError:
            line = "\0"
        self.separator = next((one for one in "\t;," if one in line), " ")
        is_text = "\0" not in line and len(line) < _LONGEST_HEADER and not any("\ud800" <= c <= "\udfff" for c in line)
        self.first: list[str] = []  #: What the first line holds; empty where the file is no text.
        if is_text and self.separator == " ":
            self.first = line.split()
        elif is_text:
            self.first = [field.strip(' \t\r\n"') for field in line.split(self.separator, _MOST_COLUMNS)]
        self.columns = [name.lower() for name in self.first]

    def __exit__(self, *error: object) -> None:
        self._text.close()

    def column(self, *names: str) -> int | None:
        """Return the place of the first of some columns that there is.

        Raises:
            DataError: it is there twice.
        """
        for name in names:
            if self.columns.count(name) > 1:
                raise DataError(f"{self.place}: expected each column once, found {name!r} twice. Remove one of them.")
        return next((self.columns.index(name) for name in names if name in self.columns), None)

    def rows(self) -> Iterator[list[str]]:
        """Yield the fields of each row that is not empty, without blanks around them.

        Raises:
            DataError: a row with another number of fields, or one that is too long.
        """
        limit = csv.field_size_limit(_LONGEST_ROW)
        try:
            lines = self._lines()
            separated = csv.reader(lines, delimiter=self.separator, skipinitialspace=True)
            for fields in map(str.split, lines) if self.separator == " " else separated:
                fields = [field.strip() for field in fields]
                if not any(fields):
                    continue
                self.row += 1
                if len(fields) != len(self.columns):
                    self.refuse(f"{len(self.columns)} fields as in the first line", str(len(fields)))
                yield fields
        except csv.Error as error:
            self.row += 1
            self.refuse("fields in quotes or without", str(error))
        finally:
            csv.field_size_limit(limit)

    def refuse(self, expected: str, found: str) -> NoReturn:
        """Refuse the row that was read last; in a file that just stops, the end is named."""
        if self._ends_open:
            found += ", and the file ends in the middle of this row: it is truncated"
        raise DataError(
            f"{self.place}, row {self.row}: expected {expected}, found {found}. Fix the row or get a fresh copy of "
            "the file."
        )

    def check_class(self, text: str) -> None:
        """Refuse the row that was read last where its class is no name."""
        if not text or len(text) > _LONGEST_CLASS or not text.isprintable():
            self.refuse("a number or a name as class", shown(text) if text else "none")

    def _lines(self) -> Iterator[str]:
        try:
            while line := self._text.readline(_LONGEST_ROW):
                if len(line) == _LONGEST_ROW:
                    raise DataError(
                        f"{self.place}: expected rows of less than {_LONGEST_ROW >> 20} MiB, found a longer one after "
                        f"row {self.row}. Get a fresh copy."
                    )
                self._ends_open = not line.endswith(("\n", "\r"))
                yield line
        except UnicodeError:
            self.row += 1
            self.refuse("text in one encoding, UTF-8 or UTF-16", "other bytes")


def has_column(place: Place, *names: str) -> bool:
    """Tell whether a file is a table, by its suffix, with one of some columns; what cannot be read is none."""
    if place.suffix not in SUFFIXES:
        return False
    with suppress(OSError), Table(place) as table:
        return not set(names).isdisjoint(table.columns)
    return False


def shown(text: str) -> str:
    """Return a field as it may stand in a message of one line.

    >>> shown("happy")
    "'happy'"
    """
    return ascii(text[:20])


def _encoding(head: bytes) -> str:
    """Return the encoding of a text that starts with some bytes."""
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    if b"\0" in head[1::2] and b"\0" not in head[::2]:
        return "utf-16-le"
    if b"\0" in head[::2] and b"\0" not in head[1::2]:
        return "utf-16-be"
    return "utf-8"
