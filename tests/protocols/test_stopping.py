"""Early stopping and the plateau are tried with lists of losses written by hand."""

import pytest

from study.protocols.stopping import PlateauState, Stopping, restore, state


def scales(losses, factor=0.5, patience=3):
    plateau = PlateauState(factor, patience)
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


@pytest.mark.parametrize("schedule", [PlateauState(0.5, 3), Stopping(8), Stopping(None)])
def test_a_fresh_state_survives_json(schedule):
    assert restore(type(schedule), state(schedule)) == schedule


def test_a_restored_plateau_goes_on_where_it_was():
    plateau = PlateauState(0.5, 3)
    for loss in (1.0, 1.0, 1.0):
        plateau.update(loss)
    again = restore(PlateauState, state(plateau))
    again.update(1.0)
    assert again.scale == 0.5
