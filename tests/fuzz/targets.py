"""All targets by name."""

from __future__ import annotations

from tests.fuzz import targets_data, targets_settings, targets_store
from tests.fuzz.target import Target

QUICK: dict[str, Target] = {
    target.name: target for target in (*targets_data.TARGETS, *targets_settings.TARGETS, *targets_store.TARGETS)
}
SLOW: dict[str, Target] = {target.name: target for target in targets_store.SLOW}
TARGETS = QUICK | SLOW
