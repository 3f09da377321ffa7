"""Drawn people that OpenCV's cascade really finds: enlarged on a cluttered background, standing or moving."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from study.datasets.synthetic.drawing import draw_faces

EMOTIONS = 7


@functools.cache
def drawn_faces(count: int = 21) -> NDArray[np.uint8]:
    """Return posed faces in FER-2013's framing, uint8 (n, 48, 48); the emotions take turns."""
    return draw_faces(np.arange(count) % EMOTIONS, np.arange(count), 0.0, 5)[..., 0]


@functools.cache
def background(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return coloured clouds with some texture, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    clouds = np.full((height, width, 3), 135.0)
    for cells, strength in ((3, 30), (9, 14), (27, 7), (81, 5)):
        noise = rng.normal(0, strength, (cells, cells * 2, 3)).astype(np.float32)
        clouds += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return clouds.clip(0, 255).astype(np.uint8)


def put_face(picture: NDArray[np.uint8], face: int, centre: tuple[float, float], side: float) -> None:
    """Paste a drawn face as a head: an oval, a tenth larger than the face's square, that fades into the picture.

    Args:
        picture: uint8 (h, w, 3), changed in place.
        face: Row of ``drawn_faces``.
        centre: Middle of the face's square (x, y), in pixels and parts of them.
        side: Side of the face's square in pixels.
    """
    grey = cv2.copyMakeBorder(drawn_faces()[face], 6, 6, 6, 6, cv2.BORDER_REPLICATE)
    mask = np.zeros(grey.shape, np.float32)
    cv2.ellipse(mask, (30, 30), (24, 28), 0, 0, 360, 1.0, -1)
    scale = side / 48
    place = np.array([[scale, 0, centre[0] - 29.5 * scale], [0, scale, centre[1] - 29.5 * scale]], np.float32)
    size = (picture.shape[1], picture.shape[0])
    weight = cv2.warpAffine(cv2.GaussianBlur(mask, (5, 5), 0), place, size)[..., np.newaxis]
    head = cv2.warpAffine(grey, place, size, flags=cv2.INTER_CUBIC)[..., np.newaxis]
    tint = np.array([0.85, 0.92, 1.0], np.float32)  # BGR: skin is warmer than grey
    picture[:] = (picture * (1 - weight) + head * tint * weight).clip(0, 255).astype(np.uint8)
