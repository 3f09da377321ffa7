"""The spec: one run as frozen data. It holds whatever changes the result and nothing else."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import msgspec.structs
from msgspec.structs import replace

SPLITS = ("train", "validation", "test")
#: The start of a transfer network that needs neither a file nor a connection: a frozen body of random numbers, the same
#: in every run.
RANDOM_FEATURES = "random-features"
#: The value of one setting of a registered part.
Setting = bool | int | float | str | tuple[float, ...] | None


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no blanks, so that equal values give equal text.

    >>> canonical_json({"b": 1, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(value: Any) -> str:
    """Return the sha256 (hex) of a JSON value in its canonical form."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def derive_seed(seed: int, *names: object) -> int:
    """Derive an independent 31-bit seed from a run's seed and the names of its use.

    Deriving by name keeps every stream (initial weights, order of one epoch, augmentation of one epoch) independent of
    how many numbers another stream has drawn, so that nothing but the epoch number is needed to resume.

    >>> derive_seed(0, "order", 3) == derive_seed(0, "order", 3) != derive_seed(0, "order", 4)
    True
    """
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


class Stored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything that is kept as JSON: typed, checked when it is read, fields at their default left out.

    That a default is left out keeps hashes: a field that is added later changes no spec that does not use it.
    """

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data, without the fields that are at their default."""
        data: dict[str, Any] = plain(self)
        return data


def plain(value: Any) -> Any:
    """Return a value as JSON data; msgspec leaves out a default by identity, here equal values give equal data."""
    if isinstance(value, msgspec.Struct):
        fields = ((field, getattr(value, field.name)) for field in msgspec.structs.fields(value))
        return {field.name: plain(one) for field, one in fields if one != _default(field)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


class Part(Stored, frozen=True):
    """A registered piece of a protocol with its settings."""

    name: str  #: Registered name, such as ``cosine`` or ``cutout``.
    settings: dict[str, Setting] = {}  #: What it is set to; what is left out is at the piece's own default.


class Plateau(Stored, frozen=True):
    """The reduction of the learning rate on a plateau: ``factor`` after ``patience`` epochs without improvement."""

    factor: float
    patience: int


class Phase(Stored, frozen=True):
    """One phase of training."""

    name: str  #: What records and curves call it.
    kind: str  #: ``custom``, ``head`` or ``stage``: budgets cut phases by kind.
    trainable: str  #: ``all``, ``head`` (the body is frozen) or ``blocks:N`` (the top N blocks of the body).
    optimizer: Part  #: Registered optimizer with its settings.
    rate: float  #: Learning rate at the top of the schedule.
    updates: int  #: Weight updates in all.
    updates_per_epoch: int  #: Of these, updates between two looks at the validation split.
    #: Epochs without a better value of ``monitor`` after which the phase ends; None: never.
    patience: int | None = None
    plateau: Plateau | None = None  #: Reduction of the learning rate on ``monitor``, or None.
    schedule: Part = Part(name="constant")  #: Registered schedule of the learning rate.
    #: The head learns at the phase's rate, the body's top block at this share of it, each block below at this share of
    #: the block above.
    block_decay: float = 1.0
    #: What the phase watches on the validation split (``study.training.monitor``): the epoch that is kept, early
    #: stopping and the plateau all follow it. ``last`` keeps the last epoch, whatever it scores.
    monitor: str = "loss"
    #: Registered average of the weights, which is what is kept; None for the weights themselves.
    average: Part | None = None
    #: Under an augmentation, a head on a frozen body learns from this many changed copies of every image, made once, an
    #: epoch from each in turn, so that the body runs once over them; 0: from images that are changed anew in every
    #: update.
    feature_copies: int = 0

    @property
    def epochs(self) -> int:
        """Return the number of epochs if nothing stops the phase early."""
        return -(-self.updates // self.updates_per_epoch)


class NewSplit(Stored, frozen=True):
    """A random split of all images together: shares of ``test`` and ``validation``, and its ``seed``."""

    test: float
    validation: float
    seed: int


class Copies(Stored, frozen=True):
    """Static changed copies of every image, made once: their ``number`` and the ``augmentation`` that makes them."""

    number: int
    augmentation: tuple[Part, ...]


class RunProtocol(Stored, frozen=True):
    """A protocol as one run follows it: registered pieces and phases with their lengths in updates."""

    name: str  #: Name of the protocol, with what was varied (``baseline@rate=0.0003``).
    phases: tuple[Phase, ...]  #: Phases, in order.
    batch: int = 0  #: Images an update.
    sampling: str = "none"  #: Registered sampling.
    augmentation: tuple[Part, ...] = ()  #: Registered augmentations, in the order in which they are applied.
    loss: Part = Part(name="cross-entropy")  #: Registered loss.
    leak: str = "none"  #: ``none``, or how the protocol sees the test split on purpose.
    new_split: NewSplit | None = None  #: A split of all images anew; None for the image set's own.
    copies: Copies | None = None  #: Changed copies of every image; None for none.
    monitor_test: bool = False  #: Whether the test split is predicted after every epoch, for curves.
    twin: str = ""  #: The clean protocol that a leaky one is set beside.
    same_training_as: str = ""  #: The protocol whose record comes out of the same training.
    #: ``none``: transfer bodies start from random weights whatever the run says; empty: as the run says.
    start: str = ""
    epochs_in_all: bool = False  #: Whether ``--epochs`` means those of all phases together.
    train_share: float = 1.0  #: Share of the training split that is trained on.
    #: Version of how transfer networks are trained (``study.protocols.resolve``); 0 for custom ones.
    transfer_version: int = 0
    #: Registered views whose mean is predicted beside the single view at test time; None for none.
    views: Part | None = None

    def fixes_images(self, phase: Phase) -> bool:
        """Return whether a phase trains a head on images, or copies of them, that are the same in every epoch."""
        return phase.trainable == "head" and (phase.feature_copies > 0 or not self.augmentation)

    @property
    def updates(self) -> int:
        """Return the updates of all phases together."""
        return sum(phase.updates for phase in self.phases)


class DatasetName(Stored, frozen=True):
    """Which images: ``name``, and ``fingerprint``, the sha256 of images, labels, classes, ids and splits."""

    name: str
    fingerprint: str


class ModelName(Stored, frozen=True):
    """Which network: ``name``, ``version`` and ``family`` (``custom`` or ``transfer``) of its entry."""

    name: str
    version: str
    family: str


class Start(Stored, frozen=True):
    """Where the first weights come from."""

    #: ``none`` (random), ``random-features`` (a body of random numbers that are the same in every run and are never
    #: trained), ``imagenet`` or ``file``.
    source: str
    sha256: str = ""  #: Of the file; empty where there is none.


class Spec(Stored, frozen=True, dict=True):
    """Everything that decides the result of one run, with every ``auto`` resolved."""

    dataset: DatasetName  #: The image set.
    model: ModelName  #: The model entry.
    protocol: RunProtocol  #: The protocol, cut to its budget.
    budget: str  #: Name of that budget.
    side_px: int  #: Input side of the network in pixels.
    weights: Start  #: Where the first weights come from.
    precision: str  #: ``float32`` or ``mixed_bfloat16``.
    backend: str  #: Keras' backend.
    seed: int  #: Seed of the run; all others are derived from it by name.

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        """Build a spec from ``to_json`` data.

        Raises:
            msgspec.ValidationError: a field is missing, unknown or of another type; the message names it.
        """
        return msgspec.convert(data, cls)

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

    def without_seed(self) -> dict[str, Any]:
        """Return the JSON data of what all seeds of a run share."""
        data = self.to_json()
        del data["seed"]
        return data

    def _json_around_seed(self) -> tuple[str, str]:
        """Return what precedes and what follows the seed in the canonical JSON."""
        data = self.without_seed()
        before = {name: value for name, value in data.items() if name < "seed"}
        after = {name: value for name, value in data.items() if name > "seed"}
        return f'{canonical_json(before)[:-1]},"seed":', f",{canonical_json(after)[1:]}"

    @property
    def recipe(self) -> tuple[str, str]:
        """The pair that a study compares: model name and protocol name."""
        return (self.model.name, self.protocol.name)

    @property
    def key(self) -> str:
        """The run key: a readable slug and the start of the content hash."""
        model, protocol = self.recipe
        return f"{model}-{protocol.replace('/', '-')}-seed_{self.seed}-{self.hash}"
