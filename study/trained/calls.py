"""Exported models as functions of images, one kind of file each; only the packages of that kind are imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: uint8 (n, height, width, channels) -> float32 (n, classes).
Call = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def onnx_call(path: Path) -> Call:
    """Open an ONNX file with ONNX Runtime."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: np.asarray(session.run(None, {name: images})[0])


def litert_call(path: Path) -> Call:
    """Open a LiteRT file; its tensors are laid out anew when the number of images changes."""
    from study.core.environment import usable_cores
    from study.training.banners import without_banners

    with without_banners():
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(path), num_threads=usable_cores())
        interpreter.allocate_tensors()
    given, answered = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    laid_out = 0

    def call(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        nonlocal laid_out
        if laid_out != len(images):
            interpreter.resize_tensor_input(given, images.shape)
            interpreter.allocate_tensors()
            laid_out = len(images)
        interpreter.set_tensor(given, images)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(answered))

    return call


def keras_call(path: Path) -> Call:
    """Open a .keras or .h5 file with Keras alone."""
    import keras

    from study.training.predict import Predictor

    return Predictor(keras.saving.load_model(path, compile=False))


def savedmodel_call(path: Path) -> Call:
    """Open a folder with TensorFlow alone."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda images: np.asarray(loaded.serve(tf.constant(images)), np.float32)


#: How each kind of export is opened.
OPENERS: Mapping[str, Callable[[Path], Any]] = {
    "onnx": onnx_call,
    "litert": litert_call,
    "litert-int8": litert_call,
    "keras": keras_call,
    "h5": keras_call,
    "savedmodel": savedmodel_call,
}
