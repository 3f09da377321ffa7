"""The protocol: how any model is trained, as data: sampling, augmentation, loss and phases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from study.core.errors import UsageError
from study.core.registry import Registry
from study.core.spec import Copies, NewSplit, Part, Plateau
from study.protocols.piece import AUGMENTATIONS, AVERAGES, LOSSES, OPTIMIZERS, SAMPLINGS, SCHEDULES, VIEWS, part

#: How a protocol lets the test split into training or into a choice, on purpose; see ``named/leaky.py``.
LEAKS = ("none", "oversample-before-split", "augment-before-split", "checkpoint-on-test", "test-as-validation")
#: Leaks that multiply the images and split afterwards, so that copies of one image lie on both sides.
BEFORE_SPLIT = ("oversample-before-split", "augment-before-split")
#: What a phase can watch on the validation split, see ``study.training.monitor``.
MONITORS = ("loss", "brier", "last")


@dataclass(frozen=True)
class PhasePlan:
    """One phase of training before the budget cuts it."""

    name: str  #: What records and curves call it.
    kind: str  #: ``custom``, ``head`` or ``stage``: budgets cut phases by kind.
    trainable: str  #: ``all``, ``head`` (the body is frozen) or ``blocks:N`` (the top N blocks of the body).
    optimizer: Part  #: Registered optimizer with its settings.
    rate: float  #: Learning rate at the top of the schedule.
    epochs: int  #: Length at the full budget.
    patience: int | None  #: Epochs without a better value of ``monitor`` after which the phase ends; None: never.
    plateau: Plateau | None = None  #: Reduction of the learning rate on ``monitor``, or None.
    schedule: Part = part("constant")  #: Registered schedule.
    #: The head learns at the phase's rate, the body's top block at this share of it, each block below at this share of
    #: the block above. 1: all at the same rate.
    block_decay: float = 1.0
    #: What decides the epoch that is kept, early stopping and the plateau: ``loss`` or ``brier`` (mean cross-entropy or
    #: Brier score on the validation split, lower is better), or ``last``: nothing is chosen, the last epoch is kept.
    monitor: str = "loss"
    average: Part | None = None  #: Registered average of the weights, or None.


ADAM = part("adam")
PLATEAU = Plateau(factor=0.5, patience=3)
CUSTOM = (PhasePlan("all", "custom", "all", ADAM, 1e-3, epochs=60, patience=8, plateau=PLATEAU),)
TRANSFER = (
    PhasePlan("head", "head", "head", ADAM, 1e-3, epochs=8, patience=3, plateau=PLATEAU, monitor="brier"),
    PhasePlan("stage-1", "stage", "blocks:1", ADAM, 1e-4, epochs=20, patience=5, plateau=PLATEAU, monitor="brier"),
    PhasePlan("stage-2", "stage", "all", ADAM, 1e-5, epochs=20, patience=5, plateau=PLATEAU, monitor="brier"),
)


@dataclass(frozen=True)
class Protocol:
    """A named way to train."""

    name: str  #: Registered name.
    sampling: str = "none"  #: Registered sampling.
    augmentation: tuple[Part, ...] = ()  #: Registered augmentations, in the order in which they are applied.
    loss: Part = part("cross-entropy")  #: Registered loss.
    batch: int = 64  #: Images an update.
    custom: tuple[PhasePlan, ...] = CUSTOM  #: Phases of custom networks.
    transfer: tuple[PhasePlan, ...] = TRANSFER  #: Phases of transfer networks.
    leak: str = "none"  #: ``none``, or how the protocol sees the test split on purpose (``LEAKS``).
    new_split: NewSplit | None = None  #: A random split of all images together; None for the image set's own.
    #: Static changed copies of every image, made once. They join the training split, or, with the leak, the pool before
    #: it is split.
    copies: Copies | None = None
    #: Whether the test split is predicted after every epoch, for curves; no honest choice looks at it.
    monitor_test: bool = False
    twin: str = ""  #: The clean protocol that a leaky one is set beside.
    same_training_as: str = ""  #: The protocol whose record comes out of the same training (the oracle and its twin).
    #: ``none``: transfer bodies start from random weights, whatever the run says; empty: as the run says.
    start: str = ""
    #: Whether epochs that replace the protocol's own are those of all phases together, in the protocol's proportions,
    #: and not of every phase: so that protocols with few and with many phases compare.
    epochs_in_all: bool = False
    views: Part | None = None  #: Registered views that are predicted beside the single one at test time, or None.
    groups: tuple[str, ...] = ()  #: Grids name groups: ``shared`` holds the four that every model is compared under.
    source: str = ""  #: Paper or project.

    def __post_init__(self) -> None:
        phases = (*self.custom, *self.transfer)
        self._one_of("leak", [self.leak], LEAKS)
        self._one_of("start", [self.start], ("", "none"))
        self._one_of("monitor", [phase.monitor for phase in phases], MONITORS)
        if self.batch < 1:
            raise UsageError(f"protocol {self.name!r}: batch must be at least 1, got {self.batch}.")
        if any(not 0 < phase.block_decay <= 1 for phase in phases):
            raise UsageError(f"protocol {self.name!r}: block_decay must lie above 0 and be at most 1.")
        self._check_split()

    def check(self) -> None:
        """Make every piece once.

        Raises:
            UsageError: a piece that does not exist, or settings that it does not take.
        """
        SAMPLINGS.make(part(self.sampling))
        LOSSES.make(self.loss)
        for one in (*self.augmentation, *(self.copies.augmentation if self.copies else ())):
            AUGMENTATIONS.make(one)
        if self.views:
            VIEWS.make(self.views)
        for phase in (*self.custom, *self.transfer):
            OPTIMIZERS.make(phase.optimizer)
            SCHEDULES.make(phase.schedule)
            if phase.average:
                AVERAGES.make(phase.average)

    def _one_of(self, what: str, values: Iterable[str], possible: tuple[str, ...]) -> None:
        for value in values:
            if value not in possible:
                raise UsageError(
                    f"{what} of protocol {self.name!r} must be one of {', '.join(possible)}, got {value!r}."
                )

    def _check_split(self) -> None:
        """Refuse a protocol whose split and leak contradict each other."""
        split = self.new_split
        if split and not (split.test > 0 and split.validation > 0 and split.test + split.validation < 1):
            raise UsageError(
                f"protocol {self.name!r}: new_split takes shares above 0 for test and validation that leave training "
                f"images, got {split.test} and {split.validation}."
            )
        if (self.leak == "oversample-before-split") != (self.sampling == "oversample-before-split"):
            raise UsageError(
                f"protocol {self.name!r}: the sampling and the leak oversample-before-split go together, got sampling "
                f"{self.sampling!r} with leak {self.leak!r}."
            )
        if self.leak in BEFORE_SPLIT and not split:
            raise UsageError(f"protocol {self.name!r}: the leak {self.leak} splits anew: give it a new_split.")
        if self.leak == "augment-before-split" and not self.copies:
            raise UsageError(f"protocol {self.name!r}: the leak {self.leak} needs copies that it can spread.")


PROTOCOLS: Registry[Protocol] = Registry("protocol", package="study.protocols.named")


def register(protocol: Protocol, file: str) -> Protocol:
    """Add a protocol to the registry; ``file`` is where it is written (pass ``__file__``)."""
    PROTOCOLS.add(protocol.name, protocol, file)
    return protocol
