"""Subgroups of images that a user names in a file; nothing is guessed about who is in a picture."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.core.errors import DataError

IMAGE = "image"
MOST_BYTES = 64 << 20
#: More values in a column are no groups but measurements.
MOST_GROUPS = 50


@dataclass(frozen=True)
class Slices:
    """Which group each image belongs to: by column and image id; images without a value are in no group of it."""

    file: Path
    columns: Mapping[str, Mapping[str, str]]

    def members(self, ids: NDArray[np.str_]) -> dict[tuple[str, str], NDArray[np.bool_]]:
        """Return for each (column, value) which images are in it, bool (n,); values sorted, no empty groups.

        Raises:
            DataError: the file names none of the images.
        """
        found = {}
        for column, values in self.columns.items():
            groups = np.array([values.get(one, "") for one in ids.tolist()])
            for value in sorted(set(groups.tolist()) - {""}):
                found[column, value] = groups == value
        if not found:
            raise DataError(
                f"{self.file}: none of its images is among the {len(ids):,} that are scored, such as {ids[0]}. "
                f"Write the images' ids into the column {IMAGE!r} (study export --predictions FILE lists them)."
            )
        return found


def read_slices(file: Path) -> Slices:
    """Read a CSV with a column ``image`` (ids as the dataset has them) and one or more columns of groups.

    Raises:
        DataError: the file cannot be used; the message says why.
    """
    try:
        if not file.is_file() or file.stat().st_size > MOST_BYTES:
            raise DataError(f"{file}: a table of slices is a file of at most {MOST_BYTES >> 20} MiB.")
        with file.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.DictReader(stream, strict=True)
            names = list(lines.fieldnames or ())
            rows = list(lines)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: cannot be read as a CSV table ({error}).") from error
    groups = [name for name in names if name != IMAGE]
    if IMAGE not in names or not groups or len(set(names)) < len(names):
        raise DataError(
            f"{file}: expected a column {IMAGE!r} and one column for each kind of group, found {', '.join(names)}."
        )
    columns: dict[str, dict[str, str]] = {name: {} for name in groups}
    for number, row in enumerate(rows, start=2):
        image = row[IMAGE]
        if not image or None in row or None in row.values():
            raise DataError(f"{file}: line {number} has no image or another number of cells than the first line.")
        if image in columns[groups[0]]:
            raise DataError(f"{file}: line {number} names {image} again. Leave one line an image.")
        for name in groups:
            columns[name][image] = row[name].strip()
    for name, values in columns.items():
        if (count := len(set(values.values()))) > MOST_GROUPS:
            raise DataError(
                f"{file}: column {name!r} has {count} values, at most {MOST_GROUPS} are groups. Put ranges into it."
            )
    return Slices(file, columns)
