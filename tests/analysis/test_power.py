"""Power: against simulated studies, and answers that a plan can rest on."""

import numpy as np
import pytest

from study.analysis.contrasts import Sample
from study.analysis.influence import linearise_mean
from study.analysis.power import Design, detectable_effect, power, seeds_needed, seeds_sentence
from tests.analysis.simulated_studies import Study

FER2013 = Design.assumed(3589)


@pytest.mark.parametrize(("recipes", "seeds", "effect"), [(2, 5, 0.015), (4, 3, 0.025), (10, 5, 0.02)])
def test_the_power_is_the_share_of_simulated_studies_that_find_the_difference(recipes, seeds, effect):
    study = Study(recipes, seeds, lead=effect)
    found = study.claims(2000, seed=4)[:, study.pairs.index((0, 1))].mean()
    assert power(effect, FER2013, seeds, recipes) == pytest.approx(found, abs=0.04)


def test_without_a_difference_it_is_at_most_the_level():
    assert power(0.0, FER2013, 5) < 0.05


def test_the_detectable_effect_has_the_wanted_power():
    effect = detectable_effect(FER2013, 4, recipes=6)
    assert power(effect, FER2013, 4, 6) == pytest.approx(0.8, abs=1e-3)


def test_more_seeds_detect_smaller_effects_and_more_recipes_larger_ones_only():
    assert detectable_effect(FER2013, 5) < detectable_effect(FER2013, 3) < detectable_effect(FER2013, 3, recipes=20)


def test_the_seeds_needed_are_the_first_that_reach_the_wanted_power():
    needed = seeds_needed(FER2013, recipes=4)
    seeds = needed[0.02]
    assert power(0.02, FER2013, seeds, 4) >= 0.8 > power(0.02, FER2013, seeds - 1, 4)
    assert needed[0.03] <= seeds and (needed[0.01] is None or needed[0.01] > seeds)


def test_what_no_number_of_seeds_shows_is_said_to_be_so():
    needed = seeds_needed(Design.assumed(300), recipes=2)
    assert needed[0.01] is None
    assert "1 point: more than 40 seeds" in seeds_sentence(needed, 2, measured=False)


def test_one_diverged_network_does_not_set_the_design_of_a_study():
    generator = np.random.default_rng(1)
    easy = generator.random(2000) < 0.6
    recipes = [easy ^ (generator.random((3, 2000)) < 0.1) for _ in range(5)]
    before = Design.measured([Sample.of(linearise_mean(one)) for one in recipes])
    recipes[0][2] = generator.random(2000) < 0.1
    after = Design.measured([Sample.of(linearise_mean(one)) for one in recipes])
    assert detectable_effect(after, 3, 5) == pytest.approx(detectable_effect(before, 3, 5), rel=0.4)
