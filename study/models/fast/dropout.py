"""Dropout that decides with 8 random bits a value: Keras draws a float of 32 for each, the dearest part of it."""

from __future__ import annotations

from typing import Any

from study.models.layers import leaves

#: What a byte can be: rates that are a multiple of one in that many are met exactly.
VALUES = 256


def quicken_dropouts(model: Any) -> None:
    """Have a model's dropout layers decide by bytes where their rate allows it exactly; Keras must run on TensorFlow.

    The distribution of what is dropped stays the same, the values drawn from a seed do not. Configuration and what is
    saved stay those of ``keras.layers.Dropout``.
    """
    import keras

    for layer in leaves(model):
        if type(layer) is keras.layers.Dropout and layer.noise_shape is None and fits(layer.rate):
            _quicken(layer)


def fits(rate: float) -> bool:
    """Tell whether a share is dropped exactly by comparing a byte with a threshold."""
    return 0 < rate < 1 and float(rate * VALUES).is_integer()


def drop(values: Any, rate: float, seed: Any) -> Any:
    """Set a share of the values to 0, each by itself, and scale the others so that the expectation stays.

    Args:
        values: Float tensor of any shape.
        rate: The share; see ``fits``.
        seed: Integer tensor (2,); equal seeds drop equal places.
    """
    import tensorflow as tf

    count = tf.size(values)
    words = tf.random.stateless_uniform(((count + 3) // 4,), tf.cast(seed, tf.int64), None, None, tf.uint32)
    kept = tf.reshape(tf.bitcast(words, tf.uint8), (-1,))[:count] >= int(rate * VALUES)
    return tf.where(tf.reshape(kept, tf.shape(values)), values / (1 - rate), 0)


def _quicken(layer: Any) -> None:
    def call(inputs: Any, training: bool = False) -> Any:
        return drop(inputs, layer.rate, layer.seed_generator.next()) if training else inputs

    layer.call = call
