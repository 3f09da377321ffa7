"""Build: entry -> keras.Model on raw uint8 images, with what can be frozen."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from study.core.errors import TrainingError, UsageError, WeightsError
from study.core.spec import RANDOM_FEATURES, derive_seed
from study.models.entry import ModelEntry, PublishedWeights
from study.models.fast import quicken
from study.models.layers import leaves
from study.models.weights import address, cached_path, out_of_reach
from study.models.weights_form import check_form, contents

TRANSFER_DROPOUT = 0.3
#: Preprocessings that leave pixels on 0..255, and about their deviation there.
ON_PIXELS, PIXEL_DEVIATION = ("caffe", "inside"), 64.0


class Network:
    """A built model and, for transfer networks, its body.

    Attributes:
        entry: What it was built from.
        model: keras.Model, uint8 (n, height, width, channels) -> float32 probabilities (n, classes).
        body: The pretrained part, or None.
    """

    def __init__(self, entry: ModelEntry, model: Any, body: Any | None) -> None:
        self.entry = entry
        self.model = model
        self.body = body
        self._layers = [] if body is None else _layers_by_block(entry, body)
        self._in_body = {id(weight) for weight in body.weights} if body is not None else set()

    def set_trainable(self, what: str) -> None:
        """Freeze or unfreeze the body: ``all``, ``head`` or ``blocks:N`` (the top N blocks). Compile again afterwards.

        Every layer is set by itself. A model's own ``trainable`` is left alone: on TensorFlow, attribute tracking
        ignores an assignment of the value that is already there, so that ``body.trainable = True`` does nothing
        while some of its layers are frozen.

        A frozen BatchNormalization runs in inference mode in Keras, so its moving statistics do not change either.

        Args:
            what: ``all``, ``head`` or ``blocks:N``.

        Raises:
            UsageError: a custom network is asked for anything but ``all``, or the body has fewer blocks.
        """
        count = self._unfrozen_blocks(what)
        for block, layer, _ in self._layers:
            layer.trainable = block < count

    def check_trainable(self, what: str, model: Any) -> None:
        """Raise unless a model made of this network's layers trains exactly what a phase asks for.

        Args:
            what: ``all``, ``head`` or ``blocks:N``.
            model: The network's model, or its head alone.

        Raises:
            TrainingError: a variable is trained that should be frozen, or frozen that should be trained.
        """
        count = self._unfrozen_blocks(what)
        wanted = {id(one): one.path for block, _, variables in self._layers if block < count for one in variables}
        head = (one for one in self.model.trainable_variables if id(one) not in self._in_body)
        wanted |= {id(one): one.path for one in head}
        found = {id(one): one.path for one in model.trainable_variables}
        wrong = [layer.name for block, layer, _ in self._layers if layer.trainable != (block < count)]
        if wanted.keys() != found.keys() or wrong:
            frozen = [path for key, path in wanted.items() if key not in found]
            extra = [path for key, path in found.items() if key not in wanted]
            raise TrainingError(
                f"a phase that trains {what} of {self.entry.name} must train {len(wanted)} variables, found "
                f"{len(found)}: frozen but should train {frozen[:3]}, trained but should be frozen {extra[:3]}, "
                f"layers in the wrong state {wrong[:3]}. Please report this with the model's file."
            )

    def _unfrozen_blocks(self, what: str) -> int:
        """Return how many blocks of the body a phase trains, counted from the top."""
        blocks = len(self.entry.stages)
        if self.body is None and what != "all":
            raise UsageError(f"{self.entry.name} has no body to freeze, the phase asks for {what!r}.")
        if what in ("all", "head"):
            return blocks + 1 if what == "all" else 0
        count = what.removeprefix("blocks:")
        if count == what or not count.isdecimal():
            raise UsageError(f"a phase trains all, head or blocks:N, got {what!r}.")
        if int(count) > blocks:
            raise UsageError(f"{self.entry.name} has {blocks} blocks, the phase asks for {count}.")
        return int(count)


def _layers_by_block(entry: ModelEntry, body: Any) -> list[tuple[int, Any, list[Any]]]:
    """Unfreeze a whole body, and return each of its layers with its block's place and its trainable variables."""
    found = []
    body.trainable = False  # so that setting True is a change, see ``Network.set_trainable``
    body.trainable = True
    for part in body.layers:
        for layer in leaves(part):
            layer.trainable = False
            layer.trainable = True
            found.append((entry.block_of(part.name), layer, list(layer.trainable_variables)))
    return found


def build_network(
    entry: ModelEntry,
    *,
    image_shape: tuple[int, int, int],
    classes: int,
    side_px: int,
    weights_source: str = "none",
    weights_path: Path | None = None,
) -> Network:
    """Build the network of an entry with fresh or given weights.

    Args:
        entry: The model entry.
        image_shape: Height, width and channels of the stored images.
        classes: Number of classes.
        side_px: Side that the network sees; images are resized in the graph.
        weights_source: ``none``, ``random-features``, ``imagenet`` or ``file``.
        weights_path: The file for ``file``.

    Raises:
        UsageError: the side is below the entry's minimum, or a custom builder returned something else than
            probabilities.
        WeightsError: the weights cannot be had or do not fit.
    """
    import keras

    from study.models.layers import classifier, preprocess

    if side_px < entry.minimum_side_px:
        raise UsageError(
            f"{entry.name} takes sides from {entry.minimum_side_px} px, got {side_px}: give a larger --side."
        )
    images = keras.Input(image_shape, dtype="uint8", name="images")
    if entry.family == "custom":
        outputs = entry.builder(preprocess(images, entry.preprocessing, side_px, image_shape[-1]), classes)
        if tuple(outputs.shape) != (None, classes):
            raise UsageError(
                f"the builder of {entry.name} must return probabilities of shape (n, {classes}), "
                f"got {tuple(outputs.shape)}."
            )
        model = keras.Model(images, outputs, name=entry.name.replace("-", "_"))
        quicken(model)
        if weights_source == "file":
            load_weights(model, weights_path, entry.name)
        return Network(entry, model, None)
    body = _body(entry, side_px, weights_source, weights_path)
    x = body(preprocess(images, entry.preprocessing, side_px, 3))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(TRANSFER_DROPOUT, name="dropout")(x)
    model = keras.Model(images, classifier(x, classes), name=entry.name.replace("-", "_"))
    quicken(model)
    return Network(entry, model, body)


def _body(entry: ModelEntry, side_px: int, weights_source: str, weights_path: Path | None) -> Any:
    from study.models.fast.normalization import fuse_batch_normalizations

    body = entry.builder((side_px, side_px, 3), None)
    if weights_source == RANDOM_FEATURES:
        _fill(body, entry)
    if weights_source == "imagenet":
        load_weights(body, fetch(entry.name, entry.published["imagenet"]), entry.name)
    if weights_source == "file":
        load_weights(body, weights_path, entry.name)
    return fuse_batch_normalizations(body)


def _fill(body: Any, entry: ModelEntry) -> None:
    """Give a body's kernels random numbers, always the same ones, so that its features are about one.

    In a body with batch normalisation, which does nothing before training, they are those that Keras starts from by
    default (Glorot and Bengio 2010): with larger ones ResNet50's features would be in the thousands. Another body keeps
    the variance of its inputs from layer to layer (He et al. 2015), and pixels on 0..255 are divided by their deviation
    first. The numbers are drawn here and not by Keras, whose generators differ from backend to backend.
    """
    import keras

    normalised = any(isinstance(layer, keras.layers.BatchNormalization) for layer in leaves(body))
    scale = 1.0 if normalised or entry.preprocessing not in ON_PIXELS else PIXEL_DEVIATION
    generator = np.random.default_rng(derive_seed(0, RANDOM_FEATURES, entry.name))
    for variable in body.variables:
        what, shape = variable.path.rsplit("/", 1)[-1], variable.shape
        if what.endswith("kernel"):
            channels = shape[-2] + shape[-1] if normalised else shape[-2]
            limit = math.sqrt(6 / (math.prod(shape[:-2]) * channels)) / scale
            variable.assign(generator.uniform(-limit, limit, shape).astype(np.float32))
            scale = 1.0  # the first kernel alone sees pixels


def load_weights(model: Any, path: Path | None, name: str) -> None:
    """Load a weights file into a model.

    Raises:
        WeightsError: the file is missing or does not fit.
    """
    if path is None or not path.is_file():
        raise WeightsError(f"the weights file of {name} is missing: {path}.")
    check_form(path, model.count_params())
    try:
        with warnings.catch_warnings():
            # Keras looks for layers in a private list of its own too, warns of each that is not in the file, and then
            # finds them where they are; layers that are in neither place raise.
            warnings.filterwarnings("ignore", "Skipping nested container")
            model.load_weights(path)
    except Exception as error:  # Keras and h5py raise what they please at files that do not fit
        line = " ".join(str(error).split())[:120] or type(error).__name__
        raise WeightsError(
            f"{path.name} does not fit {name}, which takes {len(model.weights):,} arrays of {model.count_params():,} "
            f"numbers; the file holds {contents(path)} ({line}). Give weights of this very network without its top, "
            "for three channels."
        ) from error


def fetch(name: str, published: PublishedWeights) -> Path:
    """Return a published file from Keras' cache, where Keras downloads it to if it is not there.

    Args:
        name: The entry's name, for messages.
        published: What Keras publishes.

    Raises:
        WeightsError: it cannot be downloaded, or the cached file is not the published one.
    """
    import keras

    cached = cached_path(published)
    if cached is not None:
        return cached
    try:
        origin = address(published)
        keras.utils.get_file(published.file, origin, cache_subdir="models", file_hash=published.digest or None)
    except Exception as error:  # Keras raises what it pleases
        raise out_of_reach(name, published) from error
    found = cached_path(published)
    if found is None:
        raise out_of_reach(name, published)
    return found
