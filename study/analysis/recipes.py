"""Recipes: how runs are named, ordered and grouped in every table and figure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from study.core.errors import DamagedError, StoreError
from study.core.record import Record
from study.core.spec import RANDOM_FEATURES, Spec, content_hash
from study.core.store import Damage, Store

#: The four that differ in sampling and augmentation only come first, in this order.
SHARED_PROTOCOLS = ("baseline", "oversample", "augment", "oversample+augment")


@dataclass(frozen=True, order=False)
class Recipe:
    """What a study compares: a model and a protocol, as they are shown."""

    #: Model name, with ``(random weights)`` where a transfer network started from none, ``(random features)`` where its
    #: body stayed so, ``(pretrained)`` where it came from a file (which one, where the study has several).
    model: str
    #: Protocol name, with the share of the training split where it is not the whole; it says ``leaky`` where it saw or
    #: chose on the test split.
    protocol: str

    def __str__(self) -> str:
        return f"{self.model} / {self.protocol}"


@dataclass(frozen=True)
class Naming:
    """The names of a study's records and their order."""

    recipes: Mapping[str, Recipe]  #: Recipe of every record, by run key.
    models: tuple[str, ...]  #: Model names in the order of every table: custom before transfer, then by name.
    #: Protocol names in the order of every table: the shared four, others, as published, leaky.
    protocols: tuple[str, ...]

    def of(self, record: Record) -> Recipe:
        """Return a record's recipe."""
        return self.recipes[record.key]

    def order(self, recipe: Recipe) -> tuple[int, int]:
        """Return the sort key that puts recipes in the order of every table."""
        return (self.models.index(recipe.model), self.protocols.index(recipe.protocol))


def is_leaky(record: Record) -> bool:
    """Tell whether a record is leaky; a failed run has measured nothing, so its protocol is asked too."""
    return record.leaky or record.spec.protocol.leak != "none"


def random_weights(spec: Spec) -> bool:
    """Tell whether a transfer network was trained from random weights."""
    return spec.model.family == "transfer" and spec.weights.source == "none"


def read_records(store: Store) -> tuple[list[Record], Naming, list[Damage]]:
    """Read a study's records, in the order in which every table shows them, their names, and what cannot be read.

    Raises:
        StoreError: the study has no records, or none that can be read.
    """
    records, damaged = store.examine()
    if not records and damaged:
        raise DamagedError(damaged[0].reason)
    if not records:
        raise StoreError(f"study {store.study!r} has no records in {store.results}: run it first or give --results.")
    naming = name_records(records)
    records.sort(key=lambda record: (naming.order(naming.of(record)), record.spec.seed, record.spec.hash))
    return records, naming, damaged


def name_records(records: Iterable[Record]) -> Naming:
    """Name every record so that two runs share a recipe only where they differ in nothing but the seed."""
    records = list(records)
    # A failed run may not have come to read what its file says: others that started from the same file tell.
    pretrained_on = {
        record.spec.weights.sha256: str(record.pretraining.dataset) for record in records if record.pretraining
    }
    several = len(set(pretrained_on.values())) > 1
    twins: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        pretraining = pretrained_on.get(record.spec.weights.sha256, "")
        mark = f"from {pretraining}" if several and pretraining else "pretrained" if pretraining else "weights file"
        twins[(_model_name(record, mark), _protocol_name(record))].append(record)
    recipes = {}
    for (model, protocol), group in twins.items():
        specs = [record.spec for record in group]
        alike = len({content_hash(spec.without_seed()) for spec in specs}) == 1
        for record in group:
            recipes[record.key] = Recipe(model, protocol + ("" if alike else _difference(record.spec, specs)))
    model_keys = {
        recipes[record.key].model: (record.spec.model.family == "transfer", record.spec.model.name)
        for record in records
    }
    protocol_keys = {recipes[record.key].protocol: _protocol_order(record) for record in records}
    return Naming(
        recipes,
        tuple(sorted(model_keys, key=lambda name: (model_keys[name], name))),
        tuple(sorted(protocol_keys, key=lambda name: (protocol_keys[name], name))),
    )


def _model_name(record: Record, file: str) -> str:
    """Return a model's name, with what a transfer network started from; ``file`` names a weights file."""
    marks = {"none": "random weights", RANDOM_FEATURES: "random features", "file": file}
    model, mark = record.spec.model, marks.get(record.spec.weights.source, "")
    return f"{model.name} ({mark})" if mark and model.family == "transfer" else model.name


def _protocol_name(record: Record) -> str:
    name = record.spec.protocol.name
    share = record.spec.protocol.train_share
    name += f" ({100 * share:g} % of train)" if share < 1 else ""
    return f"{name} (leaky)" if is_leaky(record) and not name.startswith("leaky") else str(name)


def _difference(spec: Spec, others: list[Spec]) -> str:
    """Return, in brackets, what tells a spec apart from others of its names; some of them differ in more than seeds."""
    aspects: list[Callable[[Spec], str]] = [
        lambda one: f"{one.budget} budget",
        lambda one: f"{one.side_px} px",
        lambda one: one.precision,
        lambda one: one.backend,
        lambda one: f"weights {one.weights.sha256[:8]}",
        lambda one: f"version {one.model.version}",
        lambda one: f"{one.protocol.updates} updates",
    ]
    told = [say for say in aspects if len({say(other) for other in others}) > 1]
    words = [say(spec) for say in told]
    named = {tuple(say(other) for say in told) for other in others}
    if len({content_hash(other.without_seed()) for other in others}) > len(named):
        words.append(f"#{content_hash(spec.without_seed())[:6]}")
    return f" [{', '.join(words)}]"


def _protocol_order(record: Record) -> tuple[int, int, str]:
    name = record.spec.protocol.name
    shared = SHARED_PROTOCOLS.index(name) if name in SHARED_PROTOCOLS else len(SHARED_PROTOCOLS)
    place = 2 if is_leaky(record) else 1 if "/" in name else 0
    return (place, shared, name)
