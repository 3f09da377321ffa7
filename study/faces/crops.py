"""From a picture and its boxes to what a network takes: faces cut, resized and grey as in the training images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from study.faces.faces import Box, Detector

#: A nearly square picture up to this side is a face that someone has cut out already (FER-2013: 48, RAF-DB: 100).
CROP_SIDE_PX = 128
CROP_ASPECT = 1.25


def is_face_crop(picture: NDArray[np.uint8]) -> bool:
    """Tell whether a picture (h, w, ...) is so small and square that it must be a face cut out already."""
    shorter, longer = sorted(picture.shape[:2])
    return longer <= CROP_SIDE_PX and longer <= CROP_ASPECT * shorter


def find_faces(picture: NDArray[np.uint8], detector: Detector, crops: bool = False) -> tuple[list[Box], bool]:
    """Return the faces of a picture, and whether the whole picture was taken as one.

    Args:
        picture: uint8 (h, w, 3) BGR.
        detector: Looks for faces, unless the picture is one.
        crops: Take every picture as a face, whatever its size.
    """
    if crops or is_face_crop(picture):
        return [Box(0, 0, picture.shape[1], picture.shape[0])], True
    return detector.find(picture), False


def cut_faces(picture: NDArray[np.uint8], boxes: Sequence[Box], image_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return the boxes of a picture as the images that a network takes, uint8 (n, height, width, channels).

    What a box has outside of the picture repeats the picture's edge.

    Args:
        picture: uint8 (h, w, 3) BGR.
        boxes: What to cut; each has at least one pixel within the picture.
        image_shape: Height, width, and 1 channel (grey) or 3 (RGB).
    """
    import cv2

    height, width, channels = image_shape
    cut = np.empty((len(boxes), height, width, channels), np.uint8)
    for image, box in zip(cut, boxes, strict=True):
        face = _with_edges(picture, box)
        shrinks = face.shape[0] > height and face.shape[1] > width
        face = cv2.resize(face, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        image[:] = (
            cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)[..., np.newaxis]
            if channels == 1
            else cv2.cvtColor(face, cv2.COLOR_BGR2RGB)
        )
    return cut


def _with_edges(picture: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    import cv2

    height, width = picture.shape[:2]
    right, bottom = box.left + box.width, box.top + box.height
    inner = picture[max(0, box.top) : min(height, bottom), max(0, box.left) : min(width, right)]
    missing = (max(0, -box.top), max(0, bottom - height), max(0, -box.left), max(0, right - width))
    return np.asarray(cv2.copyMakeBorder(inner, *missing, cv2.BORDER_REPLICATE), np.uint8) if any(missing) else inner
