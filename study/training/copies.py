"""Static copies: every image changed once at random, as scripts do that write augmented files before they train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.spec import derive_seed
from study.protocols.augmentation import Augmentation
from study.training.backend import on_tensorflow

BATCH = 512


def with_copies(images: NDArray[np.uint8], copies: Mapping[str, Any], seed: int) -> NDArray[np.uint8]:
    """Return the images followed by their copies, copy by copy; uint8 ((1 + number) n, h, w, c).

    Args:
        images: uint8 (n, h, w, c).
        copies: ``number`` of copies and settings of the augmentation.
        seed: Decides every change, so that a leaky run and its clean twin have the same copies.
    """
    from keras import ops

    settings = {name: value for name, value in copies.items() if name != "number"}
    change = Augmentation(settings, "none", "kerascv" if on_tensorflow() else "keras")
    labels = np.zeros((BATCH, 1), np.float32)
    parts = [np.asarray(images)]
    for number in range(int(copies["number"])):
        change.reseed(derive_seed(seed, "copies"), number)
        for start in range(0, len(images), BATCH):
            batch = np.ascontiguousarray(images[start : start + BATCH])
            parts.append(ops.convert_to_numpy(change(batch, labels[: len(batch)])[0]))
    return np.concatenate(parts)
