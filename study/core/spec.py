"""The spec: one run as frozen data. It holds whatever changes the result and nothing else."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

SPLITS = ("train", "validation", "test")


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no blanks, so that equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(value: Any) -> str:
    """Return the sha256 (hex) of a JSON value in its canonical form."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def derive_seed(seed: int, *names: object) -> int:
    """Derive an independent 31-bit seed from a run's seed and the names of its use.

    Deriving by name keeps every stream (initial weights, order of one epoch, augmentation of one epoch) independent of
    how many numbers another stream has drawn, so that nothing but the epoch number is needed to resume.
    """
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Spec:
    """Everything that decides the result of one run, with every ``auto`` resolved.

    Attributes:
        dataset: ``name``, ``fingerprint`` (sha256 of images, labels, classes, ids and splits) of the image set.
        model: ``name``, ``version``, ``family`` (``custom`` or ``transfer``) of the model entry.
        protocol: The resolved protocol (see ``study.protocols.resolve``): sampling, augmentation, loss, batch, phases.
        budget: Name of the budget that the phases were cut to.
        side_px: Input side of the network in pixels.
        weights: ``source`` (``none``, ``imagenet`` or ``file``) and ``sha256`` of the file (empty for ``none``).
        precision: ``float32`` or ``mixed_bfloat16``.
        backend: Keras' backend.
        seed: Seed of the run; all others are derived from it by name.
    """

    dataset: Mapping[str, Any]
    model: Mapping[str, Any]
    protocol: Mapping[str, Any]
    budget: str
    side_px: int
    weights: Mapping[str, Any]
    precision: str
    backend: str
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data; ``from_json`` gives an equal spec back."""
        data: dict[str, Any] = json.loads(canonical_json(asdict(self)))
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        """Build a spec from ``to_json`` data; unknown or missing fields raise ``TypeError``."""
        return cls(**data)

    @functools.cached_property
    def hash(self) -> str:
        """First ten hex digits of the sha256 of the spec's JSON."""
        before, after = self._json_around_seed()
        return _short_hash(f"{before}{self.seed}{after}")

    def with_seeds(self, seeds: Iterable[int]) -> list[Spec]:
        """Return the same run with each of the seeds; the specs share what does not differ, so that many are cheap."""
        before, after = self._json_around_seed()
        specs = []
        for seed in seeds:
            spec = replace(self, seed=seed)
            spec.__dict__["hash"] = _short_hash(f"{before}{seed}{after}")
            specs.append(spec)
        return specs

    def _json_around_seed(self) -> tuple[str, str]:
        """Return what precedes and what follows the seed in ``canonical_json(self.to_json())``."""
        names = sorted(self.__dataclass_fields__)
        place = names.index("seed")
        parts = [f'"{name}":{canonical_json(getattr(self, name))}' for name in names]
        return f'{{{",".join(parts[:place])},"seed":', f",{','.join(parts[place + 1 :])}}}"

    @property
    def recipe(self) -> tuple[str, str]:
        """The pair that a study compares: model name and protocol name."""
        return (self.model["name"], self.protocol["name"])

    @property
    def key(self) -> str:
        """The run key: a readable slug and the start of the content hash."""
        model, protocol = self.recipe
        return f"{model}-{protocol.replace('/', '-')}-seed_{self.seed}-{self.hash}"
