"""Grad-CAM: where a network looks, from the gradient of one class's score at its last convolution.

Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, "Grad-CAM: visual explanations from deep networks via
gradient-based localization", ICCV 2017, arXiv:1610.02391. Each map of the last convolution is weighted by its mean
gradient of the class's score before the softmax; the weighted sum is cut at zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError
from study.models.layers import leaves
from study.training.backend import on_tensorflow

#: Images at a time.
BATCH = 32


class GradCam:
    """Grad-CAM of one network, uint8 (n, h, w, c) -> probabilities; models inside it are looked through.

    Raises:
        UsageError: the network has no convolution.
    """

    def __init__(self, model: Any) -> None:
        from keras import activations, layers

        self.model = model
        self.layer = last_convolution(model)
        last = model.layers[-1]
        self._softmax = last if isinstance(last, layers.Dense) and last.activation is activations.softmax else None

    @property
    def place(self) -> str:
        """Name of the layer whose maps are weighted, and their size."""
        rows, columns = self.layer.output.shape[1:3]
        return f"{self.layer.name} ({rows}x{columns})"

    def __call__(self, images: NDArray[np.uint8], classes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the heat map of each image uint8 (n, h, w, c) about a class int64 (n,).

        Maps are float32 (n, rows, columns) of the layer's size, each scaled so that its maximum is 1; all 0 where
        nothing speaks for the class.
        """
        parts = []
        for start in range(0, len(images), BATCH):
            rows = slice(start, start + BATCH)
            maps, gradients = self._maps_and_gradients(np.ascontiguousarray(images[rows]), classes[rows])
            heat = np.maximum((maps * gradients.mean(axis=(1, 2), keepdims=True)).sum(axis=-1), 0.0)
            highest = heat.max(axis=(1, 2), keepdims=True)
            parts.append(np.divide(heat, highest, out=np.zeros_like(heat), where=highest > 0))
        return np.concatenate(parts).astype(np.float32)

    def _maps_and_gradients(
        self, images: NDArray[np.uint8], classes: NDArray[np.int64]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the layer's maps and the gradient of each image's score at them, both (n, rows, columns, maps)."""
        with self._watched() as (seen, added):
            self.model(images, training=False)
            maps = np.asarray(seen["maps"])
            zeros = np.zeros_like(maps)

            def score(offset: Any) -> Any:
                added["maps"] = offset
                probabilities = self.model(images, training=False)
                return self._scores(seen, probabilities, classes)

            return maps, _gradient(score, zeros)

    def _scores(self, seen: dict[str, Any], probabilities: Any, classes: NDArray[np.int64]) -> Any:
        """Return the sum over images of each one's score before the softmax."""
        from keras import ops

        chosen = np.eye(probabilities.shape[-1], dtype=np.float32)[classes]
        if self._softmax is None:  # then the logarithm of the probability, whose gradient differs by what classes share
            return ops.sum(ops.log(ops.maximum(probabilities, 1e-12)) * chosen)
        logits = ops.matmul(ops.cast(seen["features"], "float32"), ops.cast(self._softmax.kernel, "float32"))
        return ops.sum(logits * chosen)

    @contextmanager
    def _watched(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Let the layer tell its output, and take an addition to it, wherever in the network it is."""
        seen: dict[str, Any] = {}
        added: dict[str, Any] = {}
        own_calls = {self.layer: self.layer.call}

        def call(*args: Any, **kwargs: Any) -> Any:
            maps = own_calls[self.layer](*args, **kwargs)
            seen["maps"] = maps
            return maps + added["maps"] if "maps" in added else maps

        def last_call(features: Any, *args: Any, **kwargs: Any) -> Any:
            seen["features"] = features
            return own_calls[self._softmax](features, *args, **kwargs)

        self.layer.call = call
        if self._softmax is not None:
            own_calls[self._softmax] = self._softmax.call
            self._softmax.call = last_call
        try:
            yield seen, added
        finally:
            for layer in own_calls:
                del layer.call  # the class's own again


def last_convolution(model: Any) -> Any:
    """Return the layer that gives the maps of the last convolution, after its normalisation, addition and activation.

    Raises:
        UsageError: there is none.
    """
    from keras import layers

    convolutions = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Conv2DTranspose)
    followers = (layers.BatchNormalization, layers.Activation, layers.ReLU, layers.LeakyReLU, layers.Add)
    found = None
    for layer in leaves(model):
        if isinstance(layer, convolutions):
            found = layer
            shape = tuple(layer.output.shape[1:3])
        elif found is not None and isinstance(layer, followers) and len(layer.output.shape) == 4:
            found = layer if tuple(layer.output.shape[1:3]) == shape else found
    if found is None:
        raise UsageError(f"Grad-CAM needs a network with convolutions, {model.name} has none.")
    return found


def _gradient(score: Any, at: NDArray[Any]) -> NDArray[Any]:
    if not on_tensorflow():
        import jax

        return np.asarray(jax.grad(score)(at))
    import tensorflow as tf

    offset = tf.constant(at)
    with tf.GradientTape() as tape:
        tape.watch(offset)
        total = score(offset)
    return np.asarray(tape.gradient(total, offset))
