"""Speed: a short measurement of how fast a model starts and trains, for plans that must fit into a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from study.core.environment import peak_memory_mb
from study.models.entry import MODELS
from study.models.fast.adam import adam
from study.protocols import PROTOCOLS, resolve
from study.training.backend import prepare_backend
from study.training.feed import Feed

UPDATES, RATE = 4, 1e-3


@dataclass(frozen=True)
class Pace:
    """How fast one process was."""

    start_s: float  #: Seconds from a started backend to the end of the first update: building and tracing.
    train_images_per_s: float  #: Training images per second after that.
    memory_mb: float  #: Peak memory of the process in MiB.


def measure_speed(
    model: str,
    *,
    side_px: int,
    image_shape: tuple[int, int, int],
    classes: int,
    batch: int,
    precision: str,
    backend: str,
    ready: Callable[[], object] = lambda: None,
) -> Pace:
    """Train a model from random weights, all of it, for a few updates by the steps that a run makes.

    Run it in a child process: it starts the backend. ``ready`` is called before the updates that are timed, so that
    several processes can wait for each other.
    """
    prepare_backend(backend)
    import keras

    from study.training.build import build_network
    from study.training.loop import compiled_steps

    start = time.perf_counter()
    keras.config.set_dtype_policy(precision)
    entry, count = MODELS.get(model), UPDATES * batch
    network = build_network(entry, image_shape=image_shape, classes=classes, side_px=side_px).model
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, *image_shape), dtype=np.uint8)
    labels = random.integers(0, classes, count)
    feed = feed_of("baseline", entry.family, images, labels, classes, batch)
    steps = compiled_steps(network, adam())
    steps.run(feed.epoch(0, 0, 1), [RATE])
    start_s = time.perf_counter() - start
    ready()
    start = time.perf_counter()
    steps.run(feed.epoch(1, 1, UPDATES), [RATE] * UPDATES)
    return Pace(start_s, count / (time.perf_counter() - start), peak_memory_mb())


def feed_of(
    protocol: str, family: str, images: NDArray[np.uint8], labels: NDArray[np.int64], classes: int, batch: int
) -> Feed:
    """Return the training batches of all images (n, h, w, c) under a named protocol, with a batch size of its own."""
    count = len(images)
    settings = resolve(PROTOCOLS.get(protocol), family=family, weights_source="none", train_images=count)
    return Feed(images, labels, np.arange(count), classes, replace(settings, batch=batch), 0)
