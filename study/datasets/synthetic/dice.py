"""Random numbers for drawn faces: a generator for each face, columns handed out for all faces at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UNIFORMS = 112
NORMALS = 176


class Dice:
    """Random columns for n faces; what one face gets does not depend on how many are drawn with it.

    Args:
        seed: Seed of the set.
        faces: Indices (n,) of the faces in the set; each is a stream of its own.
        noise: Normal numbers per face kept for texture and sensor noise.
    """

    def __init__(self, seed: int, faces: NDArray[np.int64], noise: int) -> None:
        n = len(faces)
        self._uniforms = np.empty((n, UNIFORMS))
        self._normals = np.empty((n, NORMALS))
        self.noise = np.empty((n, noise))
        for row, face in enumerate(faces.tolist()):
            generator = np.random.default_rng((seed, face))
            generator.random(out=self._uniforms[row])
            generator.standard_normal(out=self._normals[row])
            generator.standard_normal(out=self.noise[row])
        self._next_uniform = 0
        self._next_normal = 0

    def uniform(self, low: float, high: float) -> NDArray[np.float64]:
        """Return (n,) numbers, uniform in low..high."""
        column = self._uniforms[:, self._next_uniform]
        self._next_uniform += 1
        return low + (high - low) * column

    def chance(self, probability: float) -> NDArray[np.bool_]:
        """Return (n,) booleans, true with a probability."""
        return self.uniform(0.0, 1.0) < probability

    def integers(self, count: int) -> NDArray[np.int64]:
        """Return (n,) integers in 0..count-1."""
        return self.uniform(0.0, float(count)).astype(np.int64)

    def normal(self, spread: float = 1.0, limit: float = 2.5) -> NDArray[np.float64]:
        """Return (n,) normal numbers, cut at ``limit`` standard deviations."""
        return spread * self.normals(1, limit)[:, 0]

    def normals(self, count: int, limit: float = 2.5) -> NDArray[np.float64]:
        """Return (n, count) standard normal numbers, cut at ``limit``."""
        start = self._next_normal
        if start + count > NORMALS:
            raise IndexError(f"only {NORMALS} normal numbers are drawn per face.")
        self._next_normal += count
        return np.clip(self._normals[:, start : start + count], -limit, limit)
