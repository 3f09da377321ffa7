"""The grid: experiments/*.toml and flags become an ordered list of resolved specs."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from study.core.errors import UsageError, shown, unknown_name
from study.core.registry import Registry
from study.core.spec import Spec, Start
from study.core.toml import check_table, experiments_folder, read_toml
from study.datasets.image_set import ImageSet
from study.models.entry import MODELS, ModelEntry
from study.models.weights import WeightsChoice, resolve_weights
from study.protocols import PROTOCOLS, Protocol, resolve
from study.protocols.budgets import Budget
from study.protocols.splits import share_of

#: What ``models = "all"`` runs; entries that belong to one published recipe are in groups of their own.
ALL_MODELS = ("core", "plugin")
#: Groups of protocols that must be named: they measure leakage, or are ways to train a pretrained body on.
NEVER_IN_ALL = ("leaky", "clean-twins", "transfer")
FAMILY_ORDER = ("custom", "transfer")
#: Seeds of a grid, and the largest one.
MOST_SEEDS, LARGEST_SEED = 10_000, 2**63 - 1
#: Recipes (with their sides and shares) and runs of one plan.
MOST_RECIPES, MOST_RUNS = 10_000, 200_000
#: Values beyond these train nothing, and would only fill the memory.
MOST = {"rate": 1e3, "batch": 1 << 16, "side": 1 << 12, "train_share": 1e3, "epochs": 100_000}
#: What ``[axes]`` may vary.
AXES = ("rate", "batch", "side", "train_share")
#: Of these, the ones that change the protocol and its name with it; the report tells the others apart by themselves.
PROTOCOL_AXES = ("rate", "batch")
_WHOLE_AXES = ("batch", "side")

_GRID: dict[str, tuple[type, ...]] = {
    "models": (str, list),
    "protocols": (str, list),
    "seeds": (int, list),
    "runs": (list,),
    "axes": (dict,),
    "data": (str,),
    "budget": (str,),
    "epochs": (int,),
    "side": (int,),
    "train_share": (int, float),
}
_RUN: dict[str, tuple[type, ...]] = {"model": (str,), "protocol": (str,)}
_AXES: dict[str, tuple[type, ...]] = dict.fromkeys(AXES, (list,))


@dataclass(frozen=True)
class Grid:
    """What a grid file asks for; flags come before it."""

    name: str  #: Name or file as given.
    models: tuple[str, ...] = ()  #: Names and groups, crossed with ``protocols``.
    protocols: tuple[str, ...] = ()  #: Names and groups.
    runs: tuple[tuple[str, str], ...] = ()  #: Further pairs of model and protocol.
    #: Values of ``AXES``, crossed with everything else.
    axes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    seeds: tuple[int, ...] | None = None  #: Seeds, or None for the budget's.
    data: str | None = None  #: Dataset, or None.
    budget: str | None = None  #: Budget, or None.
    epochs: int | None = None  #: Epochs of every phase, or None for the protocol's own.
    side_px: int | None = None  #: Input side of every model, or None for the budget's or the entry's own.
    train_share: float = 1.0  #: Share of the training split that is trained on.


@dataclass(frozen=True)
class Choices:
    """What decides a run beside its model and its protocol."""

    budget: Budget  #: The budget.
    seeds: tuple[int, ...] = (0,)  #: Seeds of every pair.
    #: ``auto``, ``none``, ``imagenet`` or a file; or ``MODEL=`` one of these for some models, with commas.
    weights: str = "auto"
    #: Input sides that every model is run with; empty for the budget's or the entry's own.
    sides_px: tuple[int, ...] = ()
    train_shares: tuple[float, ...] = (1.0,)  #: Shares of the training split that every model is run with.
    epochs: int | None = None  #: Epochs of every phase, or None for the protocol's own.
    precision: str = "float32"  #: Keras' dtype policy.
    backend: str = "tensorflow"  #: Keras' backend.


@dataclass(frozen=True)
class PlannedSpec:
    """A resolved spec with what a plan says about it but an identity does not."""

    spec: Spec  #: The spec.
    weights: WeightsChoice  #: Where its first weights are and what to say about them.


def grid_names() -> list[str]:
    """Return the names of the grids in the folder of experiments, sorted."""
    return sorted(path.stem for path in experiments_folder().glob("*.toml") if path.stem != "budgets")


def read_grid(name: str) -> Grid:
    """Read a grid by the name of a file in ``experiments``, without ``.toml``, or from a path that ends in ``.toml``.

    Raises:
        UsageError: no such grid, or a file that breaks the rules.
    """
    if not name.endswith(".toml") and name not in grid_names():
        raise unknown_name("grid", name, grid_names())
    path = Path(name) if name.endswith(".toml") else experiments_folder() / f"{name}.toml"
    table = check_table(str(path), read_toml(path), _GRID)
    axes = check_table(f"{path} [axes]", table.get("axes", {}), _AXES)
    for axis, values in axes.items():
        kinds = (int,) if axis in _WHOLE_AXES else (int, float)
        if not values or not all(type(value) in kinds and 0 < value <= MOST[axis] for value in values):
            kind = "whole numbers" if axis in _WHOLE_AXES else "numbers"
            raise UsageError(
                f"{path} [axes]: {axis} must be a list of {kind} above 0, at most {MOST[axis]:g}, got {shown(values)}."
            )
    runs = [check_table(f"{path} [[runs]]", run, _RUN) for run in table.get("runs", [])]
    if any(len(run) != len(_RUN) for run in runs):
        raise UsageError(f"{path} [[runs]]: every run needs a model and a protocol.")
    if ("models" in table) != ("protocols" in table) or not (runs or "models" in table):
        raise UsageError(f"{path}: a grid needs models and protocols, or [[runs]], or both.")
    seeds = table.get("seeds")
    for key in ("side", "epochs"):
        if not 1 <= table.get(key, 1) <= MOST[key]:
            raise UsageError(f"{path}: {key} must be at least 1 and at most {MOST[key]:,}, got {table[key]}.")
    for share in (*axes.get("train_share", []), table.get("train_share", 1)):
        check_share(f"{path}: train_share", share)
    return Grid(
        name,
        _names(path, "models", table),
        _names(path, "protocols", table),
        tuple((run["model"], run["protocol"]) for run in runs),
        {axis: tuple(values) for axis, values in axes.items()},
        None if seeds is None else parse_seeds(seeds if isinstance(seeds, int) else ",".join(map(shown, seeds)) + ","),
        table.get("data"),
        table.get("budget"),
        table.get("epochs"),
        table.get("side"),
        float(table.get("train_share", 1)),
    )


def check_share(where: str, share: float) -> None:
    """Raise a UsageError for a share of the training split that does not lie above 0, or is above 1."""
    if not 0 < share <= 1:
        raise UsageError(f"{where} must lie above 0 and be at most 1 (0.25 is a quarter), got {share!r}.")


def parse_seeds(text: str | int) -> tuple[int, ...]:
    """Return seeds: ``3`` means 0, 1, 2; ``0,1,4`` (or ``4,``) names them.

    Raises:
        UsageError: anything else.

    >>> parse_seeds("3"), parse_seeds("0,1,4")
    ((0, 1, 2), (0, 1, 4))
    """
    words = str(text).split(",")
    try:
        numbers = [int(word) for word in words if word.strip()]
    except ValueError:
        numbers = []
    if len(words) == 1 and numbers:
        numbers = list(range(min(numbers[0], MOST_SEEDS + 1)))
    seeds = tuple(dict.fromkeys(numbers))
    if not seeds or len(seeds) > MOST_SEEDS or not all(0 <= seed <= LARGEST_SEED for seed in seeds):
        raise UsageError(
            "seeds are a count (3 means 0, 1, 2) or a list (0,1,4) of numbers from 0, "
            f"at most {MOST_SEEDS:,}, got {str(text)[:80]!r}."
        )
    return seeds


def select_pairs(
    grid: Grid, models: Sequence[str] = (), protocols: Sequence[str] = ()
) -> list[tuple[ModelEntry, Protocol]]:
    """Return a grid's pairs of model and protocol in the order in which they run; no pair twice.

    Names and groups of ``models`` replace the grid's, and of its ``[[runs]]`` they keep what they name; ``protocols``
    likewise.

    Raises:
        UsageError: an unknown name, or nothing left to run.
    """
    pairs = list(
        itertools.product(
            select_models(models or grid.models) if grid.models else [],
            select_protocols(protocols or grid.protocols) if grid.protocols else [],
        )
    )
    wanted_models = {entry.name for entry in select_models(models)}
    wanted_protocols = {protocol.name for protocol in select_protocols(protocols)}
    for model_name, protocol_name in grid.runs:
        entry, protocol = MODELS.get(model_name), PROTOCOLS.get(protocol_name)
        if (not models or entry.name in wanted_models) and (not protocols or protocol.name in wanted_protocols):
            pairs.append((entry, protocol))
    names = sorted(set(grid.axes) & set(PROTOCOL_AXES))
    _check_size("recipes", MOST_RECIPES, len(pairs), *(len(grid.axes[name]) for name in names))
    combinations = itertools.product(*(grid.axes[name] for name in names))
    settings: list[dict[str, Any]] = [dict(zip(names, values, strict=True)) for values in combinations]
    varied = [(entry, vary(protocol, **values)) for entry, protocol in pairs for values in settings]
    unique = {(entry.name, protocol.name): (entry, protocol) for entry, protocol in varied}
    if not unique:
        raise UsageError(f"nothing to run: grid {grid.name!r} has no such pair of --models and --protocols.")
    return list(unique.values())


def select_models(names: Iterable[str]) -> list[ModelEntry]:
    """Return model entries by name, group or ``all``; members of a group come custom networks first, then by name.

    Raises:
        UsageError: neither a name nor a group.

    >>> [entry.name for entry in select_models(["cnn3", "core"])]
    ['cnn3', 'cnn2', 'cnn5', 'resnet50', 'vgg16']
    """

    def members(group: str) -> list[ModelEntry]:
        groups = set(ALL_MODELS if group == "all" else (group,))
        return sorted(
            (one for one in MODELS if groups & set(one.groups)), key=lambda one: FAMILY_ORDER.index(one.family)
        )

    return _select("model", MODELS, names, members)


def select_protocols(names: Iterable[str]) -> list[Protocol]:
    """Return protocols by name, group or ``all`` (but ``NEVER_IN_ALL``); members of a group come by name.

    A name may be followed by what is varied, as ``vary`` names it: ``baseline@rate=0.0003``.

    Raises:
        UsageError: neither a name nor a group.
    """

    def members(group: str) -> list[Protocol]:
        if "@" in group:
            return [_varied(group)]
        if group == "all":
            return [one for one in PROTOCOLS if not set(one.groups) & set(NEVER_IN_ALL)]
        return [one for one in PROTOCOLS if group in one.groups]

    return _select("protocol", PROTOCOLS, names, members)


def _select(kind: str, registry: Registry[Any], names: Iterable[str], members: Callable[[str], list[Any]]) -> list[Any]:
    """Return the entries of some names, each once; ``members`` finds those of what is no entry's own name."""
    found: dict[str, Any] = {}
    for name in names:
        chosen = [registry.get(name)] if name in registry.names() else members(name)
        if not chosen:
            groups = {group for entry in registry for group in entry.groups}
            raise unknown_name(kind, name, [*registry.names(), *groups, "all"])
        found.update((one.name, one) for one in chosen)
    return list(found.values())


def _varied(name: str) -> Protocol:
    """Return the protocol of a name with ``@rate=X``, ``@batch=N`` or both with a comma (in flags: a plus sign)."""
    base, _, text = name.partition("@")
    values = {"": -1.0}
    with contextlib.suppress(ValueError):
        parts = (part.partition("=") for part in text.replace("+", ",").split(","))
        values = {axis: float(value) for axis, _, value in parts}
    if not set(values) <= set(PROTOCOL_AXES) or not all(0 < value <= MOST[axis] for axis, value in values.items()):
        raise UsageError(
            f"after '@' a protocol takes rate=X, batch=N or both with '+', above 0 and at most {MOST['rate']:g} and "
            f"{MOST['batch']:,}, got {shown(name)}: such as {base[:40]}@rate=0.0003."
        )
    batch = values.get("batch")
    return vary(PROTOCOLS.get(base), rate=values.get("rate"), batch=None if batch is None else int(batch))


def vary(protocol: Protocol, *, rate: float | None = None, batch: int | None = None) -> Protocol:
    """Return a protocol with another learning rate or batch size, named after both, as a recipe of its own.

    ``rate`` is that of the first phase (a transfer network's head); later phases keep their proportion to it.

    >>> from study.protocols import PROTOCOLS
    >>> vary(PROTOCOLS.get("baseline"), batch=128).name
    'baseline@batch=128'
    """
    values = {name: value for name, value in (("rate", rate), ("batch", batch)) if value is not None}
    if not values:
        return protocol
    mark = f"@{','.join(f'{axis}={value:g}' for axis, value in values.items())}"
    # A leaky protocol's twin is varied with it.
    named = {key: getattr(protocol, key) for key in ("name", "twin", "same_training_as") if getattr(protocol, key)}
    changes: dict[str, Any] = {key: name + mark for key, name in named.items()}
    if batch is not None:
        changes["batch"] = int(batch)
    if rate is not None:
        for family, phases in (("custom", protocol.custom), ("transfer", protocol.transfer)):
            rates = [float(f"{phase.rate * (rate / phases[0].rate):.10g}") for phase in phases]  # no noise in specs
            changes[family] = tuple(replace(phase, rate=one) for phase, one in zip(phases, rates, strict=True))
    return replace(protocol, **changes)


def resolve_specs(
    pairs: Iterable[tuple[ModelEntry, Protocol]], choices: Choices, image_set: ImageSet
) -> list[PlannedSpec]:
    """Return the specs of all pairs, sides, shares and seeds; a seed's runs are complete before the next seed's begin.

    Raises:
        UsageError: a side below a model's minimum, or nothing to train.
        WeightsError: weights that were asked for and are not there.
    """
    pairs = list(pairs)
    kinds = len(pairs), len(choices.sides_px or (None,)), len(choices.train_shares)
    _check_size("recipes", MOST_RECIPES, *kinds)
    _check_size("runs", MOST_RUNS, *kinds, len(choices.seeds))
    train = image_set.indices("train")
    images = {share: len(share_of(image_set.labels[train], train, share)) for share in choices.train_shares}
    sources = weights_by_model(choices.weights, [entry.name for entry, _ in pairs])
    if choices.budget.weights:
        sources = {name: choices.budget.weights if source == "auto" else source for name, source in sources.items()}
    used = {(entry.name, protocol.start or sources[entry.name]): entry for entry, protocol in pairs}
    weights = {(name, source): resolve_weights(entry, source) for (name, source), entry in used.items()}
    recipes = []
    for side_px, share in itertools.product(choices.sides_px or (None,), choices.train_shares):
        for entry, protocol in pairs:
            start = weights[entry.name, protocol.start or sources[entry.name]]
            phases = resolve(
                protocol,
                family=entry.family,
                weights_source=start.source,
                train_images=images[share],
                updates=choices.budget.updates,
                epochs=choices.epochs,
                train_share=share,
            )
            spec = Spec(
                dataset=image_set.identity,
                model=entry.identity,
                protocol=phases,
                budget=choices.budget.name,
                side_px=_side(entry, side_px, choices),
                weights=Start(source=start.source, sha256=start.sha256),
                precision=choices.precision,
                backend=choices.backend,
                seed=choices.seeds[0],
            )
            recipes.append([PlannedSpec(one, start) for one in spec.with_seeds(choices.seeds)])
    return [one for seed in zip(*recipes, strict=True) for one in seed]


def _check_size(what: str, most: int, *lengths: int) -> None:
    if (count := math.prod(lengths)) > most:
        raise UsageError(f"one plan has at most {most:,} {what}, got {count:,}: leave out axes, recipes or seeds.")


def _names(path: Path, key: str, table: Mapping[str, Any]) -> tuple[str, ...]:
    value = table.get(key, [])
    names = [value] if isinstance(value, str) else value
    if not all(isinstance(name, str) for name in names):
        raise UsageError(f"{path}: {key} must be a name or a list of names, got {shown(value)}.")
    return tuple(names)


def weights_by_model(text: str, names: Iterable[str]) -> dict[str, str]:
    """Return where each model starts from, for what ``--weights`` takes.

    That is ``auto``, ``none``, ``imagenet`` or a file for all models; or such choices with commas, each after
    ``MODEL=``; of ``names``, the models that run, those that are not named start from ``auto``.

    Raises:
        UsageError: a choice for a model that does not run.
    """
    names = list(dict.fromkeys(names))
    parts = [part.strip().partition("=") for part in text.split(",")]
    if not all(equals and model in MODELS.names() for model, equals, _ in parts):
        return dict.fromkeys(names, text)  # file names may hold commas and equal signs themselves
    given = {model: choice for model, _, choice in parts}
    for model in given:
        if model not in names:
            raise unknown_name("model of --weights", model, names)
    return {name: given.get(name, "auto") for name in names}


def _side(entry: ModelEntry, side_px: int | None, choices: Choices) -> int:
    side = side_px or choices.budget.side_px.get(entry.family, entry.side_px)
    if not entry.minimum_side_px <= side <= MOST["side"]:
        raise UsageError(
            f"{entry.name} takes sides from {entry.minimum_side_px} to {MOST['side']} px, got {side}: give another "
            "--side."
        )
    return side
