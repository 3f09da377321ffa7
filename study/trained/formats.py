"""The formats that a run is exported to: file, packages, and how to call it without this project."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from study.core.errors import UsageError, unknown_name

#: Installs what the formats need, in a checkout.
INSTALL = "python -m pip install --constraint constraints.txt --editable '.[export]'"


@dataclass(frozen=True)
class Format:
    """One kind of export.

    Attributes:
        file: Its name in the folder of exports.
        title: What a reader knows it as.
        packages: Modules that writing and checking it need beside TensorFlow and Keras.
        python: Lines of Python that load the file and set ``probabilities`` from ``images``.
    """

    file: str
    title: str
    packages: tuple[str, ...]
    python: str


_LITERT = """from ai_edge_litert.interpreter import Interpreter
network = Interpreter("{file}")
probabilities = network.get_signature_runner()(images=images)["output_0"]"""

FORMATS: Mapping[str, Format] = {
    "keras": Format(
        "model.keras",
        "Keras 3",
        (),
        """import keras
network = keras.saving.load_model("{file}")
probabilities = network.predict(images)""",
    ),
    "h5": Format(
        "model.h5",
        "Keras, HDF5",
        (),
        """import keras
network = keras.saving.load_model("{file}", compile=False)
probabilities = network.predict(images)""",
    ),
    "onnx": Format(
        "model.onnx",
        "ONNX",
        ("onnx", "tf2onnx", "onnxruntime"),
        """import onnxruntime
network = onnxruntime.InferenceSession("{file}")
(probabilities,) = network.run(["probabilities"], {{"images": images}})""",
    ),
    "litert": Format("model.tflite", "LiteRT (TensorFlow Lite)", ("ai_edge_litert",), _LITERT),
    "savedmodel": Format(
        "savedmodel",
        "TensorFlow SavedModel",
        (),
        """import tensorflow as tf
network = tf.saved_model.load("{file}")
probabilities = network.serve(images).numpy()""",
    ),
    "litert-int8": Format("model-int8.tflite", "LiteRT in 8 bits", ("ai_edge_litert",), _LITERT),
}
#: What ``--format`` takes; ``--int8`` adds the other.
CHOICES = tuple(name for name in FORMATS if name != "litert-int8")
#: What is written unless told otherwise, as far as its packages are there.
USUAL = ("keras", "onnx", "litert")


def select_formats(names: Iterable[str], int8: bool = False) -> tuple[str, ...]:
    """Return formats by name in their order here, each once.

    Raises:
        UsageError: an unknown name, or packages that are not installed.
    """
    wanted = set(names)
    for name in sorted(wanted - set(CHOICES)):
        raise unknown_name("format", name, CHOICES)
    chosen = tuple(name for name in FORMATS if name in wanted or (int8 and name == "litert-int8"))
    missing = dict.fromkeys(package for name in chosen for package in missing_packages(name))
    if missing:
        raise UsageError(
            f"the formats {', '.join(chosen)} need packages that are not installed ({', '.join(missing)}): in the "
            f"checkout, run `{INSTALL}`, or give --format keras,h5,savedmodel."
        )
    return chosen


def missing_packages(name: str) -> list[str]:
    """Return the packages that a format needs and that are not installed."""
    return [package for package in FORMATS[name].packages if importlib.util.find_spec(package) is None]
