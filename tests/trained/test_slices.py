"""Subgroups are those that the user's file names, image by image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from study.core.errors import DataError
from study.trained.slices import read_slices

IDS = np.array(["a", "b", "c", "d"])


def write(folder: Path, text: str) -> Path:
    path = folder / "groups.csv"
    path.write_text(text)
    return path


def test_groups_are_read_by_column_and_value(tmp_path: Path) -> None:
    slices = read_slices(write(tmp_path, "image,age,glasses\nb,old,yes\na,young,\nc, old ,no\nelsewhere,old,yes\n"))
    members = {group: found.tolist() for group, found in slices.members(IDS).items()}
    assert members == {
        ("age", "old"): [False, True, True, False],
        ("age", "young"): [True, False, False, False],
        ("glasses", "no"): [False, False, True, False],
        ("glasses", "yes"): [False, True, False, False],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("picture,age\na,old\n", "expected a column 'image'"),
        ("image\na\n", "one column for each kind of group"),
        ("image,age,age\na,old,old\n", "expected a column"),
        ("image,age\na,old\na,young\n", "line 3 names a again"),
        ("image,age\na\n", "line 2"),
        ("image,age\na,old,more\n", "line 2"),
        ("image,age\n" + "".join(f"{one},{one}\n" for one in range(60)), "60 values"),
    ],
)
def test_other_tables_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_slices(write(tmp_path, text))


def test_a_table_about_other_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of its images"):
        read_slices(write(tmp_path, "image,age\nx,old\n")).members(IDS)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a file of at most"):
        read_slices(tmp_path / "none.csv")
