"""Schedules are tried with loss lists written by hand."""

import math

import pytest

from study.protocols.schedules import Plateau, Stopping, restore, scheduled_rate, state


def phase(**changes):
    return {"optimizer": {"rate": 0.1}, "updates": 100, "schedule": "constant", "rates": []} | changes


def scales(losses, factor=0.5, patience=3):
    plateau = Plateau(factor, patience)
    found = []
    for loss in losses:
        plateau.update(loss)
        found.append(plateau.scale)
    return found


def test_the_plateau_halves_after_three_epochs_without_improvement():
    assert scales([1.0, 0.9, 0.95, 0.91, 0.9, 0.8]) == [1, 1, 1, 1, 0.5, 0.5]


def test_the_plateau_waits_anew_after_each_reduction():
    assert scales([1.0] * 8) == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_stopping_keeps_the_first_of_equal_losses_and_stops_after_patience():
    stopping = Stopping(patience=2)
    better = [stopping.update(epoch, loss) for epoch, loss in enumerate([1.0, 0.5, 0.5])]
    assert better == [True, True, False] and stopping.best_epoch == 1 and not stopping.stop
    stopping.update(3, 0.7)
    assert stopping.stop


def test_no_patience_never_stops():
    stopping = Stopping(patience=None)
    for epoch in range(100):
        stopping.update(epoch, 1.0)
    assert not stopping.stop


@pytest.mark.parametrize("schedule", [Plateau(0.5, 3), Stopping(8), Stopping(None)])
def test_a_fresh_state_survives_json(schedule):
    assert restore(type(schedule), state(schedule)) == schedule


def test_a_restored_plateau_goes_on_where_it_was():
    plateau = Plateau(0.5, 3)
    for loss in (1.0, 1.0, 1.0):
        plateau.update(loss)
    again = restore(Plateau, state(plateau))
    again.update(1.0)
    assert again.scale == 0.5


def test_rates_are_constant_cosine_or_stepped():
    assert scheduled_rate(phase(), 70) == 0.1
    cosine = [scheduled_rate(phase(schedule="cosine"), update) for update in (0, 50, 100)]
    assert cosine == pytest.approx([0.1, 0.05, 0.0], abs=1e-12)
    steps = phase(schedule="steps", rates=[3.0, 2.0, 1.0], updates=9)
    assert [scheduled_rate(steps, update) for update in range(9)] == [3] * 3 + [2] * 3 + [1] * 3
    assert math.isclose(scheduled_rate(phase(schedule="cosine"), 25), 0.1 * (1 + math.cos(math.pi / 4)) / 2)
