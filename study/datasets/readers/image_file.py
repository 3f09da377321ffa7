"""Opening one image file that may come from anywhere: allowed formats only, sizes capped, bombs refused."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
MAX_PIXELS = 1 << 24


@contextmanager
def strict_pillow() -> Iterator[None]:
    """Turn Pillow's decompression bomb warnings into errors; entered once around all reading: filters are global."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def open_image(
    path: Path | BinaryIO, max_pixels: int = MAX_PIXELS, formats: tuple[str, ...] = FORMATS
) -> Iterator[Image]:
    """Open a file, or bytes that can be sought in, and check its header; pixels are not decoded yet.

    Args:
        path: The file.
        max_pixels: Larger images are refused.
        formats: What it may be, by Pillow's names.

    Raises:
        ValueError: not to be read, with a short reason.
    """
    from PIL import Image, UnidentifiedImageError

    if isinstance(path, Path) and path.exists() and not path.is_file():
        raise ValueError("not a file")  # a pipe or a device may never end
    try:
        with Image.open(path, formats=formats) as image:
            if image.width * image.height > max_pixels:
                raise ValueError(f"{image.width}x{image.height} is more than {max_pixels} pixels")
            if image.mode[0] in "IF":
                raise ValueError("more than 8 bits per channel")
            yield image
    except UnidentifiedImageError:
        raise ValueError(f"not a {', '.join(formats)} image") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ValueError("far too many pixels") from None
    except (OSError, SyntaxError, EOFError, IndexError, OverflowError, struct.error, zlib.error) as error:
        # what Pillow's decoders raise on damaged files; the text of an OSError would name the machine's folders
        reason = getattr(error, "strerror", None) or str(error) or "cannot be read"
        raise ValueError(reason.splitlines()[0][:80]) from None


def decode(image: Image, side: int, channels: int) -> NDArray[np.uint8]:
    """Return an opened image as uint8 (side, side, channels); other sizes are resized, the aspect is not kept.

    Raises:
        OSError: damaged or truncated pixels (turned into ``ValueError`` by ``open_image``).
    """
    from PIL import Image, ImageOps

    if "exif" in image.info:
        ImageOps.exif_transpose(image, in_place=True)
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BILINEAR if image.width < side else Image.Resampling.BOX)
    return np.frombuffer(image.tobytes(), np.uint8).reshape(side, side, channels)
