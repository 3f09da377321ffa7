"""The task: what every contestant of a measurement trains, and the images that it trains on.

A contestant's file has ``make(task, images, labels)``. What it returns has ``parameters`` (weights, trainable or not),
``macs`` (multiply-accumulates of an image; 0 where it does not tell), and methods that give a ``Turn`` and continue
where they stopped: ``train(updates)`` on images as they are, ``train_augmented(updates)`` under the protocol
``augment`` or what comes nearest, ``predict(batches)`` of ``PREDICT_BATCH`` images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Side of the images as they are stored, FER-2013's.
STORED_SIDE_PX = 48
#: Images that are predicted at once.
PREDICT_BATCH = 256
#: Updates of a turn at least, however long they take: what starts with an epoch must count for little, as in an epoch,
#: and an update or two say little.
LEAST_UPDATES = 8
#: Grey levels that hide a class's pattern, which is as coarse as this many pixels.
NOISE, CELL = 40, 12


@dataclass(frozen=True)
class Task:
    """One network to train."""

    model: str  #: Name of the model entry.
    precision: str = "float32"  #: Keras' dtype policy, or its like in another library.
    #: Input side of the network; stored images have 48 pixels and are resized in the network.
    side_px: int = STORED_SIDE_PX
    batch: int = 64  #: Images an update.
    images: int = 28709  #: Training images, as many as FER-2013 has unless a test wants fewer.
    classes: int = 7  #: Number of classes.
    threads: int = 1  #: Threads of the backend.
    without: str = ""  #: Name of the trick to leave out (``study.bench.tricks``), or empty.


@dataclass(frozen=True)
class Turn:
    """What a contestant did when asked: images trained on or predicted, and the mean training loss."""

    images: int
    seconds: float
    loss: float = float("nan")


def make_arrays(task: Task) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images, uint8 (n, 48, 48, 1), and labels, int64 (n,), that a network can learn; always the same.

    Every class has a coarse pattern under noise: speed does not depend on what is seen, but losses can be compared.
    """
    random = np.random.default_rng(0)
    cells = STORED_SIDE_PX // CELL
    patterns = random.integers(0, 256 - NOISE, (task.classes, cells, cells, 1), dtype=np.uint8)
    patterns = patterns.repeat(CELL, axis=1).repeat(CELL, axis=2)
    labels = random.integers(0, task.classes, task.images)
    images = random.integers(0, NOISE, (task.images, STORED_SIDE_PX, STORED_SIDE_PX, 1), dtype=np.uint8)
    images += patterns[labels]
    return images, labels
