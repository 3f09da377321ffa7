"""Our contestant: a model entry trained as a run trains it, by the same feed, steps and predictor."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.bench.task import PREDICT_BATCH, Task, Turn
from study.bench.tricks import leave_out
from study.training.backend import chosen_backend, prepare_backend

#: Updates of an epoch at most: orders of endless epochs would take memory.
EPOCH = 450


class Ours:
    """A network with a feed for each of the two protocols; see ``study.bench.task.Contestant``."""

    def __init__(self, task: Task, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        import keras
        from keras import losses

        from study.models.entry import MODELS
        from study.training.build import build_network
        from study.training.cost import macs, parameters
        from study.training.loop import make_optimizer
        from study.training.predict import Predictor
        from study.training.steps import Steps

        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy(task.precision)
        entry = MODELS.get(task.model)
        network = build_network(entry, image_shape=images.shape[1:], classes=task.classes, side_px=task.side_px)
        self._task, self._family, self._images, self._labels = task, entry.family, images, labels
        self._feeds: dict[str, Any] = {}
        self.parameters, self.macs = parameters(network.model), macs(network.model)
        network.model.compile(
            make_optimizer({"name": "adam", "rate": 1e-3}),
            losses.CategoricalCrossentropy(),
            metrics=["accuracy"],
            jit_compile=False if chosen_backend() == "tensorflow" else "auto",
        )
        network.model.optimizer.build(network.model.trainable_variables)
        self._steps: Any = Steps(network.model)
        self._predictor = Predictor(network.model)
        self._epochs = self._updates = 0

    def train(self, updates: int) -> Turn:
        """Train on images as they are."""
        return self._train("baseline", updates)

    def train_augmented(self, updates: int) -> Turn:
        """Train under the protocol ``augment``."""
        return self._train("augment", updates)

    def _train(self, protocol: str, updates: int) -> Turn:
        if protocol not in self._feeds:
            self._feeds[protocol] = self._feed(protocol)
        feed, loss, start = self._feeds[protocol], 0.0, time.perf_counter()
        for first in range(0, updates, EPOCH):
            count = min(EPOCH, updates - first)
            logs = self._steps.run(feed.epoch(self._epochs, self._updates, count), count)
            loss += logs["loss"] * count
            self._epochs += 1
            self._updates += count
        return Turn(updates * self._task.batch, time.perf_counter() - start, loss / updates)

    def _feed(self, name: str) -> Any:
        from study.protocols import PROTOCOLS, resolve
        from study.training.feed import Feed

        task, count = self._task, len(self._images)
        protocol = resolve(PROTOCOLS.get(name), family=self._family, weights_source="none", train_images=count)
        protocol = {**protocol, "batch": task.batch}
        return Feed(self._images, self._labels, np.arange(count), task.classes, protocol, 0)

    def predict(self, batches: int) -> Turn:
        """Predict as a run predicts its test split."""
        count, start = batches * PREDICT_BATCH, time.perf_counter()
        for first in range(0, count, len(self._images)):
            self._predictor(self._images[: count - first], batch=PREDICT_BATCH)
        return Turn(count, time.perf_counter() - start)


def make(task: Task, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Ours:
    """Return the contestant; ``task.without`` leaves one trick out."""
    prepare_backend(chosen_backend(), task.threads)
    leave_out(task.without)
    return Ours(task, images, labels)
