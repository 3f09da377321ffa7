"""Protocol + family + weights + budget -> the resolved protocol that a spec holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from study.core.errors import UsageError
from study.protocols.protocol import PhasePlan, Protocol

#: Version of how transfer networks are trained, part of their specs. 1: once a block had been unfrozen, "all" reached
#: no other block. 2: "all" is all, and phases that say so keep the epoch with the best Brier score.
TRANSFER_VERSION = 2
#: What most protocols do without: left out where it is empty, so that specs keep the hashes they had before it existed.
_RARE = ("new_split", "copies", "monitor_test", "twin", "same_training_as", "start", "epochs_in_all")


def resolve(
    protocol: Protocol,
    *,
    family: str,
    weights_source: str,
    train_images: int,
    updates: Mapping[str, int] | None = None,
    epochs: int | None = None,
    train_share: float = 1.0,
) -> dict[str, Any]:
    """Return the protocol as JSON data with every phase's length in updates.

    An epoch is ``ceil(train_images / batch)`` updates under every sampling, so that oversampling buys no extra
    updates. Where a
    phase has fewer updates than an epoch, its epoch is that short, so that validation is still looked at once.

    Args:
        protocol: The named protocol.
        family: The model's family.
        weights_source: ``none``, ``imagenet`` or ``file``. With ``none`` a transfer body has no frozen phase and all
            of it is trained from the first update: freezing random features is a baseline of its own, not a default.
        train_images: Images that are trained on.
        updates: The budget's cap on the updates of a phase, by kind (``custom``, ``head``, ``stage``).
        epochs: Replaces the protocol's own epochs in every phase (where ``epochs_in_all``: of all phases together),
            before the cap.
        train_share: Share of the training split that ``train_images`` are, see ``study.protocols.splits``.

    Raises:
        UsageError: nothing is left to train: a head alone, on a body of random weights.
    """
    per_epoch = math.ceil(train_images / protocol.batch)
    random_body = family == "transfer" and weights_source == "none"
    plans = [
        plan
        for plan in (protocol.custom if family == "custom" else protocol.transfer)
        if not (random_body and plan.kind == "head")
    ]
    if not plans:
        raise UsageError(
            f"protocol {protocol.name!r} trains a head on a pretrained body, and with weights none there is nothing to "
            "keep: give --weights imagenet or a file (study pretrain makes one)."
        )
    phases = []
    for plan, length in zip(plans, _lengths(plans, epochs, protocol.epochs_in_all), strict=True):
        total = length * per_epoch
        if updates is not None and plan.kind in updates:
            total = min(total, updates[plan.kind])
        phases.append(_phase(plan, "all" if random_body else plan.trainable, total, min(per_epoch, total)))
    rare = {name: getattr(protocol, name) for name in _RARE if getattr(protocol, name)}
    return {
        "name": protocol.name,
        "sampling": protocol.sampling,
        "augmentation": dict(protocol.augmentation),
        "mix": protocol.mix,
        "loss": "cross-entropy",
        "label_smoothing": protocol.label_smoothing,
        "batch": protocol.batch,
        "leak": protocol.leak,
        "source": protocol.source,
        "phases": phases,
        **{name: dict(value) if isinstance(value, Mapping) else value for name, value in rare.items()},
        **({"train_share": train_share} if train_share < 1 else {}),
        **({"transfer_version": TRANSFER_VERSION} if family == "transfer" else {}),
    }


def paired_protocol(resolved: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the resolved protocol whose record comes out of the same training as this one's, or None.

    Of the two one chooses its checkpoint on the validation split and the other, the oracle, on the test split.
    """
    if not resolved.get("same_training_as"):
        return None
    other = {**resolved, "name": resolved["same_training_as"], "same_training_as": resolved["name"]}
    if resolved["leak"] == "none":
        return other | {"leak": "checkpoint-on-test", "twin": resolved["name"]}
    del other["twin"]
    return other | {"leak": "none"}


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


def _phase(plan: PhasePlan, trainable: str, updates: int, updates_per_epoch: int) -> dict[str, Any]:
    return {
        "name": plan.name,
        "kind": plan.kind,
        "trainable": trainable,
        "optimizer": dict(plan.optimizer),
        "updates": updates,
        "updates_per_epoch": updates_per_epoch,
        "patience": plan.patience,
        "plateau": dict(plan.plateau) if plan.plateau else None,
        "schedule": plan.schedule,
        "rates": list(plan.rates),
        **({"block_decay": plan.block_decay} if plan.block_decay != 1 else {}),
        **({"monitor": plan.monitor} if plan.monitor != "loss" else {}),
    }
