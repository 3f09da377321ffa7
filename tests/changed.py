"""Changed copies of frozen things: dataclasses and structs alike."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def replace(thing: T, **changes: Any) -> T:
    """Return a copy with other fields."""
    kind: Any = msgspec.structs if isinstance(thing, msgspec.Struct) else dataclasses
    changed: T = kind.replace(thing, **changes)
    return changed
