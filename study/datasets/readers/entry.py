"""The reader entry: one file says whether a place holds a dataset of its form, and how to read it."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from study.core.registry import Registry
from study.datasets.readers.place import Place

NO_SPLIT = 255
"""Split code of images that the source puts into no split."""

Allocate = Callable[[tuple[int, ...]], NDArray[np.uint8]]
"""Gives a writable uint8 array of a shape, in memory or in the cache that is being filled."""

Log = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """A dataset that was found but not read yet."""

    place: Place  #: The file or folder.
    reader: str  #: Name of the reader that recognised it; empty for an archive, which is looked into when it is read.
    #: The files that are read, as paths below ``place``; ``""`` is the place itself. When one of them changes, the
    #: dataset is read again.
    files: tuple[str, ...] = ("",)
    others: tuple[str, ...] = ()  #: Paths below ``place`` that take no part.
    #: What ``recognise`` wants ``read`` to know; its text is part of what the cache knows the dataset by.
    plan: Any = None


@dataclass(frozen=True)
class RawSet:
    """Images as a reader found them, before the split is settled."""

    images: NDArray[np.uint8]  #: uint8 (n, side, side, channels), range 0..255, in an array from ``allocate``.
    labels: NDArray[np.int64]  #: int64 (n,), index into ``classes``.
    classes: tuple[str, ...]  #: Class names in label order.
    ids: NDArray[np.str_]  #: str (n,), unique, the same on every reading.
    given: NDArray[np.uint8]  #: uint8 (n,), index into ``study.core.spec.SPLITS``, or ``NO_SPLIT``.
    given_by: str  #: What the given split rests on, for the sentence "The split is given by ...".
    claims_fer2013: bool = False  #: True where the source uses FER-2013's own names for its splits and classes.
    notes: tuple[str, ...] = ()  #: Warnings for those who read results.
    left_out: tuple[str, ...] = ()  #: One line, file and reason, for each file that could not be read.
    name: str = ""  #: Name of the set, where the source brings one; it is checked like the others.
    split_source: str = ""  #: The sentence on where the split comes from, where the source brings one.


class Reader(ABC):
    """A form of dataset. Subclasses are registered with ``@reader(name)``."""

    form: ClassVar[str]  #: What it reads, in a few words, for help and messages.
    order: ClassVar[int] = 0  #: Readers with smaller numbers are asked first; those of the package have 10 and more.

    @abstractmethod
    def recognise(self, place: Place) -> Source | None:
        """Return the dataset at a file or folder, None where there is none of this form; called at every start.

        Raises:
            DataError: it is of this form and cannot be used, with what to do.
        """

    @abstractmethod
    def read(self, source: Source, allocate: Allocate) -> RawSet:
        """Read what ``recognise`` returned; the images go into an array from ``allocate``.

        Raises:
            DataError: it cannot be used.
            OSError: a file cannot be opened.
        """


READERS: Registry[Reader] = Registry("dataset reader", package="study.datasets.readers")


def reader(name: str) -> Callable[[type[Reader]], type[Reader]]:
    """Register the decorated subclass of ``Reader``.

    Raises:
        UsageError: the name is taken by another file.
    """

    def register(kind: type[Reader]) -> type[Reader]:
        READERS.add(name, kind(), inspect.getsourcefile(kind) or "?")
        return kind

    return register


def in_order() -> list[Reader]:
    """Return all readers in the order in which they are asked."""
    return sorted(READERS, key=lambda one: one.order)


def in_memory(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Allocate outside the cache."""
    return np.empty(shape, np.uint8)
