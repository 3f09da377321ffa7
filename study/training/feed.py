"""Feed: arrays -> training batches. Indices are shuffled; images are gathered and changed a batch at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.spec import RunProtocol, derive_seed
from study.protocols.augmentation import Augmenter
from study.protocols.piece import SAMPLINGS, part
from study.training.backend import on_tensorflow


def epoch_order(pool: NDArray[np.int64], start: int, count: int, seed: int) -> NDArray[np.int64]:
    """Return ``count`` indices of an endless stream of shuffled passes over the pool, from position ``start``.

    Every image comes once a pass; a pass that ends inside an epoch is followed by the next, so that all batches are
    full.
    The order of pass k follows from the seed and k alone, so that a run resumes at any epoch without generator state.
    """
    parts = []
    n = len(pool)
    position, end = start, start + count
    while position < end:
        number, offset = divmod(position, n)
        shuffled = pool[np.random.default_rng(derive_seed(seed, "order", number)).permutation(n)]
        part = shuffled[offset : offset + end - position]
        parts.append(part)
        position += len(part)
    return np.concatenate(parts) if parts else pool[:0]


@dataclass(frozen=True)
class JaxEpoch:
    """An epoch on JAX, where the training set lies on the device; iterating makes its batches one by one."""

    data: Any  #: Images, labels and weights of the training split, on the device.
    #: Compiled function: (data, rows, generator states) -> (batch, the states after it).
    make: Callable[[Any, Any, Any], tuple[Any, Any]]
    states: list[Any]  #: Generator states that the epoch begins with.
    order: NDArray[np.int32]  #: int32 (updates, batch), rows of the data.

    def __iter__(self) -> Iterator[tuple[Any, Any, Any]]:
        states = self.states
        for rows in self.order:
            batch, states = self.make(self.data, rows, states)
            yield batch


class Feed:
    """The training split under a protocol's sampling and augmentation.

    Batches are ``(images uint8 (b, h, w, c), labels float32 (b, classes), weights float32 (b,))``. All batches are
    full; what an epoch holds follows from the seed, the number of updates before it and its number alone.

    Args:
        images: uint8 (n, h, w, c), the whole image set.
        labels: int64 (n,).
        train: Positions of the training split.
        classes: Number of classes.
        protocol: Resolved protocol.
        seed: Seed of the run.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64],
        train: NDArray[np.int64],
        classes: int,
        protocol: RunProtocol,
        seed: int,
    ) -> None:
        sampling = SAMPLINGS.make(part(protocol.sampling))
        self.batch = protocol.batch
        self.seed = seed
        self.images = np.ascontiguousarray(images[train])
        self.labels = labels[train]
        self.pool = sampling.pool(np.arange(len(train), dtype=np.int64), self.labels, seed)
        self.weights = sampling.weights(self.labels, classes)[self.labels]
        self.one_hot = np.eye(classes, dtype=np.float32)[self.labels]
        self.augmentation = Augmenter(protocol.augmentation) if protocol.augmentation else None
        self.copies = 1
        self._dataset: Any = None
        self._order: Any = None

    def over(self, rows: NDArray[Any], copies: int = 1) -> Feed:
        """Return the same batches of other arrays, unchanged, such as features of a frozen body.

        Args:
            rows: A row for each training image, (n, ...), or ``copies`` of them, copy by copy, (copies * n, ...).
            copies: How many; each epoch takes the next one.
        """
        other = copy.copy(self)
        other.images, other._dataset, other._order, other.augmentation = rows, None, None, None
        other.copies = copies
        other.one_hot, other.weights = np.tile(self.one_hot, (copies, 1)), np.tile(self.weights, copies)
        return other

    def epoch(self, number: int, first_update: int, updates: int) -> Any:
        """Return what ``fit`` takes for one epoch.

        Args:
            number: Epoch, over all phases.
            first_update: Updates done before it, over all phases.
            updates: Updates of this epoch.
        """
        if self.augmentation is not None:
            self.augmentation.reseed(self.seed, number)
        order = epoch_order(self.pool, first_update * self.batch, updates * self.batch, self.seed).reshape(
            updates, self.batch
        )
        order = order + number % self.copies * len(self.labels)
        return self._tensorflow_epoch(order) if on_tensorflow() else self._jax_epoch(order)

    def _tensorflow_epoch(self, order: NDArray[np.int64]) -> Any:
        """One tf.data pipeline serves every epoch: only the order changes, so that nothing is traced again."""
        import tensorflow as tf

        if self._dataset is None:
            with tf.device("/cpu:0"):
                images, labels, weights = tf.constant(self.images), tf.constant(self.one_hot), tf.constant(self.weights)
                self._order = tf.Variable(order, shape=(None, self.batch), trainable=False)

            def gather(update: Any) -> tuple[Any, Any, Any]:
                rows = self._order[update]
                return tf.gather(images, rows), tf.gather(labels, rows), tf.gather(weights, rows)

            def change(x: Any, y: Any, weight: Any) -> tuple[Any, Any, Any]:
                x, y = self.augmentation(x, y) if self.augmentation is not None else (x, y)
                return tf.ensure_shape(x, (self.batch, *self.images.shape[1:])), y, weight

            # Not parallel: generators would otherwise be read in any order and a seed would not decide the run.
            dataset = tf.data.Dataset.range(np.iinfo(np.int64).max).map(gather).map(change)
            # Nothing here is to be tuned, yet the thread for it can hold an epoch's end up: it sleeps for longer and
            # longer, at most a minute (TensorFlow's model.h), and now and then misses that it is told to stop.
            options = tf.data.Options()
            options.autotune.enabled = False
            self._dataset = dataset.with_options(options)
        self._order.assign(order)
        return self._dataset.take(len(order)).prefetch(4)

    def _jax_epoch(self, order: NDArray[np.int64]) -> JaxEpoch:
        import jax

        if self._dataset is None:
            self._dataset = jax.device_put((self.images, self.one_hot, self.weights)), self._compiled_batch()
        states = self.augmentation.states if self.augmentation is not None else []
        data, make = self._dataset
        return JaxEpoch(data, make, [state.value for state in states], order.astype(np.int32))

    def _compiled_batch(self) -> Any:
        """Return a compiled function: (data, rows, generator states) -> (batch, the states after it)."""
        import jax
        import keras

        change = self.augmentation
        states = change.states if change is not None else []

        def make(data: Any, rows: Any, values: Any) -> tuple[Any, Any]:
            images, labels, weights = (array[rows] for array in data)
            if change is None:
                return (images, labels, weights), values
            with keras.StatelessScope(list(zip(states, values, strict=True))) as scope:
                images, labels = change(images, labels)
            return (images, labels, weights), [scope.get_current_value(state) for state in states]

        return jax.jit(make)
