"""Running a stored network: by ONNX Runtime or LiteRT where an export lies beside the weights, else by Keras."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.core.errors import UsageError
from study.core.record import Record
from study.core.store import Store
from study.trained.formats import FORMATS, Call, find_exports
from study.trained.winner import weights_of

if TYPE_CHECKING:
    from study.training.build import Network

#: Images at a time; larger batches are no faster on a processor and take more memory.
BATCH = 64
#: Kinds of exports that start quickly, in the order in which they are tried, with the package that each needs.
PACKAGES: Mapping[str, str] = {"onnx": "onnxruntime", "litert": "ai_edge_litert"}
#: Answers below ``Runtime.unsure_below`` are unsure; of the others this share is right on the validation split.
SHARE_RIGHT = 0.8
DRAWN_NOTICE = "Trained on drawn faces, not on photographs: what this model says about real people means nothing."


@dataclass(frozen=True)
class Runtime:
    """A network ready to answer."""

    kind: str  #: ``onnx``, ``litert`` or ``keras``: what it runs on.
    key: str  #: Run key of the network.
    classes: tuple[str, ...]  #: Class names, in the order of the probabilities.
    image_shape: tuple[int, int, int]  #: Height, width and channels of the images that it takes.
    notice: str  #: What every output must say; empty where there is nothing to say.
    call: Call  #: The network itself; use ``probabilities``.
    unsure_below: float = 0.0  #: An answer whose probability is lower is unsure.
    origin: str = ""  #: Which network it is, in words.

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return class probabilities, float32 (n, classes).

        Images are uint8 (n, height, width, channels) of ``image_shape``; grey ones also (n, height, width).

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
        return in_batches(self.call, images, len(self.classes))


def in_batches(call: Call, images: NDArray[np.uint8], classes: int) -> NDArray[np.float32]:
    """Return a network's probabilities, float32 (n, classes), for any number of images, a batch at a time."""
    answers = np.empty((len(images), classes), np.float32)
    for start in range(0, len(images), BATCH):
        answers[start : start + BATCH] = call(np.ascontiguousarray(images[start : start + BATCH]))
    return answers


def open_runtime(store: Store, record: Record) -> Runtime:
    """Open a run's network, by its exports where it can be.

    Raises:
        UsageError: its model entry is unknown or has another version; those of plugins must be loaded before.
        WeightsError: there are neither exports nor weights, or the weights do not fit.
    """
    return open_export(store, record) or open_keras(store, record)


def open_export(store: Store, record: Record) -> Runtime | None:
    """Open an export of a run's network; None where there is none that is whole and whose package is installed."""
    exports = find_exports(store, record)
    for kind, package in PACKAGES.items():
        export = exports.get(kind)
        if export is not None and importlib.util.find_spec(package) is not None and export.intact():
            return _runtime(kind, store, record, FORMATS[kind].open(export.path))
    return None


def open_keras(store: Store, record: Record) -> Runtime:
    """Open a run's network by Keras, from its weights; this takes seconds.

    Raises:
        UsageError, WeightsError: as ``open_runtime``.
    """
    from study.training.predict import Predictor

    return _runtime("keras", store, record, Predictor(restore_network(store, record).model))


def restore_network(store: Store, record: Record, precision: str | None = None) -> Network:
    """Return the network of a run as a Keras model: its entry built anew with its trained weights.

    Weights are portable between Keras' backends, so the one that is chosen here is used. ``precision`` is Keras' dtype
    policy; None for the run's own.

    Raises:
        UsageError: the model entry is unknown or has another version than the run.
        WeightsError: the weights are missing or do not fit.
        DamagedError: they were altered since they were written.
    """
    from study.models.entry import MODELS
    from study.training.backend import chosen_backend, prepare_backend
    from study.training.banners import without_banners
    from study.training.build import build_network, load_weights

    path, spec, card = weights_of(store, record), record.spec, record.dataset
    entry = MODELS.get(spec.model.name)
    if entry.version != spec.model.version:
        raise UsageError(
            f"{record.key} was trained with {entry.name} version {spec.model.version}, the entry at hand is version "
            f"{entry.version}: use the code of that time, or train again with `study run`."
        )
    with without_banners():
        prepare_backend(chosen_backend())
        import keras

        keras.config.set_dtype_policy(precision or spec.precision)
        classes = len(card.classes)
        try:
            network = build_network(entry, image_shape=card.image_shape, classes=classes, side_px=spec.side_px)
        finally:
            keras.config.set_dtype_policy("float32")
        load_weights(network.model, path, entry.name)
    return network


def notice_of(record: Record) -> str:
    """Return what every output of a run's network must say; empty for photographs."""
    return DRAWN_NOTICE if record.dataset.drawn else ""


def _runtime(kind: str, store: Store, record: Record, call: Call) -> Runtime:
    card, arrays = record.dataset, store.load_arrays(record).arrays
    unsure = unsure_threshold(arrays["validation_probabilities"], arrays["validation_labels"], SHARE_RIGHT)
    origin = f"{record.key} of study {store.study}"
    return Runtime(kind, record.key, card.classes, card.image_shape, notice_of(record), call, unsure, origin)


def unsure_threshold(probabilities: ArrayLike, labels: ArrayLike, share_right: float) -> float:
    """Return the lowest probability from which on answers are right in a share of all cases.

    An answer is the most probable class of probabilities (n, classes). Of the answers at or above the threshold at
    least ``share_right`` (0..1) are right; no lower threshold has that property. It is 0 where all answers can be kept,
    and above 1 where no threshold is high enough: every answer is unsure.

    >>> unsure_threshold([[0.9, 0.1], [0.4, 0.6], [0.55, 0.45]], [0, 1, 1], share_right=0.8)
    0.6
    """
    given = np.asarray(probabilities, np.float64)
    sureness = given.max(axis=1)
    right = given.argmax(axis=1) == np.asarray(labels)
    order = np.argsort(-sureness, kind="stable")
    sureness = sureness[order]
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # Answers of one probability are kept or left together: only the last of them can be where the line is drawn.
    last = np.append(sureness[1:] < sureness[:-1], True)
    (enough,) = np.nonzero(last & (shares >= share_right))
    if len(enough) == 0:
        return float(np.nextafter(1.0, 2.0))
    return 0.0 if enough[-1] == len(order) - 1 else float(sureness[enough[-1]])
