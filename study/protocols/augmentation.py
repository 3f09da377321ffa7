"""Augmentation of training batches: registered changes one after the other, reseeded by name for every epoch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from study.core.spec import Part, derive_seed
from study.protocols.piece import AUGMENTATIONS


class Augmenter:
    """Random changes of a batch; an epoch needs no generator state of the one before.

    Args:
        parts: A protocol's ``augmentation``.
    """

    def __init__(self, parts: Iterable[Part]) -> None:
        self.changes = [AUGMENTATIONS.make(part).change() for part in parts]
        #: States of Keras' own generators, for backends whose compiled functions take and return them.
        self.states = [
            one.state for change in self.changes for one in generators(change) if not hasattr(one, "reset_from_seed")
        ]

    def reseed(self, seed: int, epoch: int) -> None:
        """Set every generator from the run's seed and the epoch."""
        for number, change in enumerate(self.changes):
            own = derive_seed(seed, "augment", epoch, number)
            for place, generator in enumerate(generators(change)):
                _reset(generator, derive_seed(own, place))

    def __call__(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """Change a batch.

        Args:
            images: uint8 (n, height, width, channels).
            labels: float32 (n, classes), one-hot.

        Returns:
            uint8 images rounded to whole grey levels (what a camera would give), and labels, mixed where images are.
        """
        from keras import ops

        x = ops.cast(images, "float32")
        for change in self.changes:
            x, labels = change(x, labels)
        return ops.cast(ops.clip(ops.round(x), 0, 255), "uint8"), labels


def generators(change: Any) -> list[Any]:
    """Return what a change draws from, in a fixed order.

    Raises:
        TypeError: it does not say.
    """
    found = getattr(change, "generators", None)
    if not found:
        raise TypeError(f"{type(change).__name__} must have `generators`, the random generators that it draws from.")
    return list(found)


def _reset(generator: Any, seed: int) -> None:
    """Reseed a generator of TensorFlow's, which KerasCV uses, or of Keras'."""
    if hasattr(generator, "reset_from_seed"):
        generator.reset_from_seed(seed)
    else:
        generator.state.assign([seed, 0])
