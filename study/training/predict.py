"""Prediction: probabilities for many images in large batches, traced once a network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.training.backend import on_tensorflow

BATCH = 256


class Predictor:
    """Inference with one compiled function for all batch sizes; it reads the model's variables, so it outlives phases.

    Args:
        model: keras.Model on uint8 images, or a part of one on features.
    """

    def __init__(self, model: Any) -> None:
        self._call = _tensorflow_call(model) if on_tensorflow() else _keras_call(model)

    def __call__(self, images: NDArray[np.uint8], *, mirrored: bool = False, batch: int = BATCH) -> NDArray[np.float32]:
        """Return probabilities, float32 (n, classes), of uint8 images (n, h, w, c); ``mirrored`` flips them."""
        parts = []
        for start in range(0, len(images), batch):
            part = images[start : start + batch]
            parts.append(self._call(np.ascontiguousarray(part[:, :, ::-1] if mirrored else part)))
        return np.concatenate(parts).astype(np.float32, copy=False)


def _tensorflow_call(model: Any) -> Any:
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *model.input_shape[1:]), model.inputs[0].dtype)]
    compiled = tf.function(lambda images: model(images, training=False), input_signature=signature)
    return lambda images: compiled(tf.constant(images)).numpy()


def _keras_call(model: Any) -> Any:
    return lambda images: np.asarray(model.predict_on_batch(images))
