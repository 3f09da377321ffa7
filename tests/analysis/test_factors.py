"""Factor contrasts weigh recipes that differ in that factor alone, over complete strata."""

import pytest
from msgspec.structs import replace

from study.analysis.factors import AUGMENTATION, BOTH, OVERSAMPLING, factor_contrasts
from study.analysis.recipes import Recipe
from study.core.spec import RANDOM_FEATURES
from study.protocols import PROTOCOLS as REGISTERED
from study.protocols import resolve
from tests.factories import PROTOCOLS, make_spec


def contrasts_of(*cells, **more):
    specs = {}
    for model, protocol in cells:
        weights = "none" if model == "resnet50" else "imagenet"
        specs[Recipe(model, protocol)] = make_spec(model, protocol, weights=weights, **more)
    return {(one.factor, one.model): one.weights for one in factor_contrasts(specs, {})}


def grid(*models):
    return [(model, protocol) for model in models for protocol in PROTOCOLS]


def test_a_main_effect_is_averaged_over_the_other_factor():
    weights = contrasts_of(*grid("cnn3"))[AUGMENTATION, None]
    assert {recipe.protocol: weight for recipe, weight in weights.items()} == {
        "baseline": -0.5,
        "oversample": -0.5,
        "augment": 0.5,
        "oversample+augment": 0.5,
    }


def test_an_interaction_is_a_difference_of_effects():
    weights = contrasts_of(*grid("cnn3"))[BOTH, None]
    assert [weights[Recipe("cnn3", name)] for name in PROTOCOLS] == [1.0, -1.0, -1.0, 1.0]


def test_every_contrast_adds_up_to_zero():
    for name, weights in contrasts_of(*grid("cnn2", "cnn3", "vgg16", "resnet50")).items():
        assert sum(weights.values()) == pytest.approx(0.0), name


def test_a_model_that_was_not_run_both_ways_takes_no_part():
    found = contrasts_of(*grid("cnn3"), ("cnn2", "baseline"))
    assert {recipe.model for recipe in found[OVERSAMPLING, None]} == {"cnn3"}


def test_an_effect_of_one_model_is_not_shown_twice():
    found = contrasts_of(*grid("cnn3"), ("cnn2", "baseline"))
    assert (OVERSAMPLING, "cnn3") not in found
    assert (OVERSAMPLING, "cnn3") in contrasts_of(*grid("cnn3", "cnn2"))


def test_families_are_compared_under_the_same_protocol_and_random_bodies_apart():
    found = contrasts_of(("cnn2", "baseline"), ("cnn3", "baseline"), ("vgg16", "baseline"), ("resnet50", "baseline"))
    transfer, random_body = found["transfer vs custom", None], found["random body vs custom", None]
    assert transfer == {
        Recipe("vgg16", "baseline"): 1.0,
        Recipe("cnn2", "baseline"): -0.5,
        Recipe("cnn3", "baseline"): -0.5,
    }
    assert random_body[Recipe("resnet50", "baseline")] == 1.0
    assert Recipe("vgg16", "baseline") not in random_body


def test_random_features_are_no_transfer_and_have_the_factors_effects():
    """Under an augmentation their head learns from copies: another phase, and no other treatment."""
    specs = {}
    for model, name in grid("cnn3", "vgg16"):
        spec = make_spec(model, name, weights=RANDOM_FEATURES)
        how = {"family": spec.model.family, "weights_source": RANDOM_FEATURES, "train_images": 640}
        specs[Recipe(model, name)] = replace(spec, protocol=resolve(REGISTERED.get(name), **how))
    assert specs[Recipe("vgg16", "augment")].protocol.phases != specs[Recipe("vgg16", "baseline")].protocol.phases
    found = {(one.factor, one.model): one.weights for one in factor_contrasts(specs, {})}
    assert ("transfer vs custom", None) not in found and ("random body vs custom", None) not in found
    assert sum(one for one in found["random features vs custom", None].values() if one > 0) == pytest.approx(1.0)
    assert found[AUGMENTATION, "vgg16"][Recipe("vgg16", "augment")] == 0.5


def test_the_interaction_with_transfer_sets_effect_against_effect():
    weights = contrasts_of(*grid("cnn3", "vgg16"))[f"{AUGMENTATION} × transfer", None]
    assert weights[Recipe("vgg16", "augment")] == 0.5
    assert weights[Recipe("cnn3", "augment")] == -0.5


def test_recipes_of_other_budgets_are_no_stratum():
    specs = {
        Recipe("cnn3", "baseline"): make_spec("cnn3", "baseline", budget="demo"),
        Recipe("cnn3", "augment"): make_spec("cnn3", "augment", budget="full"),
    }
    assert factor_contrasts(specs, {}) == []


def test_no_recipes_have_no_effects():
    assert factor_contrasts({}, {}) == []


def test_a_factor_s_effect_in_one_model_is_set_against_the_others():
    found = contrasts_of(*grid("cnn2", "cnn3", "cnn5"))
    weights = found["augmentation × model", "cnn2"]
    assert weights[Recipe("cnn2", "augment")] == 0.5 and weights[Recipe("cnn2", "baseline")] == -0.5
    assert weights[Recipe("cnn3", "augment")] == -0.25 and weights[Recipe("cnn5", "baseline")] == 0.25
    two = contrasts_of(*grid("cnn2", "cnn3"))
    assert [model for factor, model in two if factor == "augmentation × model"] == ["cnn2"], "the other is its mirror"
