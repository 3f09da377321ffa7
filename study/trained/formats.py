"""Exports: the formats, how each is opened and called without this project, and what lies beside a run's weights."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError, unknown_name
from study.core.files import file_sha256, read_regular, write_atomically
from study.core.record import Record
from study.core.store import Store

#: A network as a function: images uint8 (n, height, width, channels) to probabilities float32 (n, classes).
Call = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
#: Installs what the formats need, in a checkout.
INSTALL = "python -m pip install --constraint constraints.txt --editable '.[export]'"
INT8 = "litert-int8"
MANIFEST = "export.json"
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Format:
    """One kind of export."""

    file: str  #: Its name in the folder of exports.
    title: str  #: What a reader knows it as.
    open: Callable[[Path], Call]  #: Opens the file as a function of images, with the packages of this kind alone.
    python: str  #: Lines of Python that load the file and set ``probabilities`` from ``images``.
    packages: tuple[str, ...] = ()  #: Modules that writing and checking it need beside TensorFlow and Keras.


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


_KERAS = """import keras

network = keras.saving.load_model("{file}")
probabilities = network.predict(images)"""
_H5 = """import keras

network = keras.saving.load_model("{file}", compile=False)
probabilities = network.predict(images)"""
_ONNX = """import onnxruntime

network = onnxruntime.InferenceSession("{file}")
(probabilities,) = network.run(["probabilities"], {{"images": images}})"""
_LITERT = """from ai_edge_litert.interpreter import Interpreter

network = Interpreter("{file}")
probabilities = network.get_signature_runner()(images=images)["output_0"]"""
_SAVEDMODEL = """import tensorflow as tf

network = tf.saved_model.load("{file}")
probabilities = network.serve(images).numpy()"""

FORMATS: Mapping[str, Format] = {
    "keras": Format("model.keras", "Keras 3", keras_call, _KERAS),
    "h5": Format("model.h5", "Keras, HDF5", keras_call, _H5),
    "onnx": Format("model.onnx", "ONNX", onnx_call, _ONNX, ("onnx", "tf2onnx", "onnxruntime")),
    "litert": Format("model.tflite", "LiteRT (TensorFlow Lite)", litert_call, _LITERT, ("ai_edge_litert",)),
    "savedmodel": Format("savedmodel", "TensorFlow SavedModel", savedmodel_call, _SAVEDMODEL),
    INT8: Format("model-int8.tflite", "LiteRT in 8 bits", litert_call, _LITERT, ("ai_edge_litert",)),
}
#: What ``--format`` takes; ``--int8`` adds the other.
CHOICES = tuple(name for name in FORMATS if name != INT8)
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
    chosen = tuple(name for name in FORMATS if name in wanted or (int8 and name == INT8))
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


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder of exports says it holds."""

    key: str  #: The run.
    weights_sha256: str  #: Of the weights that the exports were made from.
    predictions_sha256: str  #: Of the run's record, so that what belongs to a replaced record does not count.
    exports: dict[str, dict[str, Any]]  #: By kind: ``file``, ``sha256`` (empty for a folder) and what was measured.

    def of(self, record: Record) -> bool:
        """Tell whether the exports were made from this record, and not from one that it replaced."""
        return self.key == record.key and self.predictions_sha256 == record.predictions_sha256


@dataclass(frozen=True)
class Artifact:
    """One exported model: its file with its sha256, or the folder of a SavedModel without."""

    path: Path
    sha256: str

    def intact(self) -> bool:
        """Tell whether the file is there as it was written."""
        return self.path.is_file() and file_sha256(self.path) == self.sha256


def export_folder(store: Store, record: Record) -> Path:
    """Return where a run's exports lie: beside its weights, outside git."""
    return store.record_path(record.spec).with_suffix(".export")


def find_exports(store: Store, record: Record) -> dict[str, Artifact]:
    """Return the exports beside a run's weights by kind, as far as they were made from this run's weights.

    Where the weights file is there its hash decides; without it, that the record has not been replaced since. What is
    unreadable counts as not there.
    """
    folder, weights = export_folder(store, record), store.weights_path(record.spec)
    manifest = read_manifest(folder)
    if manifest is None or not manifest.of(record):
        return {}
    if weights.is_file() and file_sha256(weights) != manifest.weights_sha256:
        return {}
    return {
        kind: Artifact(folder / entry["file"], entry["sha256"])
        for kind, entry in manifest.exports.items()
        if (folder / entry["file"]).exists()
    }


def read_manifest(folder: Path) -> Manifest | None:
    """Return what a folder of exports says it holds, or None where it says nothing that can be read."""
    try:
        found = msgspec.json.decode(read_regular(folder / MANIFEST, _MOST_BYTES), type=Manifest)
        known = all(one["file"] == FORMATS[kind].file and "sha256" in one for kind, one in found.exports.items())
    except (OSError, ValueError, KeyError, RecursionError):
        return None
    return found if known else None


def write_manifest(folder: Path, record: Record, weights_sha256: str, exports: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write what a folder of exports holds (``Manifest``), with what its users need to know of the network."""
    content = {
        "key": record.key,
        "weights_sha256": weights_sha256,
        "predictions_sha256": record.predictions_sha256,
        "classes": record.dataset.classes,
        "image_shape": record.dataset.image_shape,
        "drawn": record.dataset.drawn,
        "exports": exports,
    }
    path = folder / MANIFEST
    write_atomically(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return path
