"""Speed: a short measurement of training images per second, for plans that must fit into a time."""

from __future__ import annotations

import time

import numpy as np

from study.models.entry import MODELS
from study.training.backend import prepare_backend

UPDATES = 4


def measure_speed(
    model: str,
    *,
    side_px: int,
    image_shape: tuple[int, int, int],
    classes: int,
    batch: int,
    precision: str,
    backend: str,
) -> float:
    """Return training images per second of a model from random weights, all of it trained, after one warm-up epoch.

    Run it in a child process: it starts the backend.
    """
    prepare_backend(backend)
    import keras

    from study.training.build import build_network

    keras.config.set_dtype_policy(precision)
    network = build_network(MODELS.get(model), image_shape=image_shape, classes=classes, side_px=side_px)
    network.model.compile("adam", "categorical_crossentropy", jit_compile=False)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (UPDATES * batch, *image_shape), dtype=np.uint8)
    labels = np.eye(classes, dtype=np.float32)[random.integers(0, classes, len(images))]
    network.model.fit(images[:batch], labels[:batch], batch_size=batch, verbose=0)
    start = time.perf_counter()
    network.model.fit(images, labels, batch_size=batch, verbose=0)
    return len(images) / (time.perf_counter() - start)
