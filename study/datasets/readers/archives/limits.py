"""Limits on archives that may come from anywhere, and the check of the names in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from study.core.errors import DataError

DEFAULT_GIB = 4.0
"""An archive may unpack to so much unless told otherwise; FER-2013's csv takes 0.3 GiB."""

_GIB = 1 << 30
_FREE_BYTES = 16 << 20
_LONGEST_NAME = 1024
_LONGEST_PART = 255
_DEEPEST = 16
_ODD = re.compile(r"[\\\x00-\x1f\x7f]")
_HALVES = re.compile("[\ud800-\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class Limits:
    """What an archive may hold; all grow with the first.

    Attributes:
        total_bytes: Unpacked size of the whole archive, what is skipped included.
        member_bytes: Unpacked size of one file.
        members: Files and folders.
        ratio: Unpacked over packed size; small archives may unpack to 16 MiB whatever the ratio.
    """

    total_bytes: int
    member_bytes: int
    members: int
    ratio: float

    @classmethod
    def of(cls, gib: float = DEFAULT_GIB) -> Limits:
        """Return the limits for archives that unpack to at most some GiB."""
        return cls(int(gib * _GIB), int(gib * _GIB / 4), int(gib * 20_000), gib * 50)


class Counter:
    """Counts what an archive unpacks to, and refuses it as soon as a limit is passed.

    Args:
        path: The archive.
        limits: Its limits.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self.limits = limits
        self.packed = max(1, path.stat().st_size)
        self.unpacked = 0
        self.members = 0

    def add_bytes(self, count: int) -> None:
        """Count unpacked bytes.

        Raises:
            DataError: too many in all, or for the archive's size.
        """
        self.unpacked += count
        if self.unpacked > self.limits.total_bytes:
            self._refuse_size(f"at most {_size(self.limits.total_bytes)} unpacked", "more")
        if self.unpacked > max(_FREE_BYTES, self.limits.ratio * self.packed):
            self._refuse_size(f"at most {self.limits.ratio:g} times its packed size", "more (as in a bomb)")

    def expect_members(self, count: int) -> None:
        """Refuse an archive that says it has too many members before any is looked at.

        Raises:
            DataError: too many.
        """
        if count > self.limits.members:
            self._refuse_size(f"at most {self.limits.members:,} files", f"more ({count:,})")

    def add_member(self, name: str, size: int) -> tuple[str, ...]:
        """Count a file or folder and return the parts of its name.

        Args:
            name: As the archive has it.
            size: Unpacked size that the archive states.

        Raises:
            DataError: too many members, one that is too large, or a name that no archive of a dataset has.
        """
        self.members += 1
        if self.members > self.limits.members:
            self._refuse_size(f"at most {self.limits.members:,} files", "more")
        if not 0 <= size <= self.limits.member_bytes:
            self._refuse_size(
                f"files of at most {_size(self.limits.member_bytes)}", f"{_shown(name)} of {size:,} bytes"
            )
        return self._parts(name)

    def refuse(self, expected: str, found: str) -> NoReturn:
        """Refuse the archive.

        Raises:
            DataError: always.
        """
        raise DataError(
            f"{self.path}: expected an archive of {expected}, found {found}. Unpack it yourself where you trust it, "
            "and give the folder."
        )

    def refuse_damaged(self, reason: object) -> NoReturn:
        """Refuse an archive that cannot be read to its end.

        Raises:
            DataError: always.
        """
        text = (str(reason).strip().splitlines() or [""])[0][:80] or type(reason).__name__
        raise DataError(
            f"{self.path}: expected a whole archive, found one that is damaged or cut off ({text}). Get a fresh copy."
        )

    def _parts(self, name: str) -> tuple[str, ...]:
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        wrong = ""
        if name.startswith("/") or _DRIVE.match(name):
            wrong = "an absolute name"
        elif ".." in parts:
            wrong = "a name that leads out of it"
        elif _ODD.search(name):
            wrong = "a name with a backslash or a control character"
        elif _HALVES.search(name):
            wrong = "a name that is not UTF-8"
        elif len(name) > _LONGEST_NAME or len(parts) > _DEEPEST or any(len(part) > _LONGEST_PART for part in parts):
            wrong = "a name that is too long or too deep"
        if wrong:
            self.refuse("files with plain relative names", f"{wrong}: {_shown(name)}")
        return parts

    def _refuse_size(self, expected: str, found: str) -> NoReturn:
        raise DataError(
            f"{self.path}: expected {expected}, found {found}. Where you trust the archive, raise the limits with "
            "--archive-gib N, or unpack it and give the folder."
        )


def _size(count: int) -> str:
    return f"{count / _GIB:.3g} GiB"


def _shown(name: str) -> str:
    """Return a name as it may stand in a message of one line."""
    return ascii(name if len(name) <= 80 else f"{name[:77]}...")
