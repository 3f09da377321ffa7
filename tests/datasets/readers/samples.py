"""A small dataset for every registered reader; a new reader adds one here and needs no other test.

Each is written below an empty folder, holds at least two classes and 24 images, no two alike, and the path returned is
what a user would give.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from study.datasets.load import load
from study.datasets.readers.prepared import write_prepared
from tests.datasets.sources import csv_rows, pixels, write_classes, write_csv, write_image


def folders(root: Path) -> Path:
    """Write <split>/<class>/*."""
    for place, split in enumerate(("train", "test")):
        write_classes(root / split, ["cat", "dog"], 12, first=100 * place, side=16)
    return root


def listed(root: Path) -> Path:
    """Write loose images and a csv of them."""
    for seed in range(24):
        write_image(root / "images" / f"{seed}.png", pixels(seed, 16))
    write_csv(root / "labels.csv", [f"{seed}.png,{'cat' if seed % 2 else 'dog'}" for seed in range(24)], "image,label")
    return root


def pixel_csv(root: Path) -> Path:
    """Write a csv of pixels."""
    return write_csv(root / "faces.csv", csv_rows(4, ("train", "val", "test"), side=16))


def prepared(root: Path) -> Path:
    """Write a prepared file."""
    with tempfile.TemporaryDirectory() as elsewhere:
        faces = write_classes(Path(elsewhere) / "faces", ["cat", "dog"], 20, side=16)
        write_prepared(load(str(faces), cache_dir=Path(elsewhere) / "cache"), root / "faces.study")
    return root / "faces.study"


SAMPLES: dict[str, Callable[[Path], Path]] = {
    "folders": folders,
    "listed": listed,
    "pixel-csv": pixel_csv,
    "prepared": prepared,
}
