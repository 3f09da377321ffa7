"""A trained network written as one file that needs nothing of this project; the converters are Keras' own."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError
from study.models.layers import leaves
from study.training.backend import on_tensorflow


def write_keras(model: Any, path: Path) -> None:
    """Write ``.keras`` or ``.h5``, by the path's ending.

    Raises:
        UsageError: the model has layers of its own, whose code a file cannot carry.
    """
    plain = without_own_layers(model)
    kinds = {type(layer) for layer in leaves(plain)}
    foreign = sorted(kind.__name__ for kind in kinds if not kind.__module__.startswith("keras."))
    if foreign:
        raise UsageError(f"its own layers ({', '.join(foreign)}) need their code: choose onnx, litert or savedmodel.")
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)  # Keras recommends its other format whenever it writes .h5
    try:
        plain.save(path)
    finally:
        log.setLevel(level)


def write_savedmodel(model: Any, path: Path) -> None:
    """Write a folder for TensorFlow."""
    model.export(path, format="tf_saved_model", verbose=False)


def write_onnx(model: Any, path: Path) -> None:
    """Write ONNX with the names ``images``, ``probabilities`` and, for the first dimension of both, ``n``."""
    import onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Keras looks whether numpy still has its old names
        model.export(path, format="onnx", verbose=False)
    written = onnx.load(path)
    graph = written.graph
    (given,), (answered,) = graph.input, graph.output
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = {given.name: "images", answered.name: "probabilities"}.get(name, name)
    given.name, answered.name = "images", "probabilities"
    for value in (given, answered):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.checker.check_model(written)
    onnx.save(written, path)


def write_litert(model: Any, path: Path, **settings: Any) -> None:
    """Write LiteRT in float32, with LiteRT's own operations alone."""
    import tensorflow as tf

    only_own = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}  # others need a library that LiteRT lacks
    model.export(path, format="litert", verbose=False, target_spec=only_own, **settings)


def write_int8(model: Any, path: Path, representative: NDArray[np.uint8]) -> None:
    """Write LiteRT with weights and activations in 8 bits; images stay uint8 and probabilities float32.

    The range of every activation is measured on ``representative`` training images (n, h, w, c).
    """
    import tensorflow as tf

    write_litert(
        model,
        path,
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=lambda: ([image[np.newaxis]] for image in representative),
    )


#: How each kind is written, beside ``write_int8``.
WRITERS: Mapping[str, Callable[[Any, Path], None]] = {
    "keras": write_keras,
    "h5": write_keras,
    "savedmodel": write_savedmodel,
    "onnx": write_onnx,
    "litert": write_litert,
}


def without_own_layers(model: Any) -> Any:
    """Return the model with Keras' own BatchNormalization in place of the fused one, with the same weights."""
    import keras

    if not on_tensorflow():
        return model
    from study.models.fast.normalization import fused_class

    fused = fused_class()

    def clone(layer: Any) -> Any:
        kind = keras.layers.BatchNormalization if isinstance(layer, fused) else type(layer)
        return kind.from_config(layer.get_config())

    plain = keras.models.clone_model(model, clone_function=clone, recursive=True)
    plain.set_weights(model.get_weights())
    return plain
