"""Pictures that someone gives: which ones are meant, read upright and in colour within limits, faces cut from them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError
from study.datasets.readers.image_file import open_image, strict_pillow, upright
from study.faces.detection import Box, Detection, Detector

STANDARD_INPUT = "-"
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".heic", ".heif")
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF")
HEIC_HEADS = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1")
#: What today's telephones take, with room to spare; Pillow itself refuses more than 89 million.
MAX_PIXELS = 1 << 26
#: A nearly square picture up to this side is a face that someone has cut out already (FER-2013: 48, RAF-DB: 100).
CROP_SIDE_PX = 128
CROP_ASPECT = 1.25


@dataclass(frozen=True)
class Source:
    """A picture that is asked about."""

    name: str  #: As it was given, or the folder's path with the file's name.
    path: Path | None  #: The file; None for standard input.
    named: bool = True  #: Given by name, not found in a folder: it must be a picture.


def gather(words: Sequence[str]) -> tuple[list[Source], int]:
    """Return the pictures that files, folders and ``-`` mean, and how many other files the folders hold.

    Folders are searched with all folders in them, sorted by name. Files without a picture's suffix are skipped, the
    notes that macOS leaves beside files (``._name``) are not even counted.

    Raises:
        UsageError: a path that does not exist, a folder without pictures, or standard input twice.
    """
    sources: list[Source] = []
    skipped = 0
    for word in words:
        if word == STANDARD_INPUT:
            sources.append(Source(word, None))
        elif os.path.isdir(word):  # os.path takes names of any length
            files = sorted(file for file in Path(word).rglob("*") if file.is_file() and not file.name.startswith("._"))
            pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
            if not pictures:
                raise UsageError(
                    f"a folder must hold pictures ({', '.join(SUFFIXES)}), {word} has none in {len(files)} files."
                )
            skipped += len(files) - len(pictures)
            sources += [Source(str(file), file, named=False) for file in pictures]
        elif os.path.exists(word):
            sources.append(Source(word, Path(word)))
        else:
            raise UsageError(f"--image takes pictures, folders of them or - for standard input, {word} does not exist.")
    if sum(source.path is None for source in sources) > 1:
        raise UsageError("standard input can be read once: give - a single time.")
    return sources, skipped


def read_picture(source: Path | BinaryIO) -> NDArray[np.uint8]:
    """Return a file or stream as uint8 (height, width, 3), BGR as OpenCV has it, turned as its EXIF orientation says.

    Of several frames or pages it is the first. To be called within
    ``study.datasets.readers.image_file.strict_pillow``.

    Raises:
        ValueError: not to be read as a picture, with a short reason.
    """
    with open_image(source if isinstance(source, Path) else source.read, MAX_PIXELS, formats_of) as image:
        return np.ascontiguousarray(np.asarray(upright(image, "RGB"))[:, :, ::-1])


def read_one_picture(source: Path | BinaryIO) -> NDArray[np.uint8]:
    """As ``read_picture``, for callers that read a single picture: Pillow is strict meanwhile, in every thread.

    Raises:
        ValueError: as ``read_picture``.
    """
    with strict_pillow():
        return read_picture(source)


def formats_of(head: bytes) -> tuple[str, ...]:
    """Return the formats that a file with these first bytes may have: HEIC too, where ``pillow-heif`` is installed.

    Raises:
        ValueError: it is HEIC, and the package is not installed.
    """
    if head[4:] not in HEIC_HEADS:
        return FORMATS
    if importlib.util.find_spec("pillow_heif") is None:
        raise ValueError("HEIC needs one more package: pip install pillow-heif")
    import pillow_heif

    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def find_faces(picture: NDArray[np.uint8], detector: Detector, crops: bool = False) -> tuple[list[Detection], bool]:
    """Return the faces of a picture uint8 (h, w, 3) BGR, and whether the whole picture was taken as one.

    It is where it is so small and square that it must be a face cut out already; with ``crops`` any picture is.
    """
    shorter, longer = sorted(picture.shape[:2])
    if crops or (longer <= CROP_SIDE_PX and longer <= CROP_ASPECT * shorter):
        return [Detection(Box(0, 0, picture.shape[1], picture.shape[0]), 1.0)], True
    return detector.find(picture), False


def cut_faces(picture: NDArray[np.uint8], boxes: Sequence[Box], image_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return the boxes of a picture as the images that a network takes, uint8 (n, height, width, channels).

    Each box has at least one pixel within the picture uint8 (h, w, 3) BGR; outside of it, the picture's edge is
    repeated. One channel is grey, three are RGB.
    """
    import cv2

    rows, columns = picture.shape[:2]
    height, width, channels = image_shape
    cut = np.empty((len(boxes), height, width, channels), np.uint8)
    for image, box in zip(cut, boxes, strict=True):
        face = picture[max(0, box.top) : box.bottom, max(0, box.left) : box.right]
        missing = max(0, -box.top), max(0, box.bottom - rows), max(0, -box.left), max(0, box.right - columns)
        if any(missing):
            face = np.asarray(cv2.copyMakeBorder(face, *missing, cv2.BORDER_REPLICATE), np.uint8)
        shrinks = face.shape[0] > height and face.shape[1] > width
        face = cv2.resize(face, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        colours = cv2.COLOR_BGR2GRAY if channels == 1 else cv2.COLOR_BGR2RGB
        image[:] = cv2.cvtColor(face, colours).reshape(image_shape)
    return cut
