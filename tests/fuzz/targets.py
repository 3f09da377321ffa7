"""All targets by name."""

from __future__ import annotations

from tests.fuzz import targets_data, targets_settings, targets_store, targets_weights
from tests.fuzz.target import Target

QUICK: dict[str, Target] = {
    target.name: target
    for room in (targets_data, targets_settings, targets_store, targets_weights)
    for target in room.TARGETS
}
SLOW: dict[str, Target] = {target.name: target for room in (targets_store, targets_weights) for target in room.SLOW}
TARGETS = QUICK | SLOW
