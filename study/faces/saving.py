"""Marked pictures on disk: named after the picture, never over another file of the same call."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from study.core.files import write_atomically
from study.faces.annotation import annotate
from study.faces.prediction import Seen
from study.trained.runtime import Runtime

JPEG_QUALITY = 92


def save_marked(seen: Seen, runtime: Runtime, folder: Path, written: Collection[Path]) -> Path:
    """Write a picture with its faces marked and return where: JPEG for a JPEG, PNG for anything else.

    Args:
        seen: With its picture.
        runtime: The network that answered.
        folder: Where to; made where it is missing.
        written: What this call has written so far; pictures of one name are numbered.

    Raises:
        StoreError: it cannot be written.
    """
    import cv2

    if seen.picture is None:
        raise ValueError("the picture was not kept")
    original = seen.source.path or Path("standard-input.png")
    suffix = ".jpg" if original.suffix.lower() in (".jpg", ".jpeg") else ".png"
    path, number = folder / f"{original.stem}-faces{suffix}", 1
    while path in written:
        number += 1
        path = folder / f"{original.stem}-faces-{number}{suffix}"
    marked = annotate(seen.picture, seen.answers, runtime.classes, runtime.notice, whole=seen.whole)
    settings = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix == ".jpg" else []
    write_atomically(path, cv2.imencode(suffix, marked, settings)[1].tobytes())
    return path
