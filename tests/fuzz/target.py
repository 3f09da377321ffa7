"""A target: one format with its valid files, how they are changed, the format's first check, and the reader."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.mutations import Seeds, mutate_bytes

Mutate = Callable[[bytes, Seeds, random.Random], bytes]


@dataclass(frozen=True)
class Target:
    """One format.

    Attributes:
        name: Name, for the command line and in results.
        seeds: Makes the valid files in an empty folder; it may leave there what the reader needs beside them.
        passes: Tells whether a file passes the format's first check: what a reader looks at before anything else.
        read: Reads a file, given its bytes and the folder; raises ``StudyError`` where it is refused.
        mutate: Changes a valid file.
        count: Inputs in the quick form.
        seeds_work: Whether reading the unchanged seeds must succeed.
    """

    name: str
    seeds: Callable[[Path], Seeds]
    passes: Callable[[bytes], bool]
    read: Callable[[bytes, Path], object]
    mutate: Mutate = mutate_bytes
    count: int = 100
    seeds_work: bool = True

    def input(self, number: int, seeds: Seeds) -> bytes:
        """Return the input of that number: always the same from the same seeds."""
        rng = random.Random(f"{self.name}/{number}")
        return self.mutate(rng.choice(seeds), seeds, rng)
