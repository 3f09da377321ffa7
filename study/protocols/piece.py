"""Pieces: what protocols are put together from, registered by kind and name, each with typed settings.

A new piece is one class in a file of ``study/protocols/pieces/`` or of a plugin; nothing else needs editing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError, unknown_name
from study.core.registry import Registry
from study.core.spec import Part


class Piece(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all pieces: the fields are its settings, with their types and defaults."""


class Sampling(Piece, frozen=True):
    """Which training images an epoch draws from, and what each of them counts in the loss."""

    def pool(self, train: NDArray[np.int64], labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
        """Return the indices that epochs draw from; int64 (m,).

        Args:
            train: Positions of the training split, int64 (n,).
            labels: Labels of these images, int64 (n,).
            seed: Seed of the run.
        """
        return train

    def weights(self, labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
        """Return the weight of each class in the loss, float32 (classes,)."""
        return np.ones(classes, np.float32)


class Augmentation(Piece, frozen=True):
    """A random change of a batch."""

    #: Whether labels change too, so that a copy of an image cannot keep the image's own.
    changes_labels: ClassVar[bool] = False

    def change(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        """Return the change as an object: ``(images, labels) -> (images, labels)``.

        Images are float32 (n, height, width, channels) on 0..255, labels float32 (n, classes). Whatever is drawn comes
        from the object's ``generators`` (``keras.random.SeedGenerator`` or what has ``reset_from_seed``), in a fixed
        order: they are reseeded for every epoch.
        """
        raise NotImplementedError


class Loss(Piece, frozen=True):
    """What training minimises."""

    def function(self) -> Any:
        """Return a Keras loss on one-hot labels (n, classes) and probabilities (n, classes)."""
        raise NotImplementedError


class Schedule(Piece, frozen=True):
    """The learning rate over a phase."""

    def rate(self, base: float, update: int, updates: int, updates_per_epoch: int) -> float:
        """Return the learning rate of one update, before any plateau factor.

        Args:
            base: The phase's rate.
            update: Updates done so far in the phase, 0 to ``updates`` - 1.
            updates: Updates of the phase.
            updates_per_epoch: Updates of an epoch.
        """
        raise NotImplementedError


class Optimizer(Piece, frozen=True):
    """How weights are updated."""

    def build(self, rate: float) -> Any:
        """Return a Keras optimizer that is not built yet."""
        raise NotImplementedError


class Average(Piece, frozen=True):
    """An average of the weights over updates, which takes their place at the end of a phase."""

    def decay(self, update: int) -> float:
        """Return the share that the average keeps at an update, counted from 0: average = decay * average + rest."""
        raise NotImplementedError


class Views(Piece, frozen=True):
    """Changed copies of an image whose predictions are averaged at test time."""

    def shifts(self, side_px: int) -> list[tuple[int, int, bool]]:
        """Return the views of an image: pixels down, pixels to the right, and whether it is mirrored."""
        raise NotImplementedError


PieceType = TypeVar("PieceType", bound=Piece)


class PieceRegistry(Registry[type[PieceType]]):
    """Pieces of one kind."""

    def register(self, name: str) -> Callable[[type[PieceType]], type[PieceType]]:
        """Register the decorated class under a name."""

        def add(piece: type[PieceType]) -> type[PieceType]:
            self.add(name, piece, inspect.getsourcefile(piece) or "?")
            return piece

        return add

    def make(self, part: Part) -> PieceType:
        """Return a piece with the settings of a protocol's part.

        Raises:
            UsageError: no such piece, a setting that it does not have, or one of another type.
        """
        kind = self.get(part.name)
        names = [field.name for field in msgspec.structs.fields(kind)]
        for name in part.settings:
            if name not in names:
                raise unknown_name(f"setting of {self.kind} {part.name!r}", name, names)
        try:
            return msgspec.convert(part.settings, kind)
        except msgspec.ValidationError as error:
            raise UsageError(f"{self.kind} {part.name!r}: {error}.") from error


def _registry(kind: str) -> PieceRegistry[Any]:
    return PieceRegistry(kind, package="study.protocols.pieces")


SAMPLINGS: PieceRegistry[Sampling] = _registry("sampling")
AUGMENTATIONS: PieceRegistry[Augmentation] = _registry("augmentation")
LOSSES: PieceRegistry[Loss] = _registry("loss")
SCHEDULES: PieceRegistry[Schedule] = _registry("schedule")
OPTIMIZERS: PieceRegistry[Optimizer] = _registry("optimizer")
AVERAGES: PieceRegistry[Average] = _registry("average")
VIEWS: PieceRegistry[Views] = _registry("views")
KINDS = (SAMPLINGS, AUGMENTATIONS, LOSSES, SCHEDULES, OPTIMIZERS, AVERAGES, VIEWS)


def part(name: str, **settings: Any) -> Part:
    """Return a protocol's part.

    >>> part("mixup", alpha=0.2).settings
    {'alpha': 0.2}
    """
    return Part(name=name, settings=settings)
