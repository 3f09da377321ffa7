"""Static copies: every image changed once at random, as scripts do that write augmented files before they train."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError
from study.core.spec import Copies, derive_seed
from study.protocols.augmentation import Augmenter

BATCH = 512


def with_copies(images: NDArray[np.uint8], copies: Copies, seed: int) -> NDArray[np.uint8]:
    """Return the images followed by their copies, copy by copy; uint8 ((1 + number) n, h, w, c).

    Args:
        images: uint8 (n, h, w, c).
        copies: Their number, and the augmentation that makes them.
        seed: Decides every change, so that a leaky run and its clean twin have the same copies.

    Raises:
        UsageError: an augmentation mixes labels, so that a copy has none of its own.
    """
    from keras import ops

    change = Augmenter(copies.augmentation)
    labels = np.arange(BATCH, dtype=np.float32)[:, None]
    parts = [np.asarray(images)]
    for number in range(copies.number):
        change.reseed(derive_seed(seed, "copies"), number)
        for start in range(0, len(images), BATCH):
            batch = np.ascontiguousarray(images[start : start + BATCH])
            changed, after = map(ops.convert_to_numpy, change(batch, labels[: len(batch)]))
            if not np.array_equal(after, labels[: len(batch)]):
                names = ", ".join(one.name for one in copies.augmentation)
                raise UsageError(
                    f"copies keep the labels of their images, got augmentation that changes them: {names}."
                )
            parts.append(changed)
    return np.concatenate(parts)
