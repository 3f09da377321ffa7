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
#: Images that a head is trained on: enough to make updates, few enough to run a body on before the first one.
HEAD_IMAGES = 1024


class Ours:
    """A network with a feed for each of the two protocols; see ``study.bench.task``."""

    def __init__(self, task: Task, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        import keras

        from study.models.entry import MODELS
        from study.training.cost import macs, parameters
        from study.training.predict import Predictor

        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy(task.precision)
        self._entry = MODELS.get(task.model)
        self._task, self._images, self._labels = task, images, labels
        self._feeds: dict[str, Any] = {}
        network = self._network()
        self.parameters, self.macs = parameters(network.model), macs(network.model)
        self._steps = _steps(network.model)
        self._head: tuple[Any, Any] | None = None
        self._predictor = Predictor(network.model)
        self._epochs = self._updates = 0

    def train(self, updates: int) -> Turn:
        """Train on images as they are."""
        return self._train("baseline", updates)

    def train_augmented(self, updates: int) -> Turn:
        """Train under the protocol ``augment``."""
        return self._train("augment", updates)

    def train_head(self, updates: int) -> Turn:
        """Train the head of a transfer network while its body is frozen; not asked of peers."""
        self._head = self._head or self._frozen()
        return self._make_updates(*self._head, updates)

    def _train(self, protocol: str, updates: int) -> Turn:
        if protocol not in self._feeds:
            self._feeds[protocol] = self._feed(protocol)
        return self._make_updates(self._steps, self._feeds[protocol], updates)

    def _make_updates(self, steps: Any, feed: Any, updates: int) -> Turn:
        loss, start = 0.0, time.perf_counter()
        for first in range(0, updates, EPOCH):
            count = min(EPOCH, updates - first)
            logs = steps.run(feed.epoch(self._epochs, self._updates, count), [1e-3] * count)
            loss += logs["loss"] * count
            self._epochs += 1
            self._updates += count
        return Turn(updates * self._task.batch, time.perf_counter() - start, loss / updates)

    def _network(self) -> Any:
        from study.training.build import build_network

        task, shape = self._task, self._images.shape[1:]
        return build_network(self._entry, image_shape=shape, classes=task.classes, side_px=task.side_px)

    def _frozen(self) -> tuple[Any, Any]:
        """Return the steps and the feed of a network of its own with a frozen body."""
        from study.training import features

        network, feed = self._network(), self._feed("baseline", HEAD_IMAGES)
        network.set_trainable("head")
        if not features.fixed(network):
            return _steps(network.model), feed
        return _steps(features.head(network)), feed.over(features.FeatureCache().features(network, feed.images))

    def _feed(self, name: str, most: int | None = None) -> Any:
        from study.training.speed import feed_of

        images, labels = self._images[:most], self._labels[:most]
        return feed_of(name, self._entry.family, images, labels, self._task.classes, self._task.batch)

    def predict(self, batches: int) -> Turn:
        """Predict as a run predicts its test split."""
        count, start = batches * PREDICT_BATCH, time.perf_counter()
        for first in range(0, count, len(self._images)):
            self._predictor(self._images[: count - first], batch=PREDICT_BATCH)
        return Turn(count, time.perf_counter() - start)


def _steps(model: Any) -> Any:
    """Return the steps of a network that is compiled as a run compiles it."""
    from study.models.fast.adam import adam
    from study.training.loop import compiled_steps

    return compiled_steps(model, adam())


def make(task: Task, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Ours:
    """Return the contestant; ``task.without`` leaves one trick out."""
    prepare_backend(chosen_backend(), task.threads)
    leave_out(task.without)
    return Ours(task, images, labels)
