"""A face keeps its number while it is seen, and its box goes on between the searches."""

from __future__ import annotations

import numpy as np
import pytest

from study.faces.faces import Box, square
from study.faces.tracking import LOST_AFTER, Tracker, overlap

STEP_S = 0.1


def test_faces_that_move_and_tremble_keep_their_numbers() -> None:
    tracker, noise = Tracker(), np.random.default_rng(0)
    owners: dict[int, set[int]] = {}
    for step in range(100):
        places = [(100 + 5 * step, 200, 80), (600 - 4 * step, 500, 120), (900, 300 + 30 * np.sin(step / 5), 60)]
        boxes = [square(*(np.array(place) + noise.normal(0, 2, 3))) for place in places]
        order = noise.permutation(3)
        tracker.update([boxes[index] for index in order], step * STEP_S)
        for track in tracker.confirmed:
            nearest = min(range(3), key=lambda index: np.hypot(track.x - places[index][0], track.y - places[index][1]))
            owners.setdefault(track.number, set()).add(nearest)
    assert len(owners) == 3 and sorted(next(iter(faces)) for faces in owners.values()) == [0, 1, 2]
    assert all(len(faces) == 1 for faces in owners.values())


def test_faces_that_pass_each_other_do_not_swap_numbers() -> None:
    tracker = Tracker()
    for step in range(60):
        x = 15 * step
        tracker.update([square(100 + x, 300, 100), square(985 - x, 340, 100)], step * STEP_S)
    first, second = sorted(tracker.confirmed, key=lambda track: track.number)
    assert (first.number, second.number) == (1, 2)
    assert first.x > 900 and second.x < 200


def test_what_is_found_once_is_no_face() -> None:
    tracker = Tracker()
    for step in range(20):
        face = [Box(100, 100, 80, 80)]
        flash = [Box(400, 50 + 10 * step, 60, 60)] if step % 2 else []
        tracker.update(face + flash, step * STEP_S)
        assert all(track.number == 1 for track in tracker.confirmed)
    assert [track.number for track in tracker.confirmed] == [1]


def test_a_face_that_is_missed_for_a_while_keeps_its_number_and_then_is_lost() -> None:
    tracker, face = Tracker(), [Box(100, 100, 80, 80)]
    for step in range(3):
        tracker.update(face, step * STEP_S)
    for step in range(3, 3 + LOST_AFTER - 1):
        assert tracker.update([], step * STEP_S) == []
    assert [track.number for track in tracker.update(face, 0.8)] == [1]
    for step in range(9, 9 + LOST_AFTER):
        tracker.update([], step * STEP_S)
    assert tracker.tracks == []
    for step in range(20, 22):
        tracker.update(face, step * STEP_S)
    assert [track.number for track in tracker.confirmed] == [2]


def test_a_box_goes_on_between_searches_as_the_face_moved() -> None:
    tracker = Tracker()
    for step in range(12):
        tracker.update([square(200 + 20 * step, 300 - 8 * step, 100)], step * STEP_S)
    (track,) = tracker.confirmed
    x, y = track.at(11.5 * STEP_S).centre
    assert (x, y) == (pytest.approx(430, abs=2), pytest.approx(208, abs=2))


def test_a_face_that_is_not_found_is_not_carried_away() -> None:
    tracker = Tracker()
    for step in range(12):
        tracker.update([square(200 + 20 * step, 300, 100)], step * STEP_S)
    (track,) = tracker.confirmed
    assert track.at(60.0).centre[0] < 520


def test_the_box_trembles_less_than_what_is_found() -> None:
    tracker, noise = Tracker(), np.random.default_rng(1)
    found, shown = [], []
    for step in range(200):
        box = square(*(np.array([300, 300, 150]) + noise.normal(0, [3, 3, 8])))
        tracker.update([box], step * STEP_S)
        found.append(box)
        shown.append(tracker.tracks[0].at(step * STEP_S))
    sides = [np.std([box.width for box in boxes[20:]]) for boxes in (found, shown)]
    assert sides[1] < 0.6 * sides[0]
    places = [np.std([box.centre[0] for box in boxes[20:]]) for boxes in (found, shown)]
    assert places[1] <= 1.05 * places[0]


def test_overlap_is_intersection_over_union() -> None:
    assert overlap(Box(0, 0, 10, 10), Box(5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert overlap(Box(0, 0, 10, 10), Box(10, 0, 10, 10)) == 0
