"""Factor effects as contrasts of recipes: oversampling, augmentation, transfer, and their interactions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.analysis.recipes import Recipe, random_weights
from study.core.spec import RANDOM_FEATURES, Spec, content_hash

OVERSAMPLING, AUGMENTATION = "oversampling", "augmentation"
BOTH = f"{OVERSAMPLING} × {AUGMENTATION}"
#: Effects within a model, with the protocol's switches that they are made of.
SWITCHES: Mapping[str, tuple[str, ...]] = {
    OVERSAMPLING: (OVERSAMPLING,),
    AUGMENTATION: (AUGMENTATION,),
    BOTH: (OVERSAMPLING, AUGMENTATION),
}
#: Kinds of networks with a body: pretrained, trained from random weights, and random weights that stay.
TRANSFER, RANDOM_BODY, FROZEN_RANDOM = "transfer", "random body", "random features"
#: The ways to transfer a body, and the one that starts it from nothing.
WAYS, RANDOM_START = "transfer/", "transfer/random-start"
#: What ends the name of a way's effect.
AGAINST_RANDOM = " vs random start"
#: What else the four names of the shared protocols stand for is left out of a cell: names are words, not treatment.
_NOT_TREATMENT = ("name", "source", "sampling", "augmentation", "monitor_test", "same_training_as")


@dataclass(frozen=True)
class FactorContrast:
    """One effect as weights on recipes."""

    factor: str  #: What is switched, such as ``augmentation``, or an interaction ``a × b``.
    model: str | None  #: The model whose effect it is; None over all models that ran all of it.
    #: Of each recipe that takes part; they add up to zero. In points of a metric, the effect is with minus without,
    #: averaged over everything else that was run both ways; an interaction is a difference of effects.
    weights: Mapping[Recipe, float]

    @property
    def way(self) -> str:
        """The way to transfer that is set against a random start; empty for any other factor."""
        return self.factor.removesuffix(AGAINST_RANDOM) if self.factor.endswith(AGAINST_RANDOM) else ""


def is_random_start(protocol: str) -> bool:
    """Tell whether a protocol is the random start that ways to transfer are set against, at whatever rate."""
    return protocol.partition("@")[0] == RANDOM_START


def factor_contrasts(specs: Mapping[Recipe, Spec], validation: Mapping[Recipe, float]) -> list[FactorContrast]:
    """Return every effect that the recipes can tell, overall first, then model by model.

    Effects of oversampling, augmentation and their interaction come from recipes that are alike in all else. Transfer
    is the mean over transfer networks less the mean over custom ones under the same protocol and budget, averaged over
    the protocols that both families ran: the families differ in size, cost and training too. Bodies that started from
    random weights are a family of their own, as they say nothing on transfer. What a way to transfer is worth is told
    against the same body from a random start, with the same updates on the same images; where that was tried at several
    rates, against the one with the best validation accuracy, so that the comparison is with a start that learns.
    ``specs`` has a spec of each recipe that may take part (without leaky ones), in table order.
    """
    cells = _cells(specs)
    models = list(dict.fromkeys(recipe.model for recipe in specs))
    by_model = {model: {recipe: cell for recipe, cell in cells.items() if recipe.model == model} for model in models}
    found = []
    for factor, switches in SWITCHES.items():
        ran = {model: weights for model in models if (weights := factorial_weights(by_model[model], switches))}
        found.append(FactorContrast(factor, None, factorial_weights(cells, switches)))
        found += [FactorContrast(factor, model, weights) for model, weights in ran.items()]
        # Of two models, one against the other says it all.
        for model in list(ran)[: len(ran) if len(ran) > 2 else len(ran) - 1] if len(switches) == 1 else ():
            found.append(FactorContrast(f"{factor} × model", model, _against_other_models(ran, model)))
    families = {recipe: _family(spec) for recipe, spec in specs.items()}
    for family in (TRANSFER, RANDOM_BODY, FROZEN_RANDOM):
        title = f"{family} vs custom"
        found.append(FactorContrast(title, None, _between_families(specs, families, family)))
        members = [model for model in models if any(families[one] == family for one in specs if one.model == model)]
        for model in members if len(members) > 1 else []:
            chosen = {one: spec for one, spec in specs.items() if one.model == model or families[one] == "custom"}
            found.append(FactorContrast(title, model, _between_families(chosen, families, family)))
        for factor, switches in SWITCHES.items():
            effects = {model: factorial_weights(by_model[model], switches) for model in models}
            weights = _between_effects(effects, cells, families, family)
            found.append(FactorContrast(f"{factor} × {family}", None, weights))
    ways = {recipe: spec for recipe, spec in specs.items() if spec.protocol.name.startswith(WAYS)}
    bodies = list(dict.fromkeys(spec.model.name for spec in ways.values()))
    for way in dict.fromkeys(spec.protocol.name for spec in ways.values()):
        if is_random_start(way):
            continue
        title = way.removeprefix(WAYS) + AGAINST_RANDOM
        found.append(FactorContrast(title, None, _against_random_start(ways, way, validation)))
        for body in bodies if len(bodies) > 1 else []:
            chosen = {recipe: spec for recipe, spec in ways.items() if spec.model.name == body}
            found.append(FactorContrast(title, body, _against_random_start(chosen, way, validation)))
    overall = [one for one in found if one.weights and one.model is None]
    shared = {one.factor: one.weights for one in overall}
    return overall + [one for one in found if one.weights and one.model and one.weights != shared.get(one.factor)]


def _cells(specs: Mapping[Recipe, Spec]) -> dict[Recipe, dict[str, Any]]:
    """Return the levels of the recipes that differ from others in the two switches; each set of levels once."""
    augmented = [spec.protocol for spec in specs.values() if spec.protocol.augmentation]
    # Another protocol's own augmentation is another treatment: it is compared as a recipe, not as this factor.
    augmented.sort(key=lambda protocol: protocol.name != "augment")
    treatment = augmented[0].augmentation if augmented else ()
    cells: dict[Recipe, dict[str, Any]] = {}
    seen = set()
    for recipe, spec in specs.items():
        sampling, augmentation = spec.protocol.sampling, spec.protocol.augmentation
        if sampling not in ("none", "oversample") or augmentation not in ((), treatment):
            continue
        rest = spec.without_seed()
        rest["protocol"] = {name: value for name, value in rest["protocol"].items() if name not in _NOT_TREATMENT}
        for phase in rest["protocol"]["phases"]:
            phase.pop("feature_copies", None)  # part of how a head sees the augmentation
        cell = {"rest": content_hash(rest), OVERSAMPLING: sampling == "oversample", AUGMENTATION: bool(augmentation)}
        if tuple(cell.values()) not in seen:  # two names of one treatment
            seen.add(tuple(cell.values()))
            cells[recipe] = cell
    return cells


def factorial_weights(cells: Mapping[Recipe, Mapping[str, Any]], factors: Sequence[str]) -> dict[Recipe, float]:
    """Return the weights of a factor's effect, or of an interaction; none where nothing was run both ways.

    One factor: mean over strata of (with - without). Two: mean of the difference of differences, and so on (Yates,
    "The design and analysis of factorial experiments", 1937). A stratum holds recipes that are equal in everything but
    the factors; only strata with every combination count, so that a factor is never confounded with a model that was
    not run under all of it. Cells have each recipe's levels by name, no two alike; the factors' are True and False.
    """
    strata: dict[frozenset[Any], dict[tuple[bool, ...], Recipe]] = defaultdict(dict)
    for recipe, cell in cells.items():
        stratum = frozenset((name, level) for name, level in cell.items() if name not in factors)
        strata[stratum][tuple(cell[factor] for factor in factors)] = recipe
    complete = [stratum for stratum in strata.values() if len(stratum) == 2 ** len(factors)]
    signs = {recipe: (-1.0) ** levels.count(False) for stratum in complete for levels, recipe in stratum.items()}
    return {recipe: signs[recipe] / len(complete) for recipe in cells if recipe in signs}


def _against_other_models(effects: Mapping[str, Mapping[Recipe, float]], model: str) -> dict[Recipe, float]:
    """Return the effect in one model less the mean of the same effect in the others."""
    return {
        recipe: weight if name == model else -weight / (len(effects) - 1)
        for name, weights in effects.items()
        for recipe, weight in weights.items()
    }


def _mean_difference(strata: Iterable[tuple[list[Recipe], list[Recipe]]]) -> dict[Recipe, float]:
    """Return the mean over recipes with less that over recipes without, averaged over the strata that have both."""
    complete = [stratum for stratum in strata if all(stratum)]
    return {
        recipe: sign / len(members) / len(complete)
        for stratum in complete
        for members, sign in zip(stratum, (1.0, -1.0), strict=True)
        for recipe in members
    }


def _between_families(specs: Mapping[Recipe, Spec], families: Mapping[Recipe, str], family: str) -> dict[Recipe, float]:
    strata: dict[tuple[str, str], dict[str, list[Recipe]]] = defaultdict(lambda: defaultdict(list))
    for recipe, spec in specs.items():
        strata[spec.protocol.name, spec.budget][families[recipe]].append(recipe)
    return _mean_difference((stratum[family], stratum["custom"]) for stratum in strata.values())


def _against_random_start(
    specs: Mapping[Recipe, Spec], way: str, validation: Mapping[Recipe, float]
) -> dict[Recipe, float]:
    """Return one way to transfer less the best random start, over the bodies, sides and shares that ran both."""
    strata: dict[str, dict[str, list[Recipe]]] = defaultdict(lambda: defaultdict(list))
    for recipe, spec in specs.items():
        protocol = spec.protocol
        updates = sum(phase.updates for phase in protocol.phases)
        alike = [spec.model.to_json(), spec.side_px, spec.precision, protocol.train_share, updates]
        name = RANDOM_START if is_random_start(protocol.name) else protocol.name
        strata[content_hash(alike)][name].append(recipe)
    complete = [one for one in strata.values() if one[way] and one[RANDOM_START]]
    return _mean_difference((one[way], [max(one[RANDOM_START], key=lambda of: validation[of])]) for one in complete)


def _between_effects(
    effects: Mapping[str, Mapping[Recipe, float]],
    cells: Mapping[Recipe, Mapping[str, Any]],
    families: Mapping[Recipe, str],
    family: str,
) -> dict[Recipe, float]:
    """Return the effect's mean over a family's models less that over custom ones, from models that ran all of it."""
    ran = {
        model: {(cells[one][OVERSAMPLING], cells[one][AUGMENTATION]) for one in weights}
        for model, weights in effects.items()
    }
    most = max(map(len, ran.values()), default=0)
    whole: dict[str, list[Mapping[Recipe, float]]] = defaultdict(list)
    for model, weights in effects.items():
        if weights and len(ran[model]) == most:
            whole[families[next(iter(weights))]].append(weights)
    if not (whole[family] and whole["custom"]):
        return {}
    return {
        recipe: sign * weight / len(whole[name])
        for name, sign in ((family, 1.0), ("custom", -1.0))
        for weights in whole[name]
        for recipe, weight in weights.items()
    }


def _family(spec: Spec) -> str:
    if spec.model.family != "transfer":
        return "custom"
    if spec.weights.source == RANDOM_FEATURES:
        return FROZEN_RANDOM
    return RANDOM_BODY if random_weights(spec) else TRANSFER
