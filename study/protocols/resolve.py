"""Protocol + family + weights + budget -> the protocol that a run follows, which its spec holds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields

import msgspec
from msgspec.structs import replace

from study.core.errors import UsageError
from study.core.spec import RANDOM_FEATURES, Phase, RunProtocol, plain
from study.protocols.piece import AUGMENTATIONS
from study.protocols.protocol import PhasePlan, Protocol

#: Version of how transfer networks are trained, part of their specs. 1: once a block had been unfrozen, "all" reached
#: no other block. 2: "all" is all, and phases that say so keep the epoch with the best Brier score.
TRANSFER_VERSION = 2
#: Changed copies of every image whose random features a head learns from under an augmentation.
FEATURE_COPIES = 4
#: Fields of a named protocol that a run has as they are.
_SAME = {field.name for field in fields(Protocol)} & set(RunProtocol.__struct_fields__)


def resolve(
    protocol: Protocol,
    *,
    family: str,
    weights_source: str,
    train_images: int,
    updates: Mapping[str, int] | None = None,
    epochs: int | None = None,
    train_share: float = 1.0,
) -> RunProtocol:
    """Return the protocol with every phase's length in updates.

    An epoch is ``ceil(train_images / batch)`` updates under every sampling, so that oversampling buys no extra
    updates. Where a phase has fewer updates than an epoch, its epoch is that short, so that validation is still looked
    at once.

    Args:
        protocol: The named protocol.
        family: The model's family.
        weights_source: ``none``, ``random-features``, ``imagenet`` or ``file``. With ``none`` a transfer body has no
            frozen phase and all of it is trained from the first update. With ``random-features`` the head alone is
            trained, for the epochs of all phases.
        train_images: Images that are trained on.
        updates: The budget's cap on the updates of a phase, by kind (``custom``, ``head``, ``stage``).
        epochs: Replaces the protocol's own epochs in every phase (where ``epochs_in_all``: of all phases together),
            before the cap.
        train_share: Share of the training split that ``train_images`` are, see ``study.protocols.splits``.

    Raises:
        UsageError: a piece that does not exist, or nothing is left to train: a head alone, on a body of random weights,
            or no head that is trained alone, on random features.

    >>> from study.protocols import PROTOCOLS
    >>> found = resolve(PROTOCOLS.get("baseline"), family="custom", weights_source="none", train_images=1000)
    >>> found.phases[0].updates_per_epoch, found.phases[0].epochs
    (16, 60)
    """
    protocol.check()
    per_epoch = math.ceil(train_images / protocol.batch)
    random_body = family == "transfer" and weights_source == "none"
    random_features = family == "transfer" and weights_source == RANDOM_FEATURES
    plans = list(protocol.custom if family == "custom" else protocol.transfer)
    if random_features:
        plans = _head_alone(protocol)
    elif random_body:
        plans = [plan for plan in plans if plan.kind != "head"]
    if not plans:
        raise UsageError(
            f"protocol {protocol.name!r} trains a head on a pretrained body, and with weights none there is nothing to "
            "keep: give --weights imagenet or a file (study pretrain makes one)."
        )
    fixed_labels = not any(AUGMENTATIONS.get(one.name).changes_labels for one in protocol.augmentation)
    copies = FEATURE_COPIES if random_features and protocol.augmentation and fixed_labels else 0
    phases = []
    for plan, length in zip(plans, _lengths(plans, epochs, protocol.epochs_in_all), strict=True):
        total = length * per_epoch
        if updates is not None and plan.kind in updates:
            total = min(total, updates[plan.kind])
        phase = _phase(plan, "all" if random_body else plan.trainable, total, min(per_epoch, total))
        phases.append(replace(phase, feature_copies=copies))
    resolved = RunProtocol(
        phases=tuple(phases),
        train_share=train_share,
        transfer_version=TRANSFER_VERSION if family == "transfer" else 0,
        **{name: getattr(protocol, name) for name in _SAME},
    )
    return msgspec.convert(plain(resolved), RunProtocol)  # whole numbers where floats are meant would change the hash


def paired_protocol(resolved: RunProtocol) -> RunProtocol | None:
    """Return the protocol whose record comes out of the same training as this one's, or None.

    Of the two one chooses its checkpoint on the validation split and the other, the oracle, on the test split.
    """
    if not resolved.same_training_as:
        return None
    other = replace(resolved, name=resolved.same_training_as, same_training_as=resolved.name)
    if resolved.leak == "none":
        return replace(other, leak="checkpoint-on-test", twin=resolved.name)
    return replace(other, leak="none", twin="")


def _head_alone(protocol: Protocol) -> list[PhasePlan]:
    """Return the phase that trains the head, for the epochs of all phases, since the body is never trained.

    On features that were made once an epoch takes a fraction of a second: nothing is stopped early or slowed down.
    """
    for plan in protocol.transfer:
        if plan.kind == "head":
            epochs = sum(one.epochs for one in protocol.transfer)
            return [dataclasses.replace(plan, epochs=epochs, patience=None, plateau=None)]
    raise UsageError(
        f"protocol {protocol.name!r} has no phase that trains the head alone, which is all that learns on random "
        "features: give --weights imagenet, none or a file."
    )


def _lengths(plans: Sequence[PhasePlan], epochs: int | None, in_all: bool) -> list[int]:
    """Return the epochs of each phase; a sum is shared out in the plans' proportions, at least one to each."""
    if epochs is None or not in_all:
        return [epochs or plan.epochs for plan in plans]
    if epochs < len(plans):
        raise UsageError(f"{len(plans)} phases need at least {len(plans)} epochs in all, got --epochs {epochs}.")
    whole = sum(plan.epochs for plan in plans)
    lengths = [1 + (epochs - len(plans)) * plan.epochs // whole for plan in plans]
    lengths[-1] = epochs - sum(lengths[:-1])
    return lengths


def _phase(plan: PhasePlan, trainable: str, updates: int, updates_per_epoch: int) -> Phase:
    same = {field.name for field in fields(PhasePlan)} & set(Phase.__struct_fields__) - {"trainable"}
    return Phase(
        trainable=trainable,
        updates=updates,
        updates_per_epoch=updates_per_epoch,
        **{name: getattr(plan, name) for name in same},
    )
