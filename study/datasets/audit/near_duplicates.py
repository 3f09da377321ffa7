"""Duplicates: identical images by their content, near copies by perceptual hash and a second look at the pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from study.datasets.image_set import ImageSet

NEAR_BITS = 14
NEAR_SIMILARITY = 0.75
"""Near copies: hashes differ in at most NEAR_BITS of 64 bits, and details are similar to at least NEAR_SIMILARITY.

Chosen on FER-2013 by comparing every pair of its 34,096 different images and looking. Of 265 pairs (the 80 least alike,
all 65 mirrored ones, 120 below 0.85) 4 showed two photographs, all of them below 0.8; from 0.65 to 0.75 about one in
ten does, below 0.6 most do. What is found is a lower bound: 20 bits would find 4 % more pairs at six times the work,
and a copy that was also enlarged by a tenth, turned by 10 degrees or half covered is missed.
"""
NEAR_SIMILARITY_DRAWN = 0.9
NEAR_SIMILARITY_POSED = 0.97
POSED_BITS = 8
"""The same for drawn faces, which share their strokes, and for those below difficulty 0.25, which share their pose.

Among 10,000 faces of difficulty 0.5 different ones reach 0.86, among 2,000 of difficulty 0 all but one pair stay below.
"""

SIDE, SHIFT = 48, 3
"""Pairs are compared at SIDE x SIDE pixels, shifted by up to SHIFT of them in each direction."""

_FINE, _COARSE = 2.0, 9.0  # widths in pixels of the averages whose difference is compared
_WINDOW = SIDE - 2 * SHIFT
_PAIRS = 1024
_BITS = 64
_NEAR_SHAPE = 0.9  # cosine of the coefficients behind the hashes; the cheapest way to drop most wrong candidates
_FLATTEST = 2.0  # standard deviation in grey levels below which an image has no shape to compare
_BLOCK = 256
_COLUMNS = 8192
_IMAGES = 1024


@dataclass(frozen=True)
class NearPairs:
    """Pairs of different images that show the same photograph."""

    first: NDArray[np.int64]  #: int64 (pairs,), row of one image; of identical images only the first row takes part.
    second: NDArray[np.int64]  #: int64 (pairs,), row of the other, greater than ``first``.
    mirrored: NDArray[np.bool_]  #: bool (pairs,), True where one is the other's mirror image.
    similarity: NDArray[np.float32]  #: float32 (pairs,), correlation of details, 0..1.

    def __len__(self) -> int:
        return len(self.first)


def exact_groups(hashes: NDArray[np.bytes_]) -> list[NDArray[np.int64]]:
    """Return the rows (ascending) of each group of images with equal content hashes (n,), ordered by the first row."""
    _, codes = np.unique(hashes, return_inverse=True)
    return members(codes)


def members(codes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the rows (ascending) of each code (n,) that occurs twice or more, ordered by the first row."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=codes.min(initial=0) - 1))
    groups = [rows.astype(np.int64) for rows in np.split(order, starts) if len(rows) > 1]
    return sorted(groups, key=lambda rows: int(rows[0]))


def find_near(data: ImageSet) -> NearPairs:
    """Return the near pairs of an image set, by the threshold that suits photographs or drawn faces."""
    if not data.drawn:
        return near_pairs(data.images, data.hashes)
    if data.settings.get("difficulty", 0.5) < 0.25:
        return near_pairs(data.images, data.hashes, POSED_BITS, NEAR_SIMILARITY_POSED)
    return near_pairs(data.images, data.hashes, NEAR_BITS, NEAR_SIMILARITY_DRAWN)


def near_pairs(
    images: NDArray[np.uint8],
    hashes: NDArray[np.bytes_],
    bits: int = NEAR_BITS,
    least_similarity: float = NEAR_SIMILARITY,
) -> NearPairs:
    """Return all pairs of different images that show the same photograph, also mirrored, brightened or re-encoded.

    Every pair of hashes is compared, 36,000 images in a few seconds; the work grows with the square of their number.
    Images without contrast are left out: they all look the same. Hashes of a pair differ in at most ``bits`` bits; its
    details correlate by at least ``least_similarity``, 0..1.
    """
    _, distinct = np.unique(hashes, return_index=True)
    distinct = np.sort(distinct).astype(np.int64)
    coefficients = _coefficients(images, distinct)
    _, height, width, _ = images.shape
    norms = np.linalg.norm(coefficients, axis=1)
    shaped = norms > _FLATTEST * np.sqrt(height * width)
    distinct, shapes = distinct[shaped], coefficients[shaped] / norms[shaped, None]
    # The DCT hash of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010,
    # https://www.phash.org/docs/pubs/thesis_zauner.pdf) with the threshold zero instead of the median: signs do not
    # depend on brightness and contrast, and mirroring flips known bits.
    codes = np.packbits(shapes > 0, axis=1).view(np.uint64)[:, 0]
    is_odd = _frequencies()[:, 1] % 2 == 1  # across: mirroring an image changes the sign of these
    odd, signs = np.packbits(is_odd).view(np.uint64)[0], np.where(is_odd, -1, 1).astype(np.float32)
    found = []
    for mirrored, others, other_shapes in ((False, codes, shapes), (True, codes ^ odd, shapes * signs)):
        for i, j in _close(codes, others, bits):
            near = np.einsum("ij,ij->i", shapes[i], other_shapes[j]) > _NEAR_SHAPE
            found.append(np.stack([i[near], j[near], np.full(near.sum(), mirrored)]))
    first, second, flips = np.concatenate([np.empty((3, 0), np.int64), *found], axis=1)
    first, second, flips = distinct[first], distinct[second], flips.astype(bool)
    alike = similarity(images, first, second, flips)
    order = np.lexsort((-alike, second, first))  # a pair that fits both ways counts once, in the better way
    order = order[alike[order] >= least_similarity]
    pair = np.stack([first[order], second[order]])
    order = order[np.any(np.diff(pair, axis=1, prepend=-1) != 0, axis=0)]
    return NearPairs(first[order], second[order], flips[order], alike[order])


def near_groups(hashes: NDArray[np.bytes_], pairs: NearPairs) -> NDArray[np.int64]:
    """Return a group number (int64, n) for each image: identical images and near pairs, and pairs of pairs, share one.

    Groups are numbered by their first row; an image that is like no other has a group of its own. ``members`` gives
    the groups of two or more.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(hashes)
    _, first, codes = np.unique(hashes, return_index=True, return_inverse=True)
    ones = np.concatenate([np.arange(n), pairs.first])
    others = np.concatenate([first[codes], pairs.second])
    _, groups = connected_components(coo_array((np.ones(len(ones)), (ones, others)), shape=(n, n)), directed=False)
    _, start, codes = np.unique(groups, return_index=True, return_inverse=True)
    number = np.empty(len(start), np.int64)
    number[np.argsort(start)] = np.arange(len(start))
    return number[codes]


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
    """Return how alike the details of image pairs are, float32 (pairs,): the best normalised correlation over shifts.

    Of each pair it takes the first row and the second, mirrored left to right where that is said; -1..1, 0 where an
    image has no details.

    What is compared is the difference of a fine and a coarse local average. The fine one forgets what encoding and
    resizing change; taking away the coarse one forgets brightness and the layout that all cropped faces share, which
    keeps different people in the same pose apart; dividing by the norm forgets contrast.
    """
    found = np.empty(len(first), np.float32)
    for start in range(0, len(first), _PAIRS):
        chunk = slice(start, start + _PAIRS)
        rows, where = np.unique([first[chunk], second[chunk]], return_inverse=True)
        grey = grey_levels(images[rows])
        details = _averages(grey, _FINE) - _averages(grey, _COARSE)
        ones, others = details[where.reshape(2, -1)]
        flip = mirrored[chunk]
        others[flip] = others[flip][:, :, ::-1]
        found[chunk] = _best_correlation(ones, others)
    return found


def _close(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64], bits: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield rows i < j, block by block, of hashes and others that differ in at most ``bits`` bits."""
    n = len(hashes)
    for top in range(0, n, _BLOCK):
        for left in range(top, n, _COLUMNS):
            close = np.bitwise_count(hashes[top : top + _BLOCK, None] ^ others[None, left : left + _COLUMNS]) <= bits
            i, j = np.divmod(np.flatnonzero(close), close.shape[1])
            later = i + top < j + left
            yield i[later] + top, j[later] + left


def _coefficients(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the 64 lowest cosine coefficients beside the mean, float32 (rows, 64), of some rows of images."""
    _, height, width, _ = images.shape
    vertical, horizontal = _frequencies().T
    basis = np.einsum("fy,fx->yxf", _cosines(height)[vertical], _cosines(width)[horizontal])
    basis = basis.reshape(height * width, _BITS).astype(np.float32)
    found = np.empty((len(rows), _BITS), np.float32)
    for start in range(0, len(rows), _IMAGES):
        chunk = rows[start : start + _IMAGES]
        found[start : start + _IMAGES] = grey_levels(images[chunk]).reshape(len(chunk), -1) @ basis
    return found


@cache
def _frequencies() -> NDArray[np.int64]:
    """Return the 64 lowest pairs (vertical, horizontal) of frequencies, int64 (64, 2), without the mean."""
    pairs = [(y * y + x * x, y, x) for y in range(10) for x in range(10) if y or x]
    return np.array(sorted(pairs)[:_BITS])[:, 1:]


def _cosines(length: int) -> NDArray[np.float64]:
    """Return the first ten orthonormal DCT-II waves (10, length)."""
    waves = np.cos(np.pi * np.arange(10)[:, None] * (2 * np.arange(length)[None] + 1) / (2 * length))
    return waves * np.sqrt(np.where(np.arange(10) == 0, 1, 2) / length)[:, None]


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
