"""The simulated proof of the statistics: levels, family-wise error rates, coverage and power, cell by cell.

``python -m tests.analysis.simulations`` prints the table of ``docs/statistics.md`` (about half an hour on two cores);
``--studies 300`` is for trying. A fixed part runs in the slow suite.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtr

from study.analysis.comparisons import ALPHA, holm
from study.analysis.contrasts import Family, Sample, reach
from study.analysis.influence import linearise
from study.analysis.power import Design, detectable_effect
from study.analysis.scores import chosen_by_other_parts
from tests.analysis.simulated_studies import COMMON, DISGUST, OWN, SHARES, ClassDesign, Study, one_hot

LEVELS = (0.05, 0.01, 0.001)
PATTERNS = ("equal", "first", "half", "all but one", "ladder")
TAIL = (1 - 0.95) / 2


@dataclass(frozen=True)
class Cell:
    """One line of the table: what was simulated, and shares by name."""

    about: str
    studies: int
    found: dict[str, float]

    def __str__(self) -> str:
        numbers = ", ".join(f"{name} {value:.4f}" for name, value in self.found.items())
        return f"{self.about} ({self.studies:,}): {numbers}"


def most(share: float, studies: int) -> float:
    """Return the limit for a simulated error rate: the nominal one and two Monte-Carlo standard errors."""
    return share + 2.0 * float(np.sqrt(share * (1.0 - share) / studies))


def levels(study: Study, studies: int, seed: int = 1) -> Cell:
    """Two recipes without a difference: how often one is claimed at each level."""
    values, _ = study.draw(studies, seed)
    gap = np.abs(values.mean(axis=-1) @ study.contrasts.T)
    return _cell(study, studies, {f"p < {level:g}": np.mean(gap > study.widths(values, 1 - level)) for level in LEVELS})


def earlier_levels(study: Study, studies: int, seed: int = 1) -> Cell:
    """The same by Satterthwaite's degrees of freedom without a floor, as it was until November 2026."""
    values, _ = study.draw(studies, seed)
    p_values = _earlier_p_values(study, values)
    return _cell(study, studies, {f"p < {level:g}": np.mean(p_values < level) for level in LEVELS})


def family_wise(study: Study, studies: int, seed: int = 2) -> Cell:
    """Several recipes without a difference: how often anything is claimed, and the coverage of the intervals."""
    values, validation = study.draw(studies, seed)
    gap = np.abs(values.mean(axis=-1) @ study.contrasts.T)
    claimed = gap > study.widths(values, pairs=len(study.pairs))
    missed = gap > study.widths(values)
    of_best = _of_best(study, validation)
    found = {
        "any pair": claimed.any(axis=1).mean(),
        "any against the best": (claimed & of_best).any(axis=1).mean(),
        "coverage against the best": 1 - (claimed & of_best).sum() / of_best.sum(),
        "coverage of one pair, least": 1 - missed.mean(axis=0).max(),
    }
    return _cell(study, studies, found)


def earlier_family_wise(study: Study, studies: int, seed: int = 2) -> Cell:
    """The same by the earlier p-values and Holm's correction, against the best and over all pairs."""
    values, validation = study.draw(studies, seed)
    p_values, of_best = _earlier_p_values(study, values), _of_best(study, validation)
    every = [holm(row).min() < ALPHA for row in p_values]
    best = [holm(row[chosen]).min() < ALPHA for row, chosen in zip(p_values, of_best, strict=True)]
    return _cell(study, studies, {"any pair": np.mean(every), "any against the best": np.mean(best)})


def effects(study: Study, studies: int, seed: int = 3) -> Cell:
    """Two by two protocols of each model: oversampling, augmentation, their interaction, Holm's correction."""
    values, _ = study.draw(studies, seed)
    models = study.recipes // 4  # recipes in the order: no, oversampling, augmentation, both
    signs = np.array([[-1, 1, -1, 1], [-1, -1, 1, 1], [2, -2, -2, 2]]) / 2
    weights = np.tile(signs, models) / models
    gap = np.abs(values.mean(axis=-1) @ weights.T)
    images = OWN * np.sum(weights**2, axis=1)
    found = study.variances(values)
    own = gap > reach(TAIL, *found.of_contrasts(weights), images)
    parts = found.moderated().of_contrasts(weights)
    # Holm claims something exactly where the smallest p-value is below a third of the level.
    claimed = (own & (gap > reach(TAIL / len(weights), *parts, images))).any(axis=1)
    return _cell(study, studies, {"any effect": claimed.mean(), "coverage, least": 1 - own.mean(axis=0).max()})


def winner(study: Study, studies: int, seed: int = 4) -> Cell:
    """The best on validation: bias of its score and coverage of its interval, allowing for the choice and not."""
    values, validation = study.draw(studies, seed)
    every = np.arange(studies)
    best = validation.mean(axis=-1).argmax(axis=-1)
    ones = np.ones((study.recipes, study.seeds), np.int64)
    chosen = chosen_by_other_parts(validation, ones)
    usual = values[every, best]
    fair = values[every[:, None], chosen, np.arange(study.seeds)]
    truth = study.truth[best]
    widths = []
    for scores in (usual, fair):
        alone = Study(1, study.seeds).variances(scores[:, None, :])
        widths.append(reach(TAIL, *alone.of_contrasts([1.0]), COMMON + OWN))
    low = np.minimum(usual.mean(-1), fair.mean(-1)) - np.maximum(*widths)
    high = np.maximum(usual.mean(-1), fair.mean(-1)) + np.maximum(*widths)
    found = {
        "bias, points": 100 * np.mean(fair.mean(-1) - truth),
        "coverage": np.mean((low <= truth) & (truth <= high)),
        "bias of the plain mean": 100 * np.mean(usual.mean(-1) - truth),
        "coverage of the plain interval": np.mean(np.abs(usual.mean(-1) - truth) <= widths[0]),
    }
    return _cell(study, studies, found)


def mean_of_one(study: Study, studies: int, seed: int = 5) -> Cell:
    """Coverage of the interval of one recipe's mean."""
    values, _ = study.draw(studies, seed)
    alone = Study(1, study.seeds).variances(values[:, -1:, :])
    width = reach(TAIL, *alone.of_contrasts([1.0]), COMMON + OWN)
    truth = study.truth[-1]
    return _cell(study, studies, {"coverage": np.mean(np.abs(values[:, -1].mean(-1) - truth) <= width)})


def scores_of_classes(images: int, seeds: int, studies: int, seed: int = 7) -> Cell:
    """Coverage for scores over and of classes: of networks with one seed, of recipes with three or more."""
    design, generator = ClassDesign(), np.random.default_rng(seed)
    measures = {
        "macro-F1": ("macro_f1", None),
        "balanced accuracy": ("balanced_accuracy", None),
        "recall of the rarest": ("recall", DISGUST),
        "F1 of the rarest": ("f1", DISGUST),
        "precision of the rarest": ("precision", DISGUST),
    }
    endless = _endless(ndtr(design.levels(np.random.default_rng(0), (200_000,))))
    held: dict[str, list[bool]] = {name: [] for name in measures}
    for _ in range(studies):
        level = design.levels(generator, (1, seeds))
        answers, labels = design.predictions(seeds, generator, 1, images, level)
        truth = _endless(ndtr(level[0])) if seeds < 3 else endless
        for name, (metric, chosen) in measures.items():
            if chosen is not None and not (labels == chosen).any():
                continue
            family = Family([Sample.of(linearise(metric, one_hot(answers[0]), labels, chosen))])
            found = family.contrast([1.0]) if seeds > 2 else family.of_networks([1.0])
            low, high = found.interval()
            if low == low:
                held[name].append(bool(low <= truth[name] <= high))
    about = f"{images:,} images ({images * SHARES[DISGUST]:.0f} of the rarest class), {seeds} seed{'s' * (seeds > 1)}"
    return Cell(about, studies, {name: float(np.mean(one)) for name, one in held.items()})


def _endless(recalls: np.ndarray) -> dict[str, float]:
    """Return the scores of networks with these recalls, (networks, classes), on endless images, meaned."""
    wrong = SHARES * (1.0 - recalls) / (1.0 - SHARES)
    predicted = SHARES * recalls + SHARES * (wrong.sum(axis=1, keepdims=True) - wrong)
    f1 = 2.0 * SHARES * recalls / (SHARES + predicted)
    return {
        "macro-F1": float(np.mean(f1)),
        "balanced accuracy": float(np.mean(recalls)),
        "recall of the rarest": float(np.mean(recalls[:, DISGUST])),
        "F1 of the rarest": float(np.mean(f1[:, DISGUST])),
        "precision of the rarest": float(np.mean(SHARES[DISGUST] * recalls[:, DISGUST] / predicted[:, DISGUST])),
    }


def smallest_found(recipes: int, seeds: int) -> Cell:
    """The true difference that is found with 80 % probability, in points."""
    effect = detectable_effect(Design.assumed(3589), seeds, recipes)
    return Cell(f"{recipes} recipes, {seeds} seeds", 1000, {"points": 100 * effect})


def _earlier_p_values(study: Study, values: np.ndarray) -> np.ndarray:
    parts = np.asarray(values.var(axis=-1, ddof=1) / study.seeds)
    first, second = (parts[:, [pair[side] for pair in study.pairs]] for side in (0, 1))
    variance = first + second + 2 * OWN
    degrees = variance**2 / ((first**2 + second**2) / (study.seeds - 1))
    gap = np.abs(values.mean(axis=-1) @ study.contrasts.T)
    return np.asarray(2 * stdtr(degrees, -gap / np.sqrt(variance)))


def _of_best(study: Study, validation: np.ndarray) -> np.ndarray:
    """Tell which pairs hold the recipe that is best on validation, bool (count, pairs)."""
    return np.asarray(study.contrasts[:, validation.mean(axis=-1).argmax(axis=-1)].T != 0)


def _cell(study: Study, studies: int, found: dict[str, float]) -> Cell:
    about = f"{study.recipes} recipes, {study.seeds} seeds, spread {100 * study.spread:g} points, {study.pattern}"
    about += f", seeds shared (r = {study.shared:g})" if study.shared else ""
    about += f", {100 * study.lead:g} points ahead" if study.lead else ""
    about += f", {100 * study.diverges:g} % diverge" if study.diverges else ""
    return Cell(about, studies, {name: float(value) for name, value in found.items()})


def grid(recipes: Sequence[int], spreads: Sequence[float] = (0.0065, 0.013)) -> Iterable[Study]:
    """Yield the studies without a difference: seeds, spreads, patterns, seeds shared or not."""
    for count in recipes:
        for seeds in (3, 5):
            for spread in spreads:
                for pattern in PATTERNS if count > 2 else ("equal", "first"):
                    for shared in (0.0, 0.5):
                        yield Study(count, seeds, spread, pattern, shared)


def tables(studies: int, tail_studies: int) -> Iterable[tuple[str, Iterable[Cell]]]:
    """Yield every table by its title."""
    wins = [Study(r, s, d, p, 0.0, lead) for r in (4, 10, 20) for s in (3, 5) for d in (0.0065, 0.013)
            for p in ("equal", "first") for lead in (0.0, 0.02)]  # fmt: skip
    yield "Two recipes without a difference: share of claims", (levels(one, tail_studies) for one in grid((2,)))
    yield "The same until November 2026", (earlier_levels(one, tail_studies) for one in grid((2,)))
    several = (3, 4, 10, 20)
    yield (
        "Several recipes without a difference: share of studies with a claim",
        (family_wise(one, studies) for one in grid(several)),
    )
    yield "The same until November 2026", (earlier_family_wise(one, studies) for one in grid((4, 10, 20), (0.0065,)))
    yield "Factor effects without a difference", (effects(one, studies) for one in grid((4, 8, 20)))
    yield "The best on validation", (winner(one, studies) for one in wins)
    yield "One recipe's mean", (mean_of_one(Study(1, s, d), studies) for s in (3, 5) for d in (0.003, 0.0065, 0.013))
    yield (
        "Scores over and of classes: coverage",
        (scores_of_classes(n, s, studies) for n in (250, 500, 1000, 3589) for s in (1, 3, 5)),
    )
    yield (
        "What cannot be held: one training in ten diverges",
        (mean_of_one(Study(1, s, diverges=0.1), studies) for s in (3, 5, 10)),
    )
    yield (
        "Smallest true difference found with 80 % probability",
        (smallest_found(r, s) for r in (2, 4, 10, 20) for s in (3, 5, 10)),
    )


def main() -> None:
    """Print every table."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--studies", type=int, default=2000, help="studies a cell (default 2000)")
    words.add_argument("--tail-studies", type=int, default=20_000, help="for two recipes (default 20000)")
    asked = words.parse_args()
    for title, cells in tables(asked.studies, asked.tail_studies):
        print(f"\n### {title}\n", flush=True)
        for number, cell in enumerate(cells):
            if number == 0:
                print("| simulated | studies | " + " | ".join(cell.found) + " |")
                print("|:--|--:|" + "--:|" * len(cell.found))
            numbers = " | ".join(
                f"{value:.{2 if 'points' in name or 'bias' in name else 4}f}" for name, value in cell.found.items()
            )
            print(f"| {cell.about} | {cell.studies:,} | {numbers} |", flush=True)


if __name__ == "__main__":
    main()
