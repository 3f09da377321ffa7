"""The protocol: how any model is trained, as data: sampling, augmentation, loss and phases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from study.core.errors import UsageError
from study.core.registry import Registry

SAMPLINGS = ("none", "oversample", "class-weights", "oversample-before-split")
MIXES = ("none", "mixup", "cutmix")
#: How a protocol lets the test split into training or into a choice, on purpose; see ``named/leaky.py``.
LEAKS = ("none", "oversample-before-split", "augment-before-split", "checkpoint-on-test", "test-as-validation")
#: Leaks that multiply the images and split afterwards, so that copies of one image lie on both sides.
BEFORE_SPLIT = ("oversample-before-split", "augment-before-split")
#: What a phase can watch on the validation split, and the column of the history that holds it.
MONITORS = {"loss": "validation_loss", "brier": "validation_brier"}
#: Settings of an augmentation and what they mean; see ``study.protocols.augmentation``.
AUGMENTATIONS = (
    "flip",
    "rotation_degrees",
    "translation",
    "zoom",
    "cutout_side",
    "cutout_probability",
)


@dataclass(frozen=True)
class PhasePlan:
    """One phase of training before the budget cuts it.

    Attributes:
        name: What records and curves call it.
        kind: ``custom``, ``head`` or ``stage``: budgets cut phases by kind.
        trainable: ``all``, ``head`` (the body is frozen) or ``blocks:N`` (the top N blocks of the body).
        optimizer: ``name`` and its settings; ``rate`` is the learning rate.
        epochs: Length at the full budget.
        patience: Epochs without a better value of ``monitor`` after which the phase ends; None: never.
        plateau: ``factor`` and ``patience`` of the learning rate's reduction on ``monitor``, or None.
        schedule: ``constant``, ``cosine`` (to zero over the phase) or ``steps`` (``rates``, each for an equal share).
        rates: Learning rates of ``steps``.
        block_decay: The head learns at the phase's rate, the body's top block at this share of it, each block below at
            this share of the block above. 1: all at the same rate.
        monitor: What the phase watches on the validation split, lower being better: the epoch that is kept, early
            stopping and the plateau all follow it. ``loss``: mean cross-entropy. ``brier``: mean Brier score, see
            ``study.training.monitor``.
    """

    name: str
    kind: str
    trainable: str
    optimizer: Mapping[str, Any]
    epochs: int
    patience: int | None
    plateau: Mapping[str, Any] | None = None
    schedule: str = "constant"
    rates: tuple[float, ...] = ()
    block_decay: float = 1.0
    monitor: str = "loss"


def adam(rate: float) -> dict[str, Any]:
    """Return Adam's settings with Keras' own defaults (Kingma and Ba 2015, arXiv:1412.6980)."""
    return {"name": "adam", "rate": rate}


PLATEAU: Mapping[str, Any] = {"factor": 0.5, "patience": 3}
CUSTOM = (PhasePlan("all", "custom", "all", adam(1e-3), epochs=60, patience=8, plateau=PLATEAU),)
TRANSFER = (
    PhasePlan("head", "head", "head", adam(1e-3), epochs=8, patience=3, plateau=PLATEAU, monitor="brier"),
    PhasePlan("stage-1", "stage", "blocks:1", adam(1e-4), epochs=20, patience=5, plateau=PLATEAU, monitor="brier"),
    PhasePlan("stage-2", "stage", "all", adam(1e-5), epochs=20, patience=5, plateau=PLATEAU, monitor="brier"),
)


@dataclass(frozen=True)
class Protocol:
    """A named way to train.

    Attributes:
        name: Registered name.
        sampling: ``none``, ``oversample`` (random oversampling of the training split to equal classes),
            ``class-weights`` (loss weighted by inverse class frequency) or ``oversample-before-split`` (the leak).
        augmentation: Settings out of ``AUGMENTATIONS``; empty for none.
        mix: ``none``, ``mixup`` or ``cutmix``.
        label_smoothing: Share of the label spread over all classes.
        batch: Images an update.
        custom: Phases of custom networks.
        transfer: Phases of transfer networks.
        leak: ``none``, or how the protocol sees the test split on purpose (``LEAKS``).
        new_split: Empty for the image set's own split; else ``test`` and ``validation`` (shares) and ``seed`` of a
            split of all images together.
        copies: Empty, or ``number`` of static changed copies of every image, made once, beside settings out of
            ``AUGMENTATIONS``. They join the training split, or, with the leak, the pool before it is split.
        monitor_test: Whether the test split is predicted after every epoch, for curves; no honest choice looks at it.
        twin: The clean protocol that a leaky one is set beside.
        start: ``none``: transfer bodies start from random weights, whatever the run says; empty: as the run says.
        epochs_in_all: Whether epochs that replace the protocol's own are those of all phases together, in the
            protocol's proportions, and not of every phase: so that protocols with few and with many phases compare.
        same_training_as: The protocol whose record comes out of the same training (the oracle and its twin).
        groups: Grids name groups: ``shared`` holds the four that every model is compared under.
        source: Paper or project.
    """

    name: str
    sampling: str = "none"
    augmentation: Mapping[str, Any] = field(default_factory=dict)
    mix: str = "none"
    label_smoothing: float = 0.0
    batch: int = 64
    custom: tuple[PhasePlan, ...] = CUSTOM
    transfer: tuple[PhasePlan, ...] = TRANSFER
    leak: str = "none"
    new_split: Mapping[str, Any] = field(default_factory=dict)
    copies: Mapping[str, Any] = field(default_factory=dict)
    monitor_test: bool = False
    twin: str = ""
    same_training_as: str = ""
    start: str = ""
    epochs_in_all: bool = False
    groups: tuple[str, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        for what, value, possible in (
            ("sampling", self.sampling, SAMPLINGS),
            ("mix", self.mix, MIXES),
            ("leak", self.leak, LEAKS),
            ("start", self.start, ("", "none")),
        ):
            if value not in possible:
                raise UsageError(
                    f"{what} of protocol {self.name!r} must be one of {', '.join(possible)}, got {value!r}."
                )
        unknown = sorted((set(self.augmentation) | set(self.copies)) - {*AUGMENTATIONS, "number"})
        if unknown:
            raise UsageError(
                f"protocol {self.name!r}: unknown augmentation {', '.join(unknown)}. "
                f"Possible: {', '.join(AUGMENTATIONS)}."
            )
        if self.batch < 1 or not 0 <= self.label_smoothing < 1:
            raise UsageError(f"protocol {self.name!r}: batch must be at least 1 and label_smoothing in [0, 1).")
        if any(not 0 < plan.block_decay <= 1 for plan in (*self.custom, *self.transfer)):
            raise UsageError(f"protocol {self.name!r}: block_decay must lie above 0 and be at most 1.")
        unknown = sorted({plan.monitor for plan in (*self.custom, *self.transfer)} - set(MONITORS))
        if unknown:
            raise UsageError(
                f"protocol {self.name!r}: monitor must be one of {', '.join(MONITORS)}, got {', '.join(unknown)}."
            )
        self._check_split()

    def _check_split(self) -> None:
        """Refuse a protocol whose split and leak contradict each other."""
        if self.new_split and (set(self.new_split) != {"test", "validation", "seed"} or not _shares(self.new_split)):
            raise UsageError(
                f"protocol {self.name!r}: new_split needs test and validation (shares that leave training images) and "
                f"seed, got {dict(self.new_split)!r}."
            )
        if (self.leak == "oversample-before-split") != (self.sampling == "oversample-before-split"):
            raise UsageError(
                f"protocol {self.name!r}: the sampling and the leak oversample-before-split go together, got sampling "
                f"{self.sampling!r} with leak {self.leak!r}."
            )
        if self.leak in BEFORE_SPLIT and not self.new_split:
            raise UsageError(f"protocol {self.name!r}: the leak {self.leak} splits anew: give it a new_split.")
        if self.leak == "augment-before-split" and not self.copies:
            raise UsageError(f"protocol {self.name!r}: the leak {self.leak} needs copies that it can spread.")


def _shares(new_split: Mapping[str, Any]) -> bool:
    """Tell whether all three splits get some images."""
    test, validation = float(new_split["test"]), float(new_split["validation"])
    return test > 0 and validation > 0 and test + validation < 1


PROTOCOLS: Registry[Protocol] = Registry("protocol", package="study.protocols.named")


def register(protocol: Protocol, file: str) -> Protocol:
    """Add a protocol to the registry; ``file`` is where it is written (pass ``__file__``)."""
    PROTOCOLS.add(protocol.name, protocol, file)
    return protocol
