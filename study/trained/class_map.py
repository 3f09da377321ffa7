"""Which class of a run each class of another dataset means: by a given table, else by name and common synonyms."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from study.core.errors import UsageError, unknown_name
from study.core.toml import read_text, read_toml

#: Names that datasets of facial expressions use for one class.
SYNONYMS = (
    ("angry", "anger", "an", "mad"),
    ("disgust", "disgusted", "disgusting", "di"),
    ("fear", "fearful", "afraid", "scared", "fe"),
    ("happy", "happiness", "joy", "joyful", "ha"),
    ("sad", "sadness", "sa"),
    ("surprise", "surprised", "su"),
    ("neutral", "neutrality", "ne"),
    ("contempt", "contemptuous"),
)
#: First row of a CSV table that is a heading and no pair.
HEADING = ("dataset", "run")


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
    by_name = {_canonical(name): name for name in ours}
    found = {name: table.get(name, by_name.get(_canonical(name), "")) for name in theirs}
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


def _canonical(name: str) -> str:
    plain = " ".join(name.lower().replace("_", " ").replace("-", " ").split())
    return next((group[0] for group in SYNONYMS if plain in group), plain)
