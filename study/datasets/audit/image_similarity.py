"""Similarity of two images by their pixels: the strict second look at pairs whose perceptual hashes are close."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 48
SHIFT = 3
"""Pairs are compared at SIDE x SIDE pixels, shifted by up to SHIFT of them in each direction."""

_FINE, _COARSE = 2.0, 9.0  # widths in pixels of the averages whose difference is compared
_WINDOW = SIDE - 2 * SHIFT
_PAIRS = 1024


def grey_levels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return float32 (n, height, width), range 0..255, of uint8 (n, height, width, channels): the channels' luma."""
    if images.shape[-1] == 1:
        return images[..., 0].astype(np.float32)
    return images[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def similarity(
    images: NDArray[np.uint8],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    mirrored: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Return how alike the details of image pairs are: the best normalised correlation over small shifts.

    What is compared is the difference of a fine and a coarse local average. The fine one forgets what encoding and
    resizing change; taking away the coarse one forgets brightness and the layout that all cropped faces share, which
    keeps different people in the same pose apart; dividing by the norm forgets contrast.

    Args:
        images: uint8 (n, height, width, channels).
        first: int64 (pairs,), rows of one image of each pair.
        second: int64 (pairs,), rows of the other.
        mirrored: bool (pairs,), where the other has to be mirrored left to right first.

    Returns:
        float32 (pairs,), range -1..1; 0 where an image has no details.
    """
    found = np.empty(len(first), np.float32)
    for start in range(0, len(first), _PAIRS):
        chunk = slice(start, start + _PAIRS)
        rows, where = np.unique(np.concatenate([first[chunk], second[chunk]]), return_inverse=True)
        details = _details(images[rows])
        left, right = np.split(where, 2)
        others = details[right]
        flip = mirrored[chunk]
        others[flip] = others[flip][:, :, ::-1]
        found[chunk] = _best_correlation(details[left], others)
    return found


def _details(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return float32 (n, SIDE, SIDE): fine minus coarse local averages."""
    grey = grey_levels(images)
    return _averages(grey, _FINE) - _averages(grey, _COARSE)


def _averages(grey: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """Return the means (n, SIDE, SIDE) over squares of ``width`` pixels of the resized image."""
    n, height, breadth = grey.shape
    across = grey.reshape(n * height, breadth) @ _window_means(breadth, width).T
    upright = np.ascontiguousarray(across.reshape(n, height, SIDE).transpose(0, 2, 1)).reshape(n * SIDE, height)
    return (upright @ _window_means(height, width).T).reshape(n, SIDE, SIDE).transpose(0, 2, 1)


def _window_means(length: int, width: float) -> NDArray[np.float32]:
    """Return the matrix (SIDE, length) from a line of pixels to means over windows around SIDE even places."""
    scale = length / SIDE
    middles = (np.arange(SIDE) + 0.5) * scale
    lower = np.clip(middles - width * scale / 2, 0, length)[:, None]
    upper = np.clip(middles + width * scale / 2, 0, length)[:, None]
    edges = np.arange(length)[None]
    overlap = np.clip(np.minimum(upper, edges + 1) - np.maximum(lower, edges), 0, None)
    means: NDArray[np.float32] = (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)
    return means


def _best_correlation(ones: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the best correlation (pairs,) of the middle of the ones with any window of the others."""
    middle = np.ascontiguousarray(ones[:, SHIFT : SHIFT + _WINDOW, SHIFT : SHIFT + _WINDOW])
    norms = np.sqrt(np.einsum("nij,nij->n", middle, middle))
    best = np.zeros(len(ones), np.float32)
    for down in range(2 * SHIFT + 1):
        for right in range(2 * SHIFT + 1):
            window = others[:, down : down + _WINDOW, right : right + _WINDOW]
            lengths = norms * np.sqrt(np.einsum("nij,nij->n", window, window))
            products = np.einsum("nij,nij->n", middle, window)
            best = np.maximum(best, np.divide(products, lengths, out=np.zeros_like(best), where=lengths > _WINDOW))
    return best
