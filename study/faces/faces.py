"""Finding faces: OpenCV's Haar cascade, or YuNet where its model file is given; both answer in FER-2013's framing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError

CASCADE = "haarcascade_frontalface_alt2.xml"
#: Pictures whose longer side is less get a border, so that the cascade also sees faces that fill them.
BORDERED_BELOW_PX = 512
#: The mean FER-2013 face in shares of the image's side: between the eyes, from the eyes' middle to the mouth's, and the
#: eyes' height.
EYES_APART, EYES_TO_MOUTH, EYES_DOWN = 0.39, 0.42, 0.38
#: Where a face is searched again, in its own sides from its middle, how large it is there, and how much smaller or
#: larger it may have become.
NEAR, NEAR_SIDE_PX, SMALLER, LARGER = 0.9, 48, 0.75, 1.35


class Box(NamedTuple):
    """What of a picture is one face and is shown to the network, in pixels of the picture.

    The squares of ``Detector`` may reach a little beyond the picture.

    Attributes:
        left: First column.
        top: First row.
        width: Columns.
        height: Rows.
    """

    left: int
    top: int
    width: int
    height: int

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle (x, y)."""
        return self.left + self.width / 2, self.top + self.height / 2


class Detector(Protocol):
    """Finds faces."""

    def find(self, picture: NDArray[np.uint8]) -> list[Box]:
        """Return a square for each face of a picture uint8 (h, w, 3) BGR, from left to right."""
        ...

    def find_near(self, picture: NDArray[np.uint8], boxes: Sequence[Box]) -> list[Box]:
        """Return the squares of faces that are about where ``boxes`` say and about as large: quicker than ``find``."""
        ...


class HaarDetector:
    """OpenCV's cascade for frontal faces.

    FER-2013 was collected with such a detector and cut at its boxes: on 300 of its training images, enlarged, the boxes
    found have 0.97 of the image's side (median) and its centre within 0.01. So they are used as they are, no margin.

    Args:
        side_px: Pictures are reduced to this longer side before the search.
        smallest_px: Side of the smallest face that is searched, in the reduced picture.
        step: Ratio of one size that is searched to the next.
        neighbours: How many overlapping finds make a face; more finds fewer faces, and fewer that are none.
    """

    def __init__(self, side_px: int = 800, smallest_px: int = 28, step: float = 1.1, neighbours: int = 4) -> None:
        import cv2
        from cv2.data import haarcascades

        self.side_px = side_px
        self.smallest_px = smallest_px
        self.step = step
        self.neighbours = neighbours
        self._cascade = cv2.CascadeClassifier(os.path.join(haarcascades, CASCADE))

    def find(self, picture: NDArray[np.uint8]) -> list[Box]:
        """Return a square for each face of a picture uint8 (h, w, 3) BGR, from left to right."""
        import cv2

        small, scale = reduced(picture, self.side_px)
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        border = min(grey.shape) // 4 if max(picture.shape) < BORDERED_BELOW_PX else 0
        if border:
            grey = cv2.copyMakeBorder(grey, border, border, border, border, cv2.BORDER_REPLICATE)
        smallest = (self.smallest_px, self.smallest_px)
        found = self._cascade.detectMultiScale(grey, self.step, self.neighbours, minSize=smallest)
        return distinct(
            square((left - border + side / 2) * scale, (top - border + side / 2) * scale, side * scale)
            for left, top, side, _ in found
        )

    def find_near(self, picture: NDArray[np.uint8], boxes: Sequence[Box]) -> list[Box]:
        """Return the squares of faces that are about where ``boxes`` say and about as large: quicker than ``find``."""
        return distinct(found for box in boxes if (found := self._find_one(picture, box)) is not None)

    def _find_one(self, picture: NDArray[np.uint8], box: Box) -> Box | None:
        import cv2

        x, y = box.centre
        reach = NEAR * box.width
        left, top = max(0, int(x - reach)), max(0, int(y - reach))
        region = picture[top : max(0, int(y + reach)), left : max(0, int(x + reach))]
        scale = box.width / NEAR_SIDE_PX
        size = round(region.shape[1] / scale), round(region.shape[0] / scale)
        if min(size) < NEAR_SIDE_PX * SMALLER:
            return None  # nearly all of it is outside of the picture
        grey = cv2.cvtColor(cv2.resize(region, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        sides = round(NEAR_SIDE_PX * SMALLER), round(NEAR_SIDE_PX * LARGER)
        found = self._cascade.detectMultiScale(
            grey, self.step, self.neighbours, minSize=(sides[0], sides[0]), maxSize=(sides[1], sides[1])
        )
        squares = [square(left + (a + c / 2) * scale, top + (b + c / 2) * scale, c * scale) for a, b, c, _ in found]
        return min(squares, key=lambda one: np.hypot(one.centre[0] - x, one.centre[1] - y), default=None)


class YuNetDetector:
    """YuNet, a small network that also finds turned and partly covered faces.

    Its own boxes are tighter than FER-2013's images, so squares are laid around the eyes and the mouth that it finds,
    as they lie in the mean FER-2013 face.

    Args:
        model: The file ``face_detection_yunet_2023mar.onnx`` of OpenCV's model zoo.
        side_px: Pictures are reduced to this longer side before the search.

    Raises:
        UsageError: the file is missing or no such model.
    """

    def __init__(self, model: Path, side_px: int = 640) -> None:
        import cv2

        self.side_px = side_px
        if not model.is_file():
            raise UsageError(f"--detector takes YuNet's model file (.onnx), {model} is no file: check the path.")
        try:
            self._network: Any = cv2.FaceDetectorYN.create(str(model), "", (64, 64), score_threshold=0.7)
            self.find(np.zeros((64, 64, 3), np.uint8))
        except cv2.error:
            raise UsageError(
                f"--detector takes YuNet's model file, OpenCV cannot use {model} as one: "
                "give face_detection_yunet_2023mar.onnx of OpenCV's model zoo."
            ) from None

    def find(self, picture: NDArray[np.uint8]) -> list[Box]:
        """Return a square for each face of a picture uint8 (h, w, 3) BGR, from left to right."""
        small, scale = reduced(picture, self.side_px)
        self._network.setInputSize((small.shape[1], small.shape[0]))
        _, found = self._network.detect(small)
        rows = [] if found is None else found[:, 4:14].reshape(-1, 5, 2) * scale
        return distinct(_framed(points) for points in rows)

    def find_near(self, picture: NDArray[np.uint8], boxes: Sequence[Box]) -> list[Box]:
        """Return the faces of the whole picture: one pass of the network is quick enough."""
        return self.find(picture)


def open_detector(model: Path | None = None, *, video: bool = False) -> Detector:
    """Return YuNet where its model file is given, else the cascade.

    Args:
        model: YuNet's model file.
        video: For many frames a second instead of single pictures: a smaller, coarser search, which finds faces from
            an eleventh of a wide frame's height up. It is easily satisfied, because the tracker wants to see a face
            twice.

    Raises:
        UsageError: the file is no such model.
    """
    if model is not None:
        return YuNetDetector(model, side_px=480 if video else 640)
    return HaarDetector(side_px=480, smallest_px=24, step=1.2, neighbours=3) if video else HaarDetector()


def reduced(picture: NDArray[np.uint8], side_px: int) -> tuple[NDArray[np.uint8], float]:
    """Return a picture with its longer side at most ``side_px``, and the factor back to its own pixels."""
    import cv2

    height, width = picture.shape[:2]
    scale = max(1.0, max(height, width) / side_px)
    if scale == 1.0:
        return picture, 1.0
    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def square(centre_x: float, centre_y: float, side: float) -> Box:
    """Return the square around a point, in whole pixels."""
    whole = max(1, round(side))
    return Box(round(centre_x - whole / 2), round(centre_y - whole / 2), whole, whole)


def distinct(boxes: Iterable[Box]) -> list[Box]:
    """Return boxes from left to right, without those whose middle lies in a larger one: a mouth taken for a face."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: -box.width):
        x, y = box.centre
        if not any(big.left < x < big.left + big.width and big.top < y < big.top + big.height for big in kept):
            kept.append(box)
    return sorted(kept)


def _framed(points: NDArray[np.float32]) -> Box:
    """Return FER-2013's framing of a face from its points (5, 2): eye, eye, nose, corner and corner of the mouth.

    In turned faces the eyes are closer together, in nodding ones the mouth to the eyes: the larger measure counts.
    """
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    across = float(np.hypot(*(points[1] - points[0]))) / EYES_APART
    down = float(np.hypot(*(mouth - eyes))) / EYES_TO_MOUTH
    side = max(across, down)
    # From the eyes to the middle of the square, along the direction from eyes to mouth where there is one.
    along = (mouth - eyes) / max(1.0, float(np.hypot(*(mouth - eyes))))
    middle = eyes + along * side * (0.5 - EYES_DOWN)
    return square(float(middle[0]), float(middle[1]), side)
