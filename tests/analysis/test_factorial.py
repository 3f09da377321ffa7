"""Factor effects: weights by hand, incomplete strata left out, and against a regression on the same layout."""

from itertools import product

import numpy as np
import pytest

from study.analysis.factors import factorial_weights
from study.analysis.recipes import Recipe

CELLS = [
    {"model": model, "oversampling": oversampling, "augmentation": augmentation}
    for model, oversampling, augmentation in product(("cnn2", "cnn3"), (False, True), (False, True))
]


def weights_of(cells: list[dict[str, object]], *factors: str) -> np.ndarray:
    recipes = {Recipe("recipe", str(place)): cell for place, cell in enumerate(cells)}
    found = factorial_weights(recipes, factors)
    return np.array([found.get(recipe, 0.0) for recipe in recipes])


def test_an_effect_is_with_less_without_averaged_over_models_and_the_other_factor() -> None:
    assert weights_of(CELLS, "oversampling").tolist() == [-0.25, -0.25, 0.25, 0.25] * 2


def test_an_interaction_is_the_difference_of_differences() -> None:
    assert weights_of(CELLS, "oversampling", "augmentation").tolist() == [0.5, -0.5, -0.5, 0.5] * 2


def test_a_model_that_was_not_run_under_all_of_a_factor_takes_no_part() -> None:
    weights = weights_of(CELLS[:5], "oversampling", "augmentation")
    assert weights.tolist() == [1.0, -1.0, -1.0, 1.0, 0.0]


def test_on_a_complete_layout_the_effects_are_the_coefficients_of_least_squares() -> None:
    outcome = np.random.default_rng(1).normal(size=8)
    first = np.array([cell["oversampling"] for cell in CELLS], dtype=float)
    second = np.array([cell["augmentation"] for cell in CELLS], dtype=float)
    model = np.array([cell["model"] == "cnn3" for cell in CELLS], dtype=float)
    centred = np.column_stack([np.ones(8), model, first - 0.5, second - 0.5, (first - 0.5) * (second - 0.5)])
    coefficients = np.linalg.lstsq(centred, outcome, rcond=None)[0]
    assert weights_of(CELLS, "oversampling") @ outcome == pytest.approx(coefficients[2])
    assert weights_of(CELLS, "oversampling", "augmentation") @ outcome == pytest.approx(coefficients[4])


def test_without_a_recipe_on_both_sides_there_is_no_effect() -> None:
    assert not weights_of(CELLS[:1], "oversampling").any()
