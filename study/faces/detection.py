"""Find faces: with BlazeFace, OpenCV's Haar cascade, or YuNet from its file, all framed as in FER-2013."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError

BLAZEFACE, HAAR = "blazeface", "haar"
CASCADE = "haarcascade_frontalface_alt2.xml"
#: Pictures whose longer side is less get a border, so that the cascade also sees faces that fill them.
BORDERED_BELOW_PX = 512
#: The mean FER-2013 face in shares of the image's side: between the eyes, from the eyes' middle to the mouth's, and the
#: eyes' height.
EYES_APART, EYES_TO_MOUTH, EYES_DOWN = 0.39, 0.42, 0.38


class Box(NamedTuple):
    """What of a picture is one face, shown to the network, in pixels; it may reach a little beyond the picture."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column behind it."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.top + self.height

    @property
    def centre(self) -> tuple[float, float]:
        """Its centre (x, y)."""
        return self.left + self.width / 2, self.top + self.height / 2


class Detection(NamedTuple):
    """A face that was found; its score is 0..1, or the weight of the Haar cascade's last stage (about 55)."""

    box: Box
    score: float


class Detector(Protocol):
    """Finds faces."""

    def find(self, picture: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces of a picture uint8 (h, w, 3) BGR as squares, from left to right."""


class BlazeFace:
    """Google's BlazeFace for faces up to five metres away, run on the picture at several sizes.

    The network has no fixed input size. Each pass sees the picture at twice the size of the pass before and adds the
    faces that are too small there; a face that fills the picture is found in the first one.

    In ``video``, for many frames a second, there are no fine passes.
    """

    FIRST_PX, SECOND_PX, STRIDE = 96, 192, 4
    #: The first pass keeps faces of at least so many pixels, the passes after the second those of at most so many: what
    #: is larger there was already seen, or is not a face.
    LARGE_PX, SMALL_PX = 32, 48
    #: Passes finer than this ask for a score that is higher by so much: at that size much else looks like a face.
    FINE_PX, FINE_SCORE = 384, 0.05
    #: The finest pass reduces the picture to this share: faces from about 30 pixels up are found.
    FINEST_SHARE = 0.4
    #: The points are a little closer together than in the mean FER-2013 face.
    POINTS_TO_SIDE = 1.06

    def __init__(self, video: bool = False, least_score: float = 0.5) -> None:
        self.least_score = least_score
        self.finest_px = 384 if video else 1536  # longer side of the picture in the finest pass, at most
        self._session = open_model("blazeface_full_range.onnx")

    def find(self, picture: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces of a picture uint8 (h, w, 3) BGR as squares, from left to right."""
        sides = [self.FIRST_PX, self.SECOND_PX]
        while sides[-1] < self.FINEST_SHARE * max(picture.shape[:2]) and 2 * sides[-1] <= self.finest_px:
            sides.append(2 * sides[-1])
        return distinct(face for side in sides for face in self._search(picture, side))

    def _search(self, picture: NDArray[np.uint8], side_px: int) -> Iterator[Detection]:
        import cv2

        scale = side_px / max(picture.shape[:2])
        height, width = (max(1, round(length * scale)) for length in picture.shape[:2])
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = cv2.cvtColor(cv2.resize(picture, (width, height), interpolation=how), cv2.COLOR_BGR2RGB)
        # Sides are multiples of 32; what the picture does not fill is black, which also surrounds it in the first pass.
        least = self.SECOND_PX if side_px < self.SECOND_PX else 32
        rows, columns = (max(least, -(-length // 32) * 32) for length in (height, width))
        top, left = (rows - height) // 2, (columns - width) // 2
        canvas = np.full((1, rows, columns, 3), -1, np.float32)
        canvas[0, top : top + height, left : left + width] = small.astype(np.float32) / 127.5 - 1
        regressed, logits = (answer[0] for answer in self._session.run(None, {"input": canvas}))
        scores = 1 / (1 + np.exp(-np.clip(logits[:, 0], -80, 80)))
        (likely,) = np.nonzero(scores >= self.least_score + self.FINE_SCORE * (side_px > self.FINE_PX))
        cells = np.stack([likely % (columns // self.STRIDE), likely // (columns // self.STRIDE)], axis=-1)
        anchors = (cells + 0.5) * self.STRIDE - (left, top)
        # Of each: the box's centre and size, then six points: the eyes, the nose, the mouth, the ears.
        boxes = regressed[likely].reshape(-1, 8, 2)
        points = (boxes[:, 2:] + anchors[:, np.newaxis]) / scale
        for size_px, eyes_nose_mouth, score in zip(boxes[:, 1, 0], points, scores[likely], strict=True):
            large_enough = side_px >= self.SECOND_PX or size_px >= self.LARGE_PX
            small_enough = side_px <= self.SECOND_PX or size_px <= self.SMALL_PX
            if large_enough and small_enough:
                yield Detection(_framed(eyes_nose_mouth[:2], eyes_nose_mouth[3], self.POINTS_TO_SIDE), float(score))


class HaarDetector:
    """OpenCV's cascade for frontal faces.

    FER-2013 was collected with such a detector and cut at its boxes: on 300 of its training images, enlarged, the boxes
    found have 0.97 of the image's side (median) and its centre within 0.01. So they are used as they are, no margin.
    """

    def __init__(self, video: bool = False, least_score: float = 0.0) -> None:
        import cv2
        from cv2.data import haarcascades

        # Pictures are reduced to a longer side and searched for faces from a smallest side there, in sizes of a ratio;
        # so many overlapping finds make a face: more find fewer faces, and fewer that are none.
        self.side_px, self.smallest_px, self.step, self.neighbours = (480, 24, 1.2, 3) if video else (800, 28, 1.1, 4)
        self.least_score = least_score
        self._cascade = cv2.CascadeClassifier(os.path.join(haarcascades, CASCADE))

    def find(self, picture: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces of a picture uint8 (h, w, 3) BGR as squares, from left to right."""
        import cv2

        small, scale = reduced(picture, self.side_px)
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        border = min(grey.shape) // 4 if max(picture.shape) < BORDERED_BELOW_PX else 0
        if border:
            grey = cv2.copyMakeBorder(grey, border, border, border, border, cv2.BORDER_REPLICATE)
        squares, _, weights = self._cascade.detectMultiScale3(
            grey, self.step, self.neighbours, minSize=(self.smallest_px, self.smallest_px), outputRejectLevels=True
        )
        found = []
        for (left, top, side, _), weight in zip(squares, weights, strict=True):
            if weight >= self.least_score:
                middle_x, middle_y = left - border + side / 2, top - border + side / 2
                found.append(Detection(square(middle_x * scale, middle_y * scale, side * scale), float(weight)))
        return distinct(found)


class YuNetDetector:
    """YuNet, a small network that also finds turned and partly covered faces.

    Its own boxes are tighter than FER-2013's images, so squares are laid around the eyes and the mouth that it finds,
    as they lie in the mean FER-2013 face.

    Raises:
        UsageError: the file is missing or is not ``face_detection_yunet_2023mar.onnx`` of OpenCV's model zoo.
    """

    def __init__(self, model: Path, video: bool = False, least_score: float = 0.7) -> None:
        import cv2

        self.side_px = 480 if video else 640
        if not os.path.isfile(model):
            raise UsageError(
                f"--detector takes {BLAZEFACE}, {HAAR} or YuNet's model file (.onnx), {model} is not a file."
            )
        try:
            self._network: Any = cv2.FaceDetectorYN.create(str(model), "", (64, 64), score_threshold=least_score)
            self.find(np.zeros((64, 64, 3), np.uint8))
        except cv2.error:
            raise UsageError(
                f"--detector takes YuNet's model file, OpenCV cannot use {model} as one: "
                "give face_detection_yunet_2023mar.onnx of OpenCV's model zoo."
            ) from None

    def find(self, picture: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces of a picture uint8 (h, w, 3) BGR as squares, from left to right."""
        small, scale = reduced(picture, self.side_px)
        self._network.setInputSize((small.shape[1], small.shape[0]))
        _, rows = self._network.detect(small)
        found = []
        for row in () if rows is None else rows:
            points = row[4:14].reshape(5, 2) * scale  # eyes, nose, corners of the mouth
            found.append(Detection(_framed(points[:2], points[3:].mean(axis=0)), float(row[14])))
        return distinct(found)


def open_detector(name: str | Path | None = None, *, video: bool = False, least_score: float | None = None) -> Detector:
    """Return a detector.

    Args:
        name: ``blazeface`` (the default), ``haar``, or YuNet's model file.
        video: For many frames a second instead of single pictures: a smaller, coarser search.
        least_score: Faces with a lower score are left out; None for the detector's default.

    Raises:
        UsageError: the file is not YuNet's model.
    """
    least: dict[str, Any] = {} if least_score is None else {"least_score": least_score}
    if name is None or str(name) in ("", BLAZEFACE):
        return BlazeFace(video, **least)
    return HaarDetector(video, **least) if str(name) == HAAR else YuNetDetector(Path(name), video, **least)


def open_model(name: str) -> Any:
    """Open one of this package's models with ONNX Runtime, on one core: more give no speed, spinning ones take some."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    data = resources.files("study.faces").joinpath("models", name).read_bytes()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


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
    whole = max(1, round(float(side)))
    return Box(round(float(centre_x - whole / 2)), round(float(centre_y - whole / 2)), whole, whole)


def overlap(one: Box, other: Box) -> tuple[float, float]:
    """Return the intersection of two boxes over their union, and over the smaller of them, 0..1."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    shared = max(0, width) * max(0, height)
    areas = one.width * one.height, other.width * other.height
    return shared / (sum(areas) - shared), shared / min(areas)


def distinct(found: Iterable[Detection]) -> list[Detection]:
    """Return detections from left to right; of those that are the same face, or a part of one, the best score."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda one: -one.score):
        overlaps = (overlap(one.box, better.box) for better in kept)
        if all(union < 0.3 and smaller < 0.7 for union, smaller in overlaps):
            kept.append(one)
    return sorted(kept)


def _framed(eyes: NDArray[np.floating], mouth: NDArray[np.floating], factor: float = 1.0) -> Box:
    """Return FER-2013's framing of a face from its eyes (2, 2) and the middle of its mouth (2,).

    In turned faces the eyes are closer together, in nodding ones the mouth to the eyes: the larger measure counts.
    """
    middle = eyes.mean(axis=0)
    down = mouth - middle
    length = float(np.hypot(*down))
    side = factor * max(float(np.hypot(*(eyes[1] - eyes[0]))) / EYES_APART, length / EYES_TO_MOUTH)
    centre = middle + down / max(1.0, length) * side * (0.5 - EYES_DOWN)
    return square(float(centre[0]), float(centre[1]), side)
