"""Pictures with what was found in them: boxes, labels, bars of probabilities, and the notice of drawn faces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.faces.answers import Answer
from study.faces.faces import Box
from study.faces.lettering import Colour, line_height, text_width, wrapped, write

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
MOST_BARS = 8
FEWEST_BARS = 3


@dataclass(frozen=True)
class Sizes:
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
) -> NDArray[np.uint8]:
    """Return a picture with its faces marked; small ones are enlarged so that they can be read.

    The shape of the result follows from the shape of the picture, ``whole`` and the classes alone.

    Args:
        picture: uint8 (h, w, 3) BGR, left as it is.
        answers: The faces.
        classes: Class names.
        notice: What must be said below, or nothing.
        corner: What to say in the upper left corner, such as the frames per second.
        whole: The picture is one face: there is no box to draw, and room for label and bars is made beside it.
    """
    drawn, scale = _canvas(picture)
    sizes = _sizes(drawn)
    if whole:
        drawn = _beside(drawn, answers[0], classes, notice, sizes)
    else:
        boxes = [Box(*(number * scale for number in answer.box)) for answer in answers]
        _mark(drawn, boxes, answers, classes, sizes, _notice_height(notice, drawn.shape[1], sizes))
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


def _sizes(picture: NDArray[np.uint8]) -> Sizes:
    side = math.sqrt(picture.shape[0] * picture.shape[1])
    return Sizes(text=max(13, round(side / 58)), line=max(2, round(side / 450)), gap=max(4, round(side / 160)))


def _mark(
    picture: NDArray[np.uint8],
    boxes: Sequence[Box],
    answers: Sequence[Answer],
    classes: Sequence[str],
    sizes: Sizes,
    kept_free: int,
) -> None:
    """Draw boxes, then labels, then bars where they cover no face; the lowest ``kept_free`` rows stay free of bars."""
    import cv2

    height, width = picture.shape[:2]
    taken = list(boxes)
    for box, answer in zip(boxes, answers, strict=True):
        colour = colour_of(answer.label)
        corners = (box.left, box.top), (box.left + box.width - 1, box.top + box.height - 1)
        cv2.rectangle(picture, *corners, DARK, sizes.line + 2)
        cv2.rectangle(picture, *corners, colour, sizes.line)
    for box, answer in zip(boxes, answers, strict=True):
        text = label_text(answer, classes)
        plate = _plate_box(text, sizes)
        left = min(max(0, box.left - sizes.line // 2), max(0, width - plate.width))
        top = box.top - plate.height
        if top < 0:
            top = max(0, box.top)
        _plate(picture, text, left, top, sizes, colour_of(answer.label))
        taken.append(Box(left, top, plate.width, plate.height))
    room = Box(0, 0, width, height - kept_free)
    # In a video the older face chooses first, so that bars stay where they are; in a picture the larger one.
    first = sorted(zip(boxes, answers, strict=True), key=lambda face: face[1].track or -face[0].width)
    for box, answer in first:
        for shown in (_shown(answer, MOST_BARS), _shown(answer, FEWEST_BARS)):
            place = _place_for_bars(box, _panel(shown, classes, sizes), sizes, room, taken)
            if place is not None:
                _bars(picture, place, answer, shown, classes, sizes)
                taken.append(place)
                break


def _place_for_bars(box: Box, panel: Box, sizes: Sizes, room: Box, taken: Sequence[Box]) -> Box | None:
    """Return where the bars of a face go: beside, below or above it, the first place that is free."""
    right, bottom = box.left + box.width, box.top + box.height
    level = min(max(0, box.top), max(0, room.height - panel.height))
    flush_left = min(max(0, box.left), max(0, room.width - panel.width))
    flush_right = max(0, min(right, room.width) - panel.width)
    above = box.top - line_height(sizes.text) - 2 * sizes.gap - panel.height
    for left, top in (
        (right + sizes.gap, level),
        (box.left - sizes.gap - panel.width, level),
        (flush_left, bottom + sizes.gap),
        (flush_right, bottom + sizes.gap),
        (flush_left, above),
        (flush_right, above),
    ):
        place = Box(left, top, panel.width, panel.height)
        inside = left >= 0 and top >= 0 and left + panel.width <= room.width and top + panel.height <= room.height
        if inside and not any(_overlap(place, other) for other in taken):
            return place
    return None


def _beside(
    picture: NDArray[np.uint8], answer: Answer, classes: Sequence[str], notice: str, sizes: Sizes
) -> NDArray[np.uint8]:
    """Return a face with label and bars on a margin to its right, and with room for the notice below."""
    shown = _shown(answer, MOST_BARS)
    panel = _panel(shown, classes, sizes)
    left, top = picture.shape[1] + sizes.gap, 2 * sizes.gap + _plate_box("", sizes).height
    width = left + panel.width + sizes.gap
    height = max(picture.shape[0], top + panel.height + sizes.gap) + _notice_height(notice, width, sizes)
    room = np.full((height, width, 3), DARK, np.uint8)
    room[: picture.shape[0], : picture.shape[1]] = picture
    _plate(room, label_text(answer, classes), left, sizes.gap, sizes, colour_of(answer.label))
    _bars(room, Box(left, top, panel.width, panel.height), answer, shown, classes, sizes)
    return room


def colour_of(label: int) -> Colour:
    """Return the colour of a class."""
    return COLOURS[label % len(COLOURS)]


def label_text(answer: Answer, classes: Sequence[str]) -> str:
    """Return what is written over a face."""
    number = "" if answer.track is None else f"{answer.track}  "
    return f"{number}{classes[answer.label]} {_percent(answer.probabilities[answer.label])}"


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


def _overlap(one: Box, other: Box) -> bool:
    return (
        one.left < other.left + other.width
        and other.left < one.left + one.width
        and one.top < other.top + other.height
        and other.top < one.top + one.height
    )
