"""The model entry: a registered name with metadata and a builder that imports Keras only when called."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from study.core.errors import UsageError
from study.core.registry import Registry
from study.core.spec import ModelName

FAMILIES = ("custom", "transfer")
#: Range and channel order that a builder's input is given in; see ``study.models.layers.preprocess``.
PREPROCESSINGS = ("unit", "caffe", "tf", "torch", "inside")


@dataclass(frozen=True)
class PublishedWeights:
    """A file of pretrained weights that Keras publishes and caches itself."""

    file: str  #: File name in Keras' cache folder ``models``.
    #: Hash (hex) that Keras checks on download, and that is checked here before the file is used: md5, or sha256 by its
    #: length. Empty where Keras publishes none: such a file is known by its own sha256.
    digest: str
    megabytes: int  #: Size of the download.
    licence: str  #: Licence of the weights.
    folder: str  #: Where it lies below ``KERAS_WEIGHTS_ADDRESS`` of ``study.models.weights``, ending in ``/``.

    @property
    def algorithm(self) -> str:
        """Name of the digest's algorithm."""
        return "md5" if len(self.digest) == 32 else "sha256"


@dataclass(frozen=True)
class ModelEntry:
    """What the study knows of a model before it is built."""

    name: str  #: Registered name.
    version: str  #: Changed whenever the network changes; part of every spec.
    #: ``custom`` (trained from random weights, builder returns class probabilities) or ``transfer`` (builder returns a
    #: body, to which pooling, dropout and softmax are added).
    family: str
    #: custom: ``(images, classes) -> probabilities`` on Keras tensors; transfer: ``(shape, weights) -> keras.Model``
    #: without top, where ``weights`` is always None: files are loaded by the study, after a look at their hash and
    #: form.
    builder: Callable[..., Any]
    body: str  #: One line on the architecture, for tables.
    head: str  #: One line on the classifier, for tables.
    source: str  #: Paper or project that the model comes from.
    preprocessing: str = "unit"  #: One of ``PREPROCESSINGS``.
    side_px: int = 48  #: Input side of custom networks; transfer bodies take theirs from the budget or ``--side``.
    minimum_side_px: int = 8  #: Smallest side that the network can take.
    #: transfer: the body's blocks from the top down, for staged unfreezing; each is a prefix of layer names or several.
    #: A layer belongs to the first block that names it.
    stages: tuple[str | tuple[str, ...], ...] = ()
    #: transfer: published weights by source name (``imagenet``).
    published: Mapping[str, PublishedWeights] = field(default_factory=dict)
    #: Grids name groups: ``core`` is what ``all`` runs; plugins are in ``plugin``.
    groups: tuple[str, ...] = ("plugin",)

    @property
    def identity(self) -> ModelName:
        """What a spec says of the entry."""
        return ModelName(name=self.name, version=self.version, family=self.family)

    def block_of(self, layer: str) -> int:
        """Return the place of a layer's block in ``stages``; what no block names belongs to the lowest."""
        lowest = max(0, len(self.stages) - 1)
        return next((place for place, block in enumerate(self.stages) if layer.startswith(block)), lowest)


MODELS: Registry[ModelEntry] = Registry("model", package="study.models.entries")


def model(
    name: str,
    *,
    version: str = "1",
    family: str = "custom",
    body: str = "",
    head: str = "",
    source: str = "",
    **more: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated builder as a model entry.

    Args:
        name: Lower-case letters, digits, ``-`` and ``_``; unique.
        version: Change it whenever the network changes.
        family: ``custom`` or ``transfer``.
        body: One line on the architecture; the builder's first docstring line by default.
        head: One line on the classifier.
        source: Paper or project.
        **more: Further fields of ``ModelEntry``.

    Raises:
        UsageError: a malformed or taken name, or an unknown family or preprocessing.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise UsageError(f"a model's name takes lower-case letters, digits, '-' and '_', got {name!r}.")
    if family not in FAMILIES:
        raise UsageError(f"a model's family must be one of {', '.join(FAMILIES)}, got {family!r} in {name!r}.")
    if more.get("preprocessing", "unit") not in PREPROCESSINGS:
        raise UsageError(
            f"preprocessing must be one of {', '.join(PREPROCESSINGS)}, got {more['preprocessing']!r} in {name!r}."
        )

    def register(builder: Callable[..., Any]) -> Callable[..., Any]:
        line = (inspect.getdoc(builder) or "").partition("\n")[0]
        entry = ModelEntry(name, version, family, builder, body or line, head, source, **more)
        MODELS.add(name, entry, inspect.getsourcefile(builder) or "?")
        return builder

    return register
