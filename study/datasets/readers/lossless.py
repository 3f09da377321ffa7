"""Images of one size packed without loss, about a tenth smaller than as WebP: prediction, contexts and range coding.

Every pixel is predicted from the pixels before it; what the prediction misses is coded by how often it occurs where the
surroundings look alike (asymmetric numeral systems, Duda 2013, arXiv:1311.2540). All planes are coded side by side, so
that numpy does the work.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

#: Planes that are coded side by side; part of the format.
LANES = 4096
#: Kinds of surroundings, by how much they vary, and the limits between them.
CONTEXTS = 24
_LIMITS = np.array([3, 5, 8, 11, 14, 18, 22, 26, 31, 36, 42, 48, 55, 63, 72, 83, 95, 110, 130, 155, 190, 240, 320])
#: Weights of the pixels left, above, left above, right above, two to the left and two above, in 64ths.
_WEIGHTS = (49, 40, -22, 13, -9, -7)
_BITS, _LEAST, _WORD = 14, 1 << 31, 32


def encode(planes: NDArray[np.uint8]) -> tuple[NDArray[np.uint32], NDArray[np.uint64], NDArray[np.uint16]]:
    """Return words, last states and frequencies for planes, uint8 (n, height, width)."""
    n, height, width = planes.shape
    missed = np.empty((height * width, n), np.uint8)
    context = np.empty((height * width, n), np.uint8)
    for start in range(0, n, LANES):
        block = slice(start, start + LANES)
        pixels = planes[block].reshape(-1, height * width).T.astype(np.int32)
        errors = np.empty_like(pixels)
        for place, guess, kind in _walk(pixels, errors, width):
            errors[place] = pixels[place] - guess
            missed[place, block], context[place, block] = errors[place] & 255, kind
    tables = np.stack([_frequencies(np.bincount(missed[context == kind], minlength=256)) for kind in range(CONTEXTS)])
    starts = (np.cumsum(tables, axis=1) - tables).astype(np.uint64)
    counts = tables.astype(np.uint64)
    states = np.full(min(LANES, n), _LEAST, np.uint64)
    words: list[NDArray[np.uint32]] = []
    for start in reversed(range(0, n, LANES)):
        block = slice(start, min(start + LANES, n))
        state = states[: block.stop - start]
        for place in reversed(range(height * width)):
            kind, symbol = context[place, block], missed[place, block]
            count = counts[kind, symbol]
            full = state >= count << np.uint64(_WORD + 31 - _BITS)
            words.append((state[full] & np.uint64(0xFFFFFFFF)).astype(np.uint32))
            state[full] >>= np.uint64(_WORD)
            state[:] = (state // count << np.uint64(_BITS)) + state % count + starts[kind, symbol]
    return np.concatenate(words[::-1]), states, tables.astype(np.uint16)


def decode(
    words: NDArray[np.uint32], states: NDArray[np.uint64], tables: NDArray[np.uint16], shape: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Return the planes that ``encode`` packed, uint8 of a shape (n, height, width).

    Raises:
        ValueError: these are not the words of such planes.
    """
    n, height, width = shape
    whole = tables.shape == (CONTEXTS, 256) and bool((tables.sum(axis=1, dtype=np.int64) == 1 << _BITS).all())
    if not whole or states.shape != (min(LANES, n),) or states.dtype != np.uint64 or words.dtype != np.uint32:
        raise ValueError("its tables are none")
    symbols = np.stack([np.repeat(np.arange(256, dtype=np.uint8), table) for table in tables])
    counts = tables.astype(np.uint64)
    starts = (np.cumsum(counts, axis=1) - counts).astype(np.uint64)
    planes = np.empty(shape, np.uint8)
    states, at = states.copy(), 0
    for start in range(0, n, LANES):
        block = slice(start, min(start + LANES, n))
        state = states[: block.stop - start]
        pixels = np.empty((height * width, block.stop - start), np.int32)
        errors = np.empty_like(pixels)
        for place, guess, kind in _walk(pixels, errors, width):
            slot = state & np.uint64((1 << _BITS) - 1)
            symbol = symbols[kind, slot]
            state[:] = counts[kind, symbol] * (state >> np.uint64(_BITS)) + slot - starts[kind, symbol]
            empty = np.flatnonzero(state < _LEAST)
            if at + len(empty) > len(words):
                raise ValueError("it ends too early")
            state[empty] = state[empty] << np.uint64(_WORD) | words[at : at + len(empty)]
            at += len(empty)
            pixels[place] = guess + symbol & 255
            errors[place] = pixels[place] - guess
        planes[block] = pixels.T.reshape(-1, height, width)
    if at != len(words) or not (states == _LEAST).all():
        raise ValueError("it goes on after its images, or was changed")
    return planes


def _walk(
    pixels: NDArray[np.int32], errors: NDArray[np.int32], width: int
) -> Iterator[tuple[int, NDArray[np.int32], NDArray[np.intp]]]:
    """Yield each place with its prediction and the kind of its surroundings, from the places before it.

    Pixels, int32 (places, planes), and the errors of the predictions are filled in up to the place yielded last.
    """
    grey = np.full(pixels.shape[1], 128, np.int32)
    none = np.zeros_like(grey)
    for place in range(len(pixels)):
        row, column = divmod(place, width)
        above = place - width
        left = pixels[place - 1] if column else pixels[above] if row else grey
        up = pixels[above] if row else left
        left_up = pixels[above - 1] if row and column else up
        right_up = pixels[above + 1] if row and column < width - 1 else up
        left_left = pixels[place - 2] if column > 1 else left
        up_up = pixels[above - width] if row > 1 else up
        near = (left, up, left_up, right_up, left_left, up_up)
        guess = sum(weight * one for weight, one in zip(_WEIGHTS, near, strict=True)) + 32 >> 6
        varies = np.abs(left - left_up) + np.abs(up - left_up) + np.abs(up - right_up)
        missed = np.abs(errors[place - 1] if column else none) + np.abs(errors[above] if row else none)
        varies += 2 * missed
        yield place, np.clip(guess, 0, 255), np.searchsorted(_LIMITS, varies)


def _frequencies(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return counts scaled to add up to ``1 << _BITS``; what occurs at all keeps at least 1."""
    if not counts.any():
        counts = np.eye(1, 256, dtype=np.int64)[0]
    scaled = np.where(counts > 0, np.maximum(1, counts * (1 << _BITS) // counts.sum()), 0)
    scaled[scaled.argmax()] += (1 << _BITS) - scaled.sum()
    return scaled
