"""Pictures with what was found in them: boxes, labels, landmarks, bars of probabilities, the notice of drawn faces."""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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


def annotate(
    picture: NDArray[np.uint8],
    answers: Sequence[Answer],
    classes: Sequence[str],
    notice: str = "",
    corner: str = "",
    whole: bool = False,
    bars: bool = False,
) -> NDArray[np.uint8]:
    """Return a picture, uint8 (h, w, 3) BGR, with its faces marked; small ones are enlarged so that they can be read.

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
    import cv2

    shorter, longer = sorted(picture.shape[:2])
    scale = max(1, min(math.ceil(LEGIBLE_SIDE_PX / shorter), LARGEST_SIDE_PX // longer))
    if scale > 1:
        enlarged = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        picture = np.asarray(enlarged, np.uint8)
    marked = _Marked(picture.copy() if scale == 1 else picture, classes, notice)
    for answer in answers:
        if answer.landmarks is not None:  # lines for lips, eyes, eyebrows, oval
            lines = [np.round(answer.landmarks[list(line)] * scale).astype(np.int32) for line in OUTLINES]
            width = max(1, marked.line // 2)
            cv2.polylines(marked.picture, lines, False, colour_of(answer.label), width, cv2.LINE_AA)
    if whole:
        marked.mark_beside(answers[0], bars)
    else:
        boxes = [Box(*(number * scale for number in answer.box)) for answer in answers]
        labels = marked.add_labels(boxes, answers)
        if bars:
            marked.add_bars(boxes, answers, [*boxes, *labels])
    if corner:
        marked.add_plate(corner, marked.gap, marked.gap, marked.text, DARK)
    if notice:
        marked.add_notice()
    return marked.picture


class _Marked:
    """A picture that is being marked, uint8 (h, w, 3) BGR, changed in place; the notice comes over its lowest rows."""

    def __init__(self, picture: NDArray[np.uint8], classes: Sequence[str], notice: str) -> None:
        self.picture, self.classes, self.notice = picture, classes, notice
        side = math.sqrt(picture.shape[0] * picture.shape[1])
        # Font size, width of the boxes' lines, and distance between things, in pixels.
        self.text, self.line, self.gap = max(13, round(side / 58)), max(2, round(side / 450)), max(4, round(side / 160))

    def add_labels(self, boxes: Sequence[Box], answers: Sequence[Answer]) -> list[Box]:
        """Draw boxes, then a label above or below each, where it covers fewest others; return the labels' places."""
        import cv2

        for box, answer in zip(boxes, answers, strict=True):
            corners = (box.left, box.top), (box.right - 1, box.bottom - 1)
            cv2.rectangle(self.picture, *corners, DARK, self.line + 2)
            cv2.rectangle(self.picture, *corners, colour_of(answer.label), self.line)
        room = self._room
        places: list[Box] = []
        for number, (box, answer) in enumerate(zip(boxes, answers, strict=True), 1):
            text = label_text(answer, self.classes, number if len(answers) > 1 else None)
            size_px = max(SMALLEST_TEXT_PX, min(self.text, box.width // 5))
            width, height = self._plate_size(text, size_px)
            left = min(max(0, box.left - self.line // 2), max(0, room.width - width))
            others = [*places, *(other for other in boxes if other is not box)]
            options = [
                Box(left, top, width, height)
                for top in (box.top - height, box.bottom, max(0, box.top))
                if 0 <= top <= room.height - height
            ] or [Box(left, max(0, box.top), width, height)]
            place = min(options, key=lambda one: sum(touch(one, other) for other in others))
            self.add_plate(text, place.left, place.top, size_px, colour_of(answer.label))
            places.append(place)
        return places

    def add_bars(self, boxes: Sequence[Box], answers: Sequence[Answer], taken: list[Box]) -> None:
        """Draw the bars of each face beside, below or above it, the first place within the room where nothing is."""
        room = self._room
        # In a video the older face chooses first, so that bars stay where they are; in a picture the larger one.
        for box, answer in sorted(zip(boxes, answers, strict=True), key=lambda face: face[1].track or -face[0].width):
            for shown in (_shown(answer, MOST_BARS), _shown(answer, FEWEST_BARS)):
                width, height = self._bars_size(shown)
                level = min(max(0, box.top), max(0, room.height - height))
                flush_left = min(max(0, box.left), max(0, room.width - width))
                flush_right = max(0, min(box.right, room.width) - width)
                above = box.top - line_height(self.text) - 2 * self.gap - height
                corners = (
                    (box.right + self.gap, level),
                    (box.left - self.gap - width, level),
                    (flush_left, box.bottom + self.gap),
                    (flush_right, box.bottom + self.gap),
                    (flush_left, above),
                    (flush_right, above),
                )
                places = (Box(left, top, width, height) for left, top in corners)
                place = next((one for one in places if _free(one, room, taken)), None)
                if place is not None:
                    self.draw_bars(place, answer, shown)
                    taken.append(place)
                    break

    def mark_beside(self, answer: Answer, bars: bool) -> None:
        """Make room to the right of a face for its label, and bars where they are wanted, and below for the notice."""
        face, shown = self.picture, _shown(answer, MOST_BARS) if bars else []
        bars_width, bars_height = self._bars_size(shown)
        label_width = max(self._plate_size(f"unsure ({name}?) 100 %", self.text)[0] for name in self.classes)
        left, top = face.shape[1] + self.gap, 2 * self.gap + self._plate_size("", self.text)[1]
        width = left + max(bars_width, label_width) + self.gap
        height = max(face.shape[0], top + bars_height + self.gap) + self._notice_height(width)
        self.picture = np.full((height, width, 3), DARK, np.uint8)
        self.picture[: face.shape[0], : face.shape[1]] = face
        self.add_plate(label_text(answer, self.classes), left, self.gap, self.text, colour_of(answer.label))
        if bars:
            self.draw_bars(Box(left, top, bars_width, bars_height), answer, shown)

    def draw_bars(self, place: Box, answer: Answer, shown: Sequence[int]) -> None:
        """Draw the bars of some classes."""
        self._darken(place)
        row, bar_width = line_height(self.text), 5 * self.text
        right = place.right - self.gap
        bar_left = right - text_width("100 %", self.text) - self.gap - bar_width
        for line, index in enumerate(shown):
            top = place.top + self.gap + line * row
            share = float(answer.probabilities[index])
            colour = LIGHT if index == answer.label else (185, 185, 185)
            write(self.picture, self.classes[index], place.left + self.gap, top, self.text, colour)
            inset = max(1, row // 5)
            self._fill(Box(bar_left, top + inset, bar_width, row - 2 * inset), (70, 66, 62))
            self._fill(Box(bar_left, top + inset, round(share * bar_width), row - 2 * inset), colour_of(index))
            text = _percent(share)
            write(self.picture, text, right - text_width(text, self.text), top, self.text, colour)

    def add_plate(self, text: str, left: int, top: int, size_px: int, colour: Colour) -> None:
        """Draw a line of text on a plate of a colour, in black or white, whichever stands out."""
        self._fill(Box(left, top, *self._plate_size(text, size_px)), colour)
        bright = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2] > 110
        write(self.picture, text, left + self.gap, top + self.gap // 2, size_px, DARK if bright else LIGHT)

    def add_notice(self) -> None:
        """Draw the notice over the lowest rows."""
        height, width = self.picture.shape[:2]
        band = self._notice_height(width)
        self._darken(Box(0, height - band, width, band))
        for line, text in enumerate(wrapped(self.notice, self.text, width - 2 * self.gap)):
            top = height - band + self.gap + line * line_height(self.text)
            write(self.picture, text, self.gap, top, self.text, LIGHT)

    @property
    def _room(self) -> Box:
        """What the notice leaves of the picture."""
        height, width = self.picture.shape[:2]
        return Box(0, 0, width, height - self._notice_height(width))

    def _notice_height(self, width: int) -> int:
        lines = wrapped(self.notice, self.text, width - 2 * self.gap)
        return len(lines) * line_height(self.text) + 2 * self.gap if lines else 0

    def _plate_size(self, text: str, size_px: int) -> tuple[int, int]:
        return text_width(text, size_px) + 2 * self.gap, line_height(size_px) + self.gap

    def _bars_size(self, shown: Sequence[int]) -> tuple[int, int]:
        """Return width and height of a face's bars; the longest name decides, shown or not, so that it stays."""
        names = max(text_width(name, self.text) for name in self.classes)
        width = names + 5 * self.text + text_width("100 %", self.text) + 4 * self.gap
        return width, len(shown) * line_height(self.text) + 2 * self.gap

    def _darken(self, place: Box) -> None:
        """Leave a quarter of a place's light."""
        import cv2

        rows, columns = slice(max(0, place.top), max(0, place.bottom)), slice(max(0, place.left), max(0, place.right))
        area = self.picture[rows, columns]
        if area.size:
            area[:] = cv2.convertScaleAbs(area, alpha=0.25, beta=24)

    def _fill(self, place: Box, colour: Colour) -> None:
        import cv2

        if place.width > 0 and place.height > 0:
            corners = (place.left, place.top), (place.right - 1, place.bottom - 1)
            cv2.rectangle(self.picture, *corners, colour, cv2.FILLED)


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


def touch(one: Box, other: Box) -> bool:
    """Tell whether two places share a pixel."""
    return overlap(one, other)[1] > 0


def _free(place: Box, room: Box, taken: Sequence[Box]) -> bool:
    inside = place.left >= 0 and place.top >= 0 and place.right <= room.width and place.bottom <= room.height
    return inside and not any(touch(place, other) for other in taken)


def write(picture: NDArray[np.uint8], text: str, left: int, top: int, size_px: int, colour: Colour) -> None:
    """Draw one line of text, ``line_height(size_px)`` rows high, in any alphabet that the font has.

    The picture is uint8 (h, w, 3) and changed in place; what lies outside of it is left out.
    """
    mask = _mask(text, size_px)
    height, width = picture.shape[:2]
    weight = mask[max(0, -top) : max(0, height - top), max(0, -left) : max(0, width - left)]
    under = picture[max(0, top) : max(0, top + mask.shape[0]), max(0, left) : max(0, left + mask.shape[1])]
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
    for place in (found.submodule_search_locations if found else None) or ():
        file = Path(place, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
        if file.is_file():
            return ImageFont.truetype(str(file), size_px)
    return ImageFont.load_default(size_px)
