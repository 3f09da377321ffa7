"""Small sources of images for the tests of datasets: csv files and folders, written where the test says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from study.datasets.readers import fer2013, layout
from study.datasets.readers.entry import READERS, RawSet, in_memory

HEADER = "emotion,pixels,Usage"


def read(path: Path) -> RawSet:
    """Return what the reader that recognises a path makes of it."""
    source = layout.find(path)
    return READERS.get(source.reader).read(source, in_memory)


def pixels(seed: int, side: int = 48, channels: int = 1) -> NDArray[np.uint8]:
    """Return one image of noise, another for each seed."""
    return np.random.default_rng(seed).integers(0, 256, (side, side, channels), dtype=np.uint8)


@cache
def csv_row(label: object, seed: int, usage: str, side: int = 48) -> str:
    return f"{label},{' '.join(map(str, pixels(seed, side).ravel()))},{usage}"


def csv_rows(per_class: int = 2, usages: Sequence[str] = fer2013.USAGES, side: int = 48) -> list[str]:
    """Return rows of all seven classes in every usage, no two images alike."""
    places = [(usage, label) for usage in usages for label in range(7) for _ in range(per_class)]
    return [csv_row(label, seed, usage, side) for seed, (usage, label) in enumerate(places)]


def write_csv(path: Path, rows: Iterable[str], header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def write_image(path: Path, image: NDArray[np.uint8], **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(path, **options)
    return path


def write_classes(
    root: Path, classes: Iterable[str], count: int = 4, first: int = 0, name: str = "{seed}.png", **look: int
) -> Path:
    """Write ``count`` images for each class folder below ``root``; seeds go on from ``first``."""
    for position, label in enumerate(classes):
        for seed in range(first + position * count, first + (position + 1) * count):
            write_image(root / label / name.format(seed=seed), pixels(seed, **look))
    return root


def write_fer2013_folders(root: Path, per_class: int = 2) -> Path:
    """Write a small folder copy with FER-2013's file names."""
    for number, (usage, folder) in enumerate(zip(fer2013.USAGES, ("train", "test", "test"), strict=True)):
        write_classes(root / folder, fer2013.CLASSES, per_class, first=1000 * number, name=usage + "_{seed}.png")
    return root
