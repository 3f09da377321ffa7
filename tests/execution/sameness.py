"""Two results folders compared: equal to the last byte but for times and provenance."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Fields of a record that tell when, where and how fast it was made, and the record's own hash, which covers them.
OF_THE_MACHINE = ("timing", "provenance", "record_sha256")
TIMES = ("_s", "_per_s", "_ms", "_memory_mb")


def differences(first: Path, second: Path, study: str) -> list[str]:
    """Return one line for everything that differs between two folders with ``results`` and ``reports`` of a study.

    Compared are the records without times and provenance, the bytes of predictions, weights and the dataset's file, and
    the report's tables without the columns and rows that tell times.
    """
    found = []
    for part in ("results", "reports"):
        one, two = (dict(_contents(folder / part / study)) for folder in (first, second))
        found += [f"{part}: only once: {name}" for name in sorted(one.keys() ^ two.keys())]
        found += [f"{part}: {name}" for name in sorted(one.keys() & two.keys()) if one[name] != two[name]]
    return found


def timeless(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record's JSON data without what tells times and provenance."""
    kept = {name: value for name, value in record.items() if name not in OF_THE_MACHINE}
    kept["cost"] = _timeless_fields(record["cost"])
    kept["history"] = [_timeless_fields(row) for row in record["history"]]
    return kept


def _timeless_fields(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.removesuffix("_sd").endswith(TIMES)}


def _contents(folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield what is compared of every file, by its path."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".json" and path.name.startswith("seed_"):
            yield name, timeless(json.loads(path.read_text()))
        elif path.suffix == ".csv":
            rows = csv.DictReader(path.read_text().splitlines())
            yield name, [_timeless_fields(row) for row in rows]
        elif path.suffix in (".npz", ".h5"):
            yield name, path.read_bytes()
        elif path.is_file() and path.suffix not in (".md", ".png"):  # pages and pictures show the tables
            yield name, "there"
