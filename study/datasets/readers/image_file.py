"""Opening one image file that may come from anywhere: allowed formats only, and every cost bounded before decoding."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from study.core.files import read_regular

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
MAX_BYTES = 1 << 26
MAX_PIXELS = 1 << 24
MAX_SCANS = 100
"""A progressive JPEG has about 10 scans; each of them goes over all pixels."""
MAX_FRAMES = 1000
MAX_SEGMENTS = 20_000
"""Parts of a PNG, or of a JPEG before its pixels; a large photograph has a few thousand."""
MAX_METADATA = 8 << 20
"""Bytes that the entries of a TIFF directory (also in EXIF) may point at: a small file can point at itself often."""

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF", b"II*\0", b"MM\0*")
_TIFF_SIZES = np.array([1, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 1, 1, 8, 8, 8])  # bytes of a value by its type
_ORIENTATION = 0x0112
_DIRECTORIES, _MOST_DIRECTORIES = (0x8769, 0x8825, 0xA005), 8  # tags of EXIF, GPS and interoperability


class _RefusedError(ValueError):
    """A reason of our own."""


def is_image(head: bytes) -> bool:
    """Tell by its first bytes whether a file looks like an image that can be read."""
    return head.startswith(_MAGIC) and (not head.startswith(b"RIFF") or head[8:12] == b"WEBP")


@contextmanager
def strict_pillow() -> Iterator[None]:
    """Turn Pillow's decompression bomb warnings into errors and hide its others; filters are global: enter it once."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def open_image(
    source: Path | bytes | Callable[[int], bytes],
    max_pixels: int = MAX_PIXELS,
    formats: Callable[[bytes], tuple[str, ...]] = lambda head: FORMATS,
) -> Iterator[Image]:
    """Open an image and check its header; pixels are decoded inside the block, where the same errors rise.

    The source is a file, its bytes, or what reads up to so many of them; ``formats`` says by a file's first bytes what
    it may be, by Pillow's names.

    Raises:
        ValueError: not to be read, with a short reason, whatever Pillow raised.
    """
    from PIL import Image, UnidentifiedImageError

    allowed: tuple[str, ...] = FORMATS
    try:
        if isinstance(source, Path):
            source = partial(read_regular, source)
        data = source if isinstance(source, bytes) else source(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise _RefusedError(f"more than {MAX_BYTES >> 20} MiB")
        _refuse_costly(data)
        allowed = formats(data[:12])
        with Image.open(BytesIO(data), formats=allowed) as image:
            if image.width * image.height > max_pixels:
                raise _RefusedError(f"{image.width}x{image.height} is more than {max_pixels} pixels")
            if image.mode[0] in "IF":
                raise _RefusedError("more than 8 bits per channel")
            if image.format in ("PNG", "WEBP") and getattr(image, "n_frames", 1) > MAX_FRAMES:
                raise _RefusedError(f"more than {MAX_FRAMES:,} frames")
            yield image
    except _RefusedError:
        raise
    except UnidentifiedImageError:
        raise ValueError(f"not a {', '.join(allowed)} image") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ValueError("far too many pixels") from None
    except Exception as error:  # Pillow lets what its parsers raise pass, of any kind
        raise ValueError(_reason(error)) from None


def upright(image: Image, mode: str) -> Image:
    """Return an opened image in a mode (``L`` or ``RGB``), turned as its EXIF orientation says.

    Metadata that cannot be read are ignored; to be called within ``open_image``.
    """
    from PIL import Image

    exif, turn = image.info.get("exif"), 1
    if isinstance(exif, bytes):
        tiff = exif.removeprefix(b"Exif\0\0")
        entries = _tiff_entries(tiff)
        for value in entries["value"][(entries["tag"] == _ORIENTATION) & (entries["type"] == 3)][:1].tolist():
            turn = value >> 16 if tiff[:2] == b"MM" else value & 0xFFFF
    image.info.pop("transparency", None)  # it changes no pixel of these modes and may be of any form
    if image.mode != mode:
        image = image.convert(mode)
    by = ("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")
    return image.transpose(Image.Transpose[by[turn - 2]]) if 2 <= turn <= 8 else image


def decode(image: Image, side: int, channels: int) -> NDArray[np.uint8]:
    """Return an opened image as uint8 (side, side, channels); other sizes are resized, the aspect is not kept."""
    from PIL import Image

    image = upright(image, "L" if channels == 1 else "RGB")
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BILINEAR if image.width < side else Image.Resampling.BOX)
    return np.frombuffer(image.tobytes(), np.uint8).reshape(side, side, channels)


def _refuse_costly(data: bytes) -> None:
    """Refuse files whose scans, segments or metadata would cost far more than their pixels."""
    if data.startswith(b"\xff\xd8"):
        if data.count(b"\xff\xda") > MAX_SCANS:  # pixel data never hold these two bytes side by side
            raise _RefusedError(f"more than {MAX_SCANS} scans")
        tiffs = _jpeg_tiffs(data)
    elif data.startswith(b"\x89PNG"):
        place, count = 8, 0
        while place + 8 <= len(data):
            place += 12 + int.from_bytes(data[place : place + 4], "big")
            count += 1
            if count > MAX_SEGMENTS:
                raise _RefusedError(f"more than {MAX_SEGMENTS:,} parts")
        tiffs = []
    else:
        if data[:4] in (b"II+\0", b"MM\0+"):
            raise _RefusedError("a BigTIFF")
        tiffs = [data]
    if sum(map(_metadata_bytes, filter(None, tiffs))) > MAX_METADATA:
        raise _RefusedError(f"more than {MAX_METADATA >> 20} MiB of metadata")


def _jpeg_tiffs(data: bytes) -> list[bytes]:
    """Return the parts of a JPEG's header that Pillow reads as TIFF directories: EXIF and the index of pictures."""
    exif, index, place = b"", b"", 2
    for _ in range(MAX_SEGMENTS):
        code = data[place + 1 : place + 2]
        if data[place : place + 1] != b"\xff" or code in (b"\xff", b"\0"):
            place += 1  # filling, over which Pillow goes byte by byte
        elif code == b"\xda" or not code:
            return [exif, index]
        elif b"\xd0" <= code <= b"\xd9" or code == b"\x01":
            place += 2
        else:
            size = int.from_bytes(data[place + 2 : place + 4], "big")
            body = data[place + 4 : place + 2 + size]
            if code == b"\xe1" and body.startswith(b"Exif\0\0"):
                exif += body[6:]
            elif code == b"\xe2" and body.startswith(b"MPF\0"):
                index = body[4:]
            place += 2 + max(size, 2)
        if place >= len(data):
            return [exif, index]
    raise _RefusedError(f"more than {MAX_SEGMENTS:,} parts")


def _metadata_bytes(tiff: bytes) -> int:
    """Return how many bytes the values of a TIFF's first directory, and of those that it names, take."""
    total = 0
    places: list[int | None] = [None]
    for place in places:
        entries = _tiff_entries(tiff, place)
        sizes = _TIFF_SIZES[np.minimum(entries["type"], len(_TIFF_SIZES) - 1)]
        total += int((sizes * entries["count"].astype(np.int64)).sum())
        if len(places) <= _MOST_DIRECTORIES:
            places += entries["value"][np.isin(entries["tag"], _DIRECTORIES)].tolist()
    return total


def _tiff_entries(tiff: bytes, start: int | None = None) -> NDArray[np.void]:
    """Return the entries of a TIFF's directory at a place (the first one's by default), none where there is none."""
    order = ">" if tiff[:2] == b"MM" else "<"
    entry = np.dtype([("tag", f"{order}u2"), ("type", f"{order}u2"), ("count", f"{order}u4"), ("value", f"{order}u4")])
    try:
        if tiff[:2] not in (b"II", b"MM"):
            return np.empty(0, entry)
        if start is None:
            (start,) = struct.unpack_from(f"{order}4xI", tiff)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        return np.frombuffer(tiff, entry, min(count, (len(tiff) - start - 2) // entry.itemsize), start + 2)
    except (struct.error, ValueError):
        return np.empty(0, entry)


def _reason(error: Exception) -> str:
    """Return why an image cannot be read; the text of an OSError would name the machine's folders."""
    text = getattr(error, "strerror", None) or ("" if getattr(error, "filename", None) else str(error))
    line = (text.splitlines() or [""])[0][:80] or "cannot be read"
    plain = line if line.isprintable() else ascii(line)
    return plain if isinstance(error, OSError | SyntaxError | ValueError) else f"{type(error).__name__}: {plain}"
