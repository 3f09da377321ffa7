"""Features: what a frozen body makes of images, computed once and kept on disk; the head that trains on them."""

from __future__ import annotations

import contextlib
import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.arrays import read_array
from study.core.errors import StoreError
from study.core.files import write_atomically
from study.training.build import Network
from study.training.predict import Predictor

#: Part of every file's name: a change of the preprocessing in ``study.models.layers`` must raise it.
VERSION = "1"


def extractor(network: Network) -> Any:
    """Return the network up to its pooled features: uint8 (n, h, w, c) -> (n, d). It shares the network's layers."""
    import keras

    return keras.Model(network.model.input, network.model.get_layer("pool").output)


def head(network: Network) -> Any:
    """Return the network behind its pooled features: (n, d) -> probabilities (n, classes).

    It shares the network's layers, so that what is trained here is trained there.
    """
    import keras

    pooled = network.model.get_layer("pool").output
    features = keras.Input(pooled.shape[1:], dtype="float32", name="features")
    x = network.model.get_layer("dropout")(features)
    return keras.Model(features, network.model.get_layer("probabilities")(x), name="head")


def fixed(network: Network) -> bool:
    """Return whether a frozen body makes the same of an image every time: nothing inside it draws at random."""
    body = network.body
    return body is not None and not any(variable.path.endswith("seed_generator_state") for variable in body.variables)


class FeatureCache:
    """Features on disk, found by the content of images and body; a damaged file is computed again.

    Args:
        folder: Where they are kept; None keeps nothing.
        identity: What features follow from besides images and body: precision, backend, versions.
    """

    def __init__(self, folder: Path | None = None, identity: str = "") -> None:
        self.folder = folder
        self.identity = identity

    def features(self, network: Network, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the pooled features, float32 (n, d), of uint8 images (n, h, w, c) under a transfer network's body."""
        path = self.folder / f"{self._content(network, images)}.features" if self.folder else None
        if path is not None:
            with contextlib.suppress(OSError, ValueError):
                found = _read(path)
                if len(found) == len(images):
                    return found
        features = Predictor(extractor(network))(images)
        if path is not None:
            with contextlib.suppress(StoreError):  # a place that cannot be written costs time, not the run
                _write(path, features)
        return features

    def _content(self, network: Network, images: NDArray[np.uint8]) -> str:
        """Return the sha256 of everything that decides the features."""
        entry, body = network.entry, network.body
        assert body is not None
        said = (VERSION, self.identity, entry.name, entry.version, entry.preprocessing, body.input_shape, images.shape)
        found = hashlib.sha256(repr(said).encode())
        for weight in body.get_weights():
            found.update(np.ascontiguousarray(weight).tobytes())
        found.update(np.ascontiguousarray(images).data)
        return found.hexdigest()


def _write(path: Path, features: NDArray[np.float32]) -> None:
    buffer = io.BytesIO()
    np.save(buffer, features, allow_pickle=False)
    data = buffer.getvalue()
    write_atomically(path, hashlib.sha256(data).digest() + data)


def _read(path: Path) -> NDArray[np.float32]:
    """Return stored features.

    Raises:
        ValueError: the file was truncated or altered.
    """
    content = path.read_bytes()
    digest, data = content[:32], content[32:]
    if hashlib.sha256(data).digest() != digest:
        raise ValueError(f"{path} was altered")
    features: NDArray[np.float32] = read_array(data)
    if features.dtype != np.float32 or features.ndim != 2:
        raise ValueError(f"{path} holds no features")
    return features
