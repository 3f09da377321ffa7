"""A face keeps its number while it is seen, its box moves on between searches, and its label follows what it shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from study.faces.detection import Box, Detection, square
from study.faces.tracking import LOST_AFTER, MARGIN, TIME_CONSTANT_S, Smoother, Track, Tracker
from tests.trained.fakes import Undecided, shares

STEP_S = 0.1
IMAGE = np.zeros((1, 48, 48, 1), np.uint8)


def update(tracker: Tracker, boxes: Sequence[Box], time_s: float) -> list[Track]:
    return tracker.update([Detection(box, 0.8) for box in boxes], time_s)


def test_faces_that_move_and_tremble_keep_their_numbers() -> None:
    tracker, noise = Tracker(), np.random.default_rng(0)
    owners: dict[int, set[int]] = {}
    for step in range(100):
        places = [(100 + 5 * step, 200, 80), (600 - 4 * step, 500, 120), (900, 300 + 30 * np.sin(step / 5), 60)]
        boxes = [square(*(np.array(place) + noise.normal(0, 2, 3))) for place in places]
        order = noise.permutation(3)
        update(tracker, [boxes[index] for index in order], step * STEP_S)
        for track in tracker.confirmed:
            nearest = min(range(3), key=lambda index: np.hypot(track.x - places[index][0], track.y - places[index][1]))
            owners.setdefault(track.number, set()).add(nearest)
    assert len(owners) == 3 and sorted(next(iter(faces)) for faces in owners.values()) == [0, 1, 2]
    assert all(len(faces) == 1 for faces in owners.values())


def test_faces_that_pass_each_other_do_not_swap_numbers() -> None:
    tracker = Tracker()
    for step in range(60):
        x = 15 * step
        update(tracker, [square(100 + x, 300, 100), square(985 - x, 340, 100)], step * STEP_S)
    first, second = sorted(tracker.confirmed, key=lambda track: track.number)
    assert (first.number, second.number) == (1, 2)
    assert first.x > 900 and second.x < 200


def test_what_is_found_once_is_no_face_after_the_first_frame() -> None:
    tracker = Tracker()
    for step in range(20):
        face = [Box(100, 100, 80, 80)]
        flash = [Box(400, 50 + 10 * step, 60, 60)] if step % 2 else []
        update(tracker, face + flash, step * STEP_S)
        assert [track.number for track in tracker.confirmed] == [1]


def test_the_first_frame_has_its_faces_and_their_scores() -> None:
    tracker = Tracker()
    found = update(tracker, [Box(100, 100, 80, 80), Box(300, 100, 80, 80)], 0.0)
    assert (
        [(track.number, track.score) for track in found]
        == [(1, 0.8), (2, 0.8)]
        == [(track.number, track.score) for track in tracker.confirmed]
    )


def test_a_face_that_is_missed_for_a_while_keeps_its_number_and_then_is_lost() -> None:
    tracker, face = Tracker(), [Box(100, 100, 80, 80)]
    for step in range(3):
        update(tracker, face, step * STEP_S)
    for step in range(3, 3 + LOST_AFTER - 1):
        assert update(tracker, [], step * STEP_S) == []
    assert [track.number for track in update(tracker, face, 0.8)] == [1]
    for step in range(9, 9 + LOST_AFTER):
        update(tracker, [], step * STEP_S)
    assert tracker.tracks == []
    for step in range(20, 22):
        update(tracker, face, step * STEP_S)
    assert [track.number for track in tracker.confirmed] == [2]


def test_a_box_goes_on_between_searches_as_the_face_moved() -> None:
    tracker = Tracker()
    for step in range(12):
        update(tracker, [square(200 + 20 * step, 300 - 8 * step, 100)], step * STEP_S)
    (track,) = tracker.confirmed
    x, y = track.at(11.5 * STEP_S).centre
    assert (x, y) == (pytest.approx(430, abs=2), pytest.approx(208, abs=2))


def test_a_face_that_is_not_found_is_not_carried_away() -> None:
    tracker = Tracker()
    for step in range(12):
        update(tracker, [square(200 + 20 * step, 300, 100)], step * STEP_S)
    (track,) = tracker.confirmed
    assert track.at(60.0).centre[0] < 520


def test_the_box_trembles_less_than_what_is_found() -> None:
    tracker, noise = Tracker(), np.random.default_rng(1)
    found, shown = [], []
    for step in range(200):
        box = square(*(np.array([300, 300, 150]) + noise.normal(0, [3, 3, 8])))
        update(tracker, [box], step * STEP_S)
        found.append(box)
        shown.append(tracker.tracks[0].at(step * STEP_S))
    sides = [np.std([box.width for box in boxes[20:]]) for boxes in (found, shown)]
    assert sides[1] < 0.6 * sides[0]
    places = [np.std([box.centre[0] for box in boxes[20:]]) for boxes in (found, shown)]
    assert places[1] <= 1.05 * places[0]


def labels(smoother: Smoother, right: Sequence[int], seed: int = 0) -> list[int]:
    """Return the labels that a noisy network's answers lead to, ten a second."""
    network = Undecided(seed=seed)
    named = []
    for step, label in enumerate(right):
        network.right = label
        smoother.add(1, network(IMAGE)[0], step * STEP_S)
        named.append(smoother.get(1).label)
    return named


def changes(named: Sequence[int]) -> int:
    return sum(one != other for one, other in zip(named, named[1:], strict=False))


def test_labels_of_a_steady_face_hardly_ever_change() -> None:
    """One minute: single answers change their mind six times a second, what is named less than once in ten seconds."""
    single = labels(Smoother(0.0, 0.0), [3] * 600)
    smoothed = labels(Smoother(), [3] * 600)
    assert changes(single) > 240
    assert changes(smoothed) <= 6
    assert smoothed.count(3) > 0.97 * len(smoothed) > single.count(3) * 1.4


def test_averaging_alone_is_not_enough() -> None:
    """Two classes that are alike keep overtaking each other; the margin keeps the label."""

    def torn(smoother: Smoother) -> int:
        noise = np.random.default_rng(2)
        named = []
        for step in range(600):
            probabilities = shares(3, 0.4)
            probabilities[[4, 3]] = 0.4 + noise.normal(0, 0.05) * np.array([1, -1])
            smoother.add(1, probabilities, step * STEP_S)
            named.append(smoother.get(1).label)
        return changes(named)

    assert torn(Smoother(TIME_CONSTANT_S, 0.0)) > 30
    assert torn(Smoother(TIME_CONSTANT_S, MARGIN)) <= 2


def test_a_real_change_is_named_within_a_second() -> None:
    delays = []
    for seed in range(20):
        named = labels(Smoother(), [3] * 30 + [5] * 30, seed)
        delays.append(named[30:].index(5) * STEP_S)
    assert np.median(delays) <= 0.6 and max(delays) <= 1.2


def test_the_time_and_not_the_count_of_answers_decides() -> None:
    for step_s in (0.02, 0.1, 0.25):
        smoother = Smoother(0.5, 0.0)
        steps = np.arange(0, 20, step_s)
        for time_s in steps:
            smoother.add(1, shares(3), time_s)
        for passed in np.arange(step_s, 0.5 + 1e-9, step_s):
            smoother.add(1, shares(5), steps[-1] + passed)
        assert smoother.get(1).probabilities[5] == pytest.approx(0.05 + 0.65 * (1 - np.exp(-1)), abs=0.02)


def test_the_first_answers_count_alike() -> None:
    smoother = Smoother(10.0, 0.0)
    for step, label in enumerate((0, 3, 3)):
        smoother.add(1, shares(label), step * 0.01)
    assert smoother.get(1).label == 3
    np.testing.assert_allclose(smoother.get(1).probabilities, (shares(0) + 2 * shares(3)) / 3, rtol=1e-5)


def test_averages_are_probabilities() -> None:
    smoother = Smoother()
    labels(smoother, [2] * 500)
    assert smoother.get(1).probabilities.sum() == pytest.approx(1, abs=1e-4)
    assert smoother.get(1).probabilities.min() >= 0


def test_faces_are_apart_and_forgotten_when_they_are_gone() -> None:
    smoother = Smoother()
    smoother.add(1, shares(3), 0.0)
    smoother.add(2, shares(5), 0.0)
    assert (smoother.get(1).label, smoother.get(2).label) == (3, 5)
    smoother.keep({2})
    assert smoother.get(1) is None and smoother.get(2) is not None


def test_an_answer_is_copied() -> None:
    smoother, given = Smoother(), shares(3)
    smoother.add(1, given, 0.0)
    smoother.add(1, shares(5), 1.0)
    np.testing.assert_array_equal(given, shares(3))
