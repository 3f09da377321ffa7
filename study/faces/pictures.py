"""Reading pictures that someone gives: a file or standard input, upright, in colour, within limits."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from study.datasets.readers.image_file import open_image, upright

#: What today's telephones take, with room to spare; Pillow itself refuses more than 89 million.
MAX_PIXELS = 1 << 26
MAX_BYTES = 1 << 26


def read_picture(source: Path | BinaryIO) -> NDArray[np.uint8]:
    """Return a picture as uint8 (height, width, 3), BGR as OpenCV has it, turned as its EXIF orientation says.

    To be called within ``study.datasets.readers.image_file.strict_pillow``.

    Args:
        source: A file, or an open stream such as standard input.

    Raises:
        ValueError: not to be read as a picture, with a short reason.
    """
    if not isinstance(source, Path):
        data = source.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES >> 20} MiB")
        source = io.BytesIO(data)
    with open_image(source, MAX_PIXELS) as image:
        return np.ascontiguousarray(np.asarray(upright(image, "RGB"))[:, :, ::-1])
