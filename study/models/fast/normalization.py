"""Batch normalisation through TensorFlow's fused kernel: one pass where Keras' layer takes a dozen; same weights."""

from __future__ import annotations

import functools
from typing import Any

from study.models.fast import NORMALISATION, used

#: Keras' default of 0.99 needs hundreds of updates before inference sees settled statistics; short studies have fewer.
MOMENTUM = 0.9
#: The most that a transfer body keeps: MobileNet's 0.999 needs thousands of updates.
MOST_MOMENTUM = 0.99


@functools.cache
def fused_class() -> Any:
    """Return the layer class; Keras must run on TensorFlow."""
    import keras
    import tensorflow as tf

    @keras.saving.register_keras_serializable(package="study")
    class FusedBatchNormalization(keras.layers.BatchNormalization):
        """keras.layers.BatchNormalization for images (n, h, w, c) with the same weights, results and gradients.

        The kernel returns the unbiased variance of a batch, Keras keeps the biased one; the factor between them is
        taken out, so that moving statistics are interchangeable too.
        """

        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            """Normalise; falls back to Keras' own path for anything but unmasked images with scale and offset."""
            plain = len(inputs.shape) != 4 or mask is not None or self.renorm or not (self.scale and self.center)
            if plain or self.axis not in (-1, 3):
                return super().call(inputs, training=training, mask=mask)
            learning = bool(training and self.trainable)
            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                inputs,
                self.gamma.value,
                self.beta.value,
                mean=None if learning else self.moving_mean.value,
                variance=None if learning else self.moving_variance.value,
                epsilon=self.epsilon,
                is_training=learning,
            )
            if learning:
                count = tf.cast(tf.size(inputs) // inputs.shape[-1], variance.dtype)
                variance = variance * (count - 1) / count
                self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1.0 - self.momentum))
                self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1.0 - self.momentum))
            return outputs

    return FusedBatchNormalization


def batch_normalization(x: Any) -> Any:
    """Normalise a Keras tensor as custom entries do: by the fused layer on TensorFlow, by Keras' own elsewhere."""
    import keras

    kind = fused_class() if used(NORMALISATION) else keras.layers.BatchNormalization
    return kind(momentum=MOMENTUM)(x)


def settle_sooner(body: Any) -> Any:
    """Lower the momentum of a body's normalisations to ``MOST_MOMENTUM`` where it is higher; return the body."""
    import keras

    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, MOST_MOMENTUM)
    return body


def fuse_batch_normalizations(body: Any) -> Any:
    """Return a body whose normalisations are fused, with the same weights; the body itself on other backends."""
    import keras

    found = [layer for layer in body.layers if type(layer) is keras.layers.BatchNormalization]
    if not (used(NORMALISATION) and found):
        return body

    def clone(layer: Any) -> Any:
        kind = fused_class() if layer in found else type(layer)
        return kind.from_config(layer.get_config())

    fused = keras.models.clone_model(body, clone_function=clone)
    fused.set_weights(body.get_weights())
    return fused
