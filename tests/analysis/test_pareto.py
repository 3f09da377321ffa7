"""The Pareto front: by hand, with ties and with networks that lack a number."""

import numpy as np

from study.analysis.leaderboard import pareto_front


def test_a_network_beaten_on_both_is_off_the_front() -> None:
    assert pareto_front([0.70, 0.65, 0.60, 0.64], [9.0, 4.0, 1.0, 5.0]).tolist() == [True, True, True, False]


def test_equal_networks_stay_together_and_a_dearer_twin_goes() -> None:
    assert pareto_front([0.7, 0.7, 0.7], [3.0, 3.0, 4.0]).tolist() == [True, True, False]


def test_a_network_without_a_cost_neither_stands_on_the_front_nor_beats_another() -> None:
    assert pareto_front([0.9, 0.7], [np.nan, 2.0]).tolist() == [False, True]
