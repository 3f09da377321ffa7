"""The tricks: what makes training here faster than plain Keras, each with how to leave it out, to measure its worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.errors import unknown_name
from study.models import fast


@dataclass(frozen=True)
class Trick:
    """One trick."""

    name: str  #: What ``Task.without`` calls it.
    what: str  #: One line for the report.
    models: tuple[str, ...]  #: Models that it is measured on.
    measure: str = "train"  #: What it changes: a method of ``study.bench.ours.Ours``.
    leave_out: Callable[[], None] = lambda: None  #: Called before the network is built.
    environment: Mapping[str, str] = field(default_factory=dict)  #: Variables of the process without it.


def _without(*names: str) -> Callable[[], None]:
    return lambda: fast.left_out.update(names)


class _Fit:
    """The loop over updates by Keras' ``fit``."""

    def __init__(self, model: Any, average: None) -> None:
        self._model = model

    def run(self, batches: Any, rates: NDArray[np.float32], decays: NDArray[np.float32]) -> None:
        self._model.optimizer.learning_rate.assign(rates[0])
        self._model.fit(batches, steps_per_epoch=len(rates), verbose=0)


def _keras_loop() -> None:
    from study.training import steps

    steps._TensorflowLoop = _Fit  # type: ignore[assignment, misc]


def _body_every_time() -> None:
    from study.training import features

    features.fixed = lambda network: False


TRICKS = (
    Trick(
        "fused-normalisation",
        "batch normalisation by TensorFlow's fused kernel instead of a dozen operations",
        ("cnn5", "resnet50"),
        leave_out=_without(fast.NORMALISATION),
    ),
    Trick(
        "small-convolutions",
        "convolutions of a few pixels with hundreds of channels as matrix products, without rearranging their kernels",
        ("cnn5", "resnet50", "vgg16"),
        leave_out=_without(fast.CONVOLUTIONS),
    ),
    Trick(
        "byte-dropout",
        "dropout decided by 8 random bits a value instead of a float of 32",
        ("cnn3", "cnn5"),
        leave_out=_without(fast.DROPOUT),
    ),
    Trick(
        "fused-adam",
        "Adam's update by TensorFlow's own kernel: one pass over each weight instead of a dozen",
        ("cnn3", "cnn5", "resnet50"),
        leave_out=_without(fast.ADAM),
    ),
    Trick(
        "traced-loop",
        "the loop over updates inside one graph instead of Keras' `fit`: no Python between two updates",
        ("cnn3",),
        leave_out=_keras_loop,
    ),
    Trick(
        "cached-features",
        "what a frozen body makes of the images computed once, instead of in every epoch",
        ("resnet50",),
        measure="train_head",
        leave_out=_body_every_time,
    ),
    Trick(
        "operations-side-by-side",
        "gradients of a convolution's filter and of its input computed at the same time instead of in turn",
        ("cnn3", "vgg16"),
        environment={"TF_NUM_INTEROP_THREADS": "1"},
    ),
)


def leave_out(name: str) -> None:
    """Switch a trick off in this process; nothing for the empty name.

    Raises:
        UsageError: no such trick.
    """
    if not name:
        return
    found = {trick.name: trick for trick in TRICKS}
    if name not in found:
        raise unknown_name("trick", name, found)
    found[name].leave_out()
