"""Text on pictures: smooth letters of any alphabet that the font has, drawn once and kept."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]


def write(picture: NDArray[np.uint8], text: str, left: int, top: int, size_px: int, colour: Colour) -> None:
    """Draw one line of text; what lies outside of the picture is left out.

    Args:
        picture: uint8 (h, w, 3), changed in place.
        text: The line.
        left: First column.
        top: First row of the line, which is ``line_height(size_px)`` rows high.
        size_px: Size of the font.
        colour: In the picture's order of channels.
    """
    mask = _mask(text, size_px)
    height, width = picture.shape[:2]
    rows = slice(max(0, top), min(height, top + mask.shape[0]))
    columns = slice(max(0, left), min(width, left + mask.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    weight = mask[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    under = picture[rows, columns]
    # The weights are 0..256, so that shifting divides by what is full weight.
    under += ((np.array(colour, np.int32) - under) * weight >> 8).astype(np.int8).view(np.uint8)


def text_width(text: str, size_px: int) -> int:
    """Return how many columns a line of text takes."""
    return int(_mask(text, size_px).shape[1])


def line_height(size_px: int) -> int:
    """Return how many rows a line of text takes."""
    return sum(_font(size_px).getmetrics())


def wrapped(text: str, size_px: int, width: int) -> list[str]:
    """Return text as lines of at most ``width`` columns; single words may be wider."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size_px) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


@functools.lru_cache(maxsize=2048)
def _mask(text: str, size_px: int) -> NDArray[np.int32]:
    """Return the weight of every pixel of a line of text, 0..256, int32 (rows, columns, 1)."""
    from PIL import Image, ImageDraw

    font = _font(size_px)
    image = Image.new("L", (max(1, round(font.getlength(text)) + 1), line_height(size_px)))
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=font)
    weight = np.asarray(image, np.int32)
    return (weight + (weight >> 7))[..., np.newaxis]


@functools.lru_cache(maxsize=32)
def _font(size_px: int) -> Any:
    """Return DejaVu Sans, which comes with matplotlib and has most alphabets, else Pillow's own font."""
    from PIL import ImageFont

    found = importlib.util.find_spec("matplotlib")  # looks for it, does not import it
    places: Sequence[str] = (found.submodule_search_locations or ()) if found else ()
    for place in places:
        file = Path(place, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
        if file.is_file():
            return ImageFont.truetype(str(file), size_px)
    return ImageFont.load_default(size_px)
