"""Pictures with what was found in them: boxes, labels, landmarks, bars of probabilities, the notice of drawn faces."""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from study.faces.detection import Box, overlap
from study.faces.landmarks import OUTLINES
from study.faces.prediction import Answer

Colour = tuple[int, int, int]
#: BGR, for classes in their order; the palette of Okabe and Ito, which colour-blind people can tell apart.
COLOURS: tuple[Colour, ...] = (
    (0, 94, 213),
    (115, 158, 0),
    (187, 119, 214),
    (66, 228, 240),
    (190, 120, 0),
    (233, 180, 86),
    (215, 215, 215),
)
DARK: Colour = (28, 24, 22)
LIGHT: Colour = (245, 245, 245)
#: Pictures are enlarged until their shorter side has this many pixels, as far as the longer one stays within LARGEST.
LEGIBLE_SIDE_PX = 360
LARGEST_SIDE_PX = 2048
SMALLEST_TEXT_PX = 11
MOST_BARS = 8
FEWEST_BARS = 3


class Sizes(NamedTuple):
    """Measures that follow from a picture's size.

    Attributes:
        text: Font size.
        line: Width of the boxes' lines.
        gap: Distance between things.
    """

    text: int
    line: int
    gap: int


def annotate(
    picture: NDArray[np.uint8],
    answers: Sequence[Answer],
    classes: Sequence[str],
    notice: str = "",
    corner: str = "",
    whole: bool = False,
    bars: bool = False,
) -> NDArray[np.uint8]:
    """Return a picture with its faces marked; small ones are enlarged so that they can be read.

    The shape of the result follows from the shape of the picture, ``whole``, ``bars`` and the classes alone.

    Args:
        picture: uint8 (h, w, 3) BGR, left as it is.
        answers: The faces. Several in a picture are numbered as they come, in a video by their tracks.
        classes: Class names.
        notice: What must be said below, or nothing.
        corner: What to say in the upper left corner, such as the frames per second.
        whole: The picture is one face: there is no box to draw, and room for label and bars is made beside it.
        bars: Draw the probabilities of all classes too, where they cover no face.
    """
    drawn, scale = _canvas(picture)
    side = math.sqrt(drawn.shape[0] * drawn.shape[1])
    sizes = Sizes(text=max(13, round(side / 58)), line=max(2, round(side / 450)), gap=max(4, round(side / 160)))
    for answer in answers:
        _outlines(drawn, answer, scale, sizes)
    if whole:
        drawn = _beside(drawn, answers[0], classes, notice, sizes, bars)
    else:
        boxes = [Box(*(number * scale for number in answer.box)) for answer in answers]
        room = Box(0, 0, drawn.shape[1], drawn.shape[0] - _notice_height(notice, drawn.shape[1], sizes))
        labels = _labels(drawn, boxes, answers, classes, sizes, room)
        if bars:
            _place_bars(drawn, boxes, answers, classes, sizes, room, [*boxes, *labels])
    if corner:
        _plate(drawn, corner, sizes.gap, sizes.gap, sizes, DARK)
    if notice:
        _say(drawn, notice, sizes)
    return drawn


def _canvas(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    import cv2

    shorter, longer = sorted(picture.shape[:2])
    scale = max(1, min(math.ceil(LEGIBLE_SIDE_PX / shorter), LARGEST_SIDE_PX // longer))
    if scale == 1:
        return picture.copy(), 1
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8), scale


def _outlines(picture: NDArray[np.uint8], answer: Answer, scale: int, sizes: Sizes) -> None:
    """Draw the lines through a face's landmarks: lips, eyes, eyebrows, oval."""
    import cv2

    if answer.landmarks is not None:
        lines = [np.round(answer.landmarks[list(line)] * scale).astype(np.int32) for line in OUTLINES]
        width = max(1, sizes.line // 2)
        cv2.polylines(picture, lines, False, colour_of(answer.label), width, cv2.LINE_AA)


def _labels(
    picture: NDArray[np.uint8],
    boxes: Sequence[Box],
    answers: Sequence[Answer],
    classes: Sequence[str],
    sizes: Sizes,
    room: Box,
) -> list[Box]:
    """Draw boxes, then a label above or below each, where it covers fewest others; return the labels' places."""
    import cv2

    for box, answer in zip(boxes, answers, strict=True):
        corners = (box.left, box.top), (box.left + box.width - 1, box.top + box.height - 1)
        cv2.rectangle(picture, *corners, DARK, sizes.line + 2)
        cv2.rectangle(picture, *corners, colour_of(answer.label), sizes.line)
    places: list[Box] = []
    for number, (box, answer) in enumerate(zip(boxes, answers, strict=True), 1):
        text = label_text(answer, classes, number if len(answers) > 1 else None)
        small = sizes._replace(text=max(SMALLEST_TEXT_PX, min(sizes.text, box.width // 5)))
        plate = _plate_box(text, small)
        left = min(max(0, box.left - sizes.line // 2), max(0, room.width - plate.width))
        others = [*places, *(other for other in boxes if other is not box)]
        options = [
            Box(left, top, plate.width, plate.height)
            for top in (box.top - plate.height, box.top + box.height, max(0, box.top))
            if 0 <= top <= room.height - plate.height
        ] or [Box(left, max(0, box.top), plate.width, plate.height)]
        place = min(options, key=lambda one: sum(_touch(one, other) for other in others))
        _plate(picture, text, place.left, place.top, small, colour_of(answer.label))
        places.append(place)
    return places


def _place_bars(
    picture: NDArray[np.uint8],
    boxes: Sequence[Box],
    answers: Sequence[Answer],
    classes: Sequence[str],
    sizes: Sizes,
    room: Box,
    taken: list[Box],
) -> None:
    """Draw the bars of each face beside, below or above it, the first place within the room where nothing is yet."""
    # In a video the older face chooses first, so that bars stay where they are; in a picture the larger one.
    for box, answer in sorted(zip(boxes, answers, strict=True), key=lambda face: face[1].track or -face[0].width):
        for shown in (_shown(answer, MOST_BARS), _shown(answer, FEWEST_BARS)):
            panel = _panel(shown, classes, sizes)
            right, bottom = box.left + box.width, box.top + box.height
            level = min(max(0, box.top), max(0, room.height - panel.height))
            flush_left = min(max(0, box.left), max(0, room.width - panel.width))
            flush_right = max(0, min(right, room.width) - panel.width)
            above = box.top - line_height(sizes.text) - 2 * sizes.gap - panel.height
            corners = (
                (right + sizes.gap, level),
                (box.left - sizes.gap - panel.width, level),
                (flush_left, bottom + sizes.gap),
                (flush_right, bottom + sizes.gap),
                (flush_left, above),
                (flush_right, above),
            )
            places = (Box(left, top, panel.width, panel.height) for left, top in corners)
            place = next((one for one in places if _free(one, room, taken)), None)
            if place is not None:
                _bars(picture, place, answer, shown, classes, sizes)
                taken.append(place)
                break


def _beside(
    picture: NDArray[np.uint8], answer: Answer, classes: Sequence[str], notice: str, sizes: Sizes, bars: bool
) -> NDArray[np.uint8]:
    """Return a face with its label, and bars where they are wanted, to its right, and room for the notice below."""
    shown = _shown(answer, MOST_BARS) if bars else []
    panel = _panel(shown, classes, sizes)
    label = max(_plate_box(f"unsure ({name}?) 100 %", sizes).width for name in classes)
    left, top = picture.shape[1] + sizes.gap, 2 * sizes.gap + _plate_box("", sizes).height
    width = left + max(panel.width, label) + sizes.gap
    height = max(picture.shape[0], top + panel.height + sizes.gap) + _notice_height(notice, width, sizes)
    room = np.full((height, width, 3), DARK, np.uint8)
    room[: picture.shape[0], : picture.shape[1]] = picture
    _plate(room, label_text(answer, classes), left, sizes.gap, sizes, colour_of(answer.label))
    if bars:
        _bars(room, Box(left, top, panel.width, panel.height), answer, shown, classes, sizes)
    return room


def colour_of(label: int) -> Colour:
    """Return the colour of a class, BGR."""
    return COLOURS[label % len(COLOURS)]


def label_text(answer: Answer, classes: Sequence[str], number: int | None = None) -> str:
    """Return what is written over a face: its number, its label and the label's probability."""
    number = answer.track or number
    share = _percent(answer.probabilities[answer.label])
    return f"{'' if number is None else f'{number}  '}{answer.named(classes)} {share}"


def _percent(share: float) -> str:
    return f"{100 * float(share):.0f} %"


def _shown(answer: Answer, most: int) -> list[int]:
    """Return the classes that get a bar, in their order: the most probable ones, up to that many."""
    return sorted(np.argsort(-answer.probabilities, kind="stable")[:most].tolist())


def _panel(shown: Sequence[int], classes: Sequence[str], sizes: Sizes) -> Box:
    """Return the size of a face's bars; the longest name decides, shown or not, so that it does not change."""
    names = max(text_width(name, sizes.text) for name in classes)
    width = names + _bar_width(sizes) + text_width("100 %", sizes.text) + 4 * sizes.gap
    return Box(0, 0, width, len(shown) * line_height(sizes.text) + 2 * sizes.gap)


def _bar_width(sizes: Sizes) -> int:
    return 5 * sizes.text


def _bars(
    picture: NDArray[np.uint8],
    place: Box,
    answer: Answer,
    shown: Sequence[int],
    classes: Sequence[str],
    sizes: Sizes,
) -> None:
    _darken(picture, place)
    row = line_height(sizes.text)
    right = place.left + place.width - sizes.gap
    bar_left = right - text_width("100 %", sizes.text) - sizes.gap - _bar_width(sizes)
    for line, index in enumerate(shown):
        top = place.top + sizes.gap + line * row
        share = float(answer.probabilities[index])
        colour = LIGHT if index == answer.label else (185, 185, 185)
        write(picture, classes[index], place.left + sizes.gap, top, sizes.text, colour)
        inset = max(1, row // 5)
        _fill(picture, Box(bar_left, top + inset, _bar_width(sizes), row - 2 * inset), (70, 66, 62))
        _fill(picture, Box(bar_left, top + inset, round(share * _bar_width(sizes)), row - 2 * inset), colour_of(index))
        text = _percent(share)
        write(picture, text, right - text_width(text, sizes.text), top, sizes.text, colour)


def _plate_box(text: str, sizes: Sizes) -> Box:
    return Box(0, 0, text_width(text, sizes.text) + 2 * sizes.gap, line_height(sizes.text) + sizes.gap)


def _plate(picture: NDArray[np.uint8], text: str, left: int, top: int, sizes: Sizes, colour: Colour) -> None:
    """Draw a line of text on a plate of a colour, in black or white, whichever stands out."""
    plate = _plate_box(text, sizes)
    _fill(picture, Box(left, top, plate.width, plate.height), colour)
    bright = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2] > 110
    write(picture, text, left + sizes.gap, top + sizes.gap // 2, sizes.text, DARK if bright else LIGHT)


def _say(picture: NDArray[np.uint8], notice: str, sizes: Sizes) -> None:
    """Draw the notice over the lowest rows."""
    height, width = picture.shape[:2]
    band = _notice_height(notice, width, sizes)
    _darken(picture, Box(0, height - band, width, band))
    for line, text in enumerate(wrapped(notice, sizes.text, width - 2 * sizes.gap)):
        top = height - band + sizes.gap + line * line_height(sizes.text)
        write(picture, text, sizes.gap, top, sizes.text, LIGHT)


def _notice_height(notice: str, width: int, sizes: Sizes) -> int:
    lines = wrapped(notice, sizes.text, width - 2 * sizes.gap)
    return len(lines) * line_height(sizes.text) + 2 * sizes.gap if lines else 0


def _darken(picture: NDArray[np.uint8], place: Box) -> None:
    """Leave a quarter of a place's light."""
    import cv2

    top, left = max(0, place.top), max(0, place.left)
    area = picture[top : max(0, place.top + place.height), left : max(0, place.left + place.width)]
    if area.size:
        area[:] = cv2.convertScaleAbs(area, alpha=0.25, beta=24)


def _fill(picture: NDArray[np.uint8], place: Box, colour: Colour) -> None:
    import cv2

    if place.width > 0 and place.height > 0:
        last = (place.left + place.width - 1, place.top + place.height - 1)
        cv2.rectangle(picture, (place.left, place.top), last, colour, cv2.FILLED)


def _touch(one: Box, other: Box) -> bool:
    return overlap(one, other)[1] > 0


def _free(place: Box, room: Box, taken: Sequence[Box]) -> bool:
    right, bottom = place.left + place.width, place.top + place.height
    inside = place.left >= 0 and place.top >= 0 and right <= room.width and bottom <= room.height
    return inside and not any(_touch(place, other) for other in taken)


def write(picture: NDArray[np.uint8], text: str, left: int, top: int, size_px: int, colour: Colour) -> None:
    """Draw one line of text, in any alphabet that the font has; what lies outside of the picture is left out.

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
