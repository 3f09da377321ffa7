"""Running a stored network: by ONNX Runtime or LiteRT where an export lies beside the weights, else by Keras."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.errors import UsageError
from study.record import Record
from study.serving.artifacts import Artifact, find_exports
from study.serving.calls import OPENERS, Call
from study.store import Store

#: Images at a time; larger batches are no faster on a processor and take more memory.
BATCH = 64
#: Kinds in the order in which they are tried, with the package that each needs; Keras comes with the study.
PACKAGES: Mapping[str, str] = {"onnx": "onnxruntime", "litert": "ai_edge_litert", "keras": "keras"}
DRAWN_NOTICE = "Trained on drawn faces, not on photographs: what this model says about real people means nothing."


@dataclass(frozen=True)
class Runtime:
    """A network ready to answer.

    Attributes:
        kind: ``onnx``, ``litert`` or ``keras``: what it runs on.
        key: Run key of the network.
        classes: Class names, in the order of the probabilities.
        image_shape: Height, width and channels of the images that it takes.
        notice: What every output must say; empty where there is nothing to say.
        call: The network itself; use ``probabilities``.
    """

    kind: str
    key: str
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    notice: str
    call: Call

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return class probabilities, float32 (n, classes).

        Args:
            images: uint8 (n, height, width, channels) of ``image_shape``; grey ones also (n, height, width).

        Raises:
            UsageError: images of another shape or type.
        """
        height, width, channels = self.image_shape
        if images.dtype == np.uint8 and images.ndim == 3 and channels == 1:
            images = images[..., np.newaxis]
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != self.image_shape:
            raise UsageError(
                f"{self.key} takes uint8 images of {height}x{width}x{channels}, got {images.dtype} {images.shape[1:]}."
            )
        answers = np.empty((len(images), len(self.classes)), np.float32)
        for start in range(0, len(images), BATCH):
            answers[start : start + BATCH] = self.call(np.ascontiguousarray(images[start : start + BATCH]))
        return answers


def open_runtime(store: Store, record: Record, prefer: str | None = None) -> Runtime:
    """Open a run's network.

    Args:
        store: The study's store.
        record: The run; the model entries of plugins must be loaded before, where Keras is to run it.
        prefer: ``onnx``, ``litert`` or ``keras`` and no other; None for the first of these that is there.

    Raises:
        UsageError: ``prefer`` names what is not there, or a model entry is unknown or has another version.
        WeightsError: there are neither exports nor weights, or the weights do not fit.
    """
    if prefer is not None and prefer not in PACKAGES:
        raise UsageError(f"a network runs on {', '.join(PACKAGES)}, got {prefer!r}.")
    exports = find_exports(store, record)
    for kind in PACKAGES if prefer is None else (prefer,):
        call = _open(kind, exports.get(kind), store, record)
        if call is not None:
            return Runtime(
                kind,
                record.key,
                tuple(record.dataset["classes"]),
                tuple(record.dataset["image_shape"]),
                notice_of(record),
                call,
            )
    raise UsageError(
        f"{prefer} needs an export beside the weights of {record.key} and the package {PACKAGES[prefer or 'onnx']}: "
        f"run `study export --study {store.study} --run {record.key} --format {prefer}`."
    )


def notice_of(record: Record) -> str:
    """Return what every output of a run's network must say; empty for photographs."""
    return DRAWN_NOTICE if record.dataset["drawn"] else ""


def _open(kind: str, export: Artifact | None, store: Store, record: Record) -> Call | None:
    """Return the call of one kind; None where its export or its package is missing."""
    if kind == "keras":
        from study.serving.restore import restored_call

        return restored_call(store, record)
    if export is None or importlib.util.find_spec(PACKAGES[kind]) is None or not export.intact():
        return None
    call: Call = OPENERS[kind](export.path)
    return call
