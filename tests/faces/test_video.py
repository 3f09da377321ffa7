"""A video becomes a stream of answers, driven here by arrays."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from study.faces.detection import Box, open_detector, square
from study.faces.tracking import Smoother
from study.faces.video import Frame, watch
from tests.faces.people import background, put_face
from tests.trained.fakes import CLASSES, ScriptedDetector, Undecided, fake_runtime

RATE_HZ = 30


def grey_frames(count: int, width: int = 320, height: int = 240) -> Iterator[Frame]:
    for index in range(count):
        yield Frame(index, index / RATE_HZ, np.full((height, width, 3), 128, np.uint8))


def place(face: int, time_s: float) -> tuple[float, float, float]:
    """Return centre and side of one of two faces that move over 640x360."""
    turn = 2 * np.pi * (time_s / 3 + 0.4 * face)
    return 170 + 300 * face + 50 * np.sin(turn), 180 + 25 * np.cos(turn), 110 + 10 * np.sin(turn / 2)


def moving_frames(count: int) -> Iterator[Frame]:
    for index in range(count):
        picture = background(640, 360).copy()
        for face in range(2):
            x, y, side = place(face, index / RATE_HZ)
            put_face(picture, 3 * face, (x, y), side)
        yield Frame(index, index / RATE_HZ, picture)


def test_every_frame_comes_out_once_in_order() -> None:
    frames = list(grey_frames(20))
    out = list(watch(frames, fake_runtime(), ScriptedDetector(lambda search: []), Smoother()))
    assert [one.frame for one in out] == frames and all(one.answers == [] for one in out)


def test_frames_are_taken_one_at_a_time() -> None:
    taken = itertools.count()
    frames = (frame for frame in grey_frames(1000) if next(taken) >= 0)
    stream = watch(frames, fake_runtime(), ScriptedDetector(lambda search: []), Smoother())
    assert [next(stream).frame.index for _ in range(5)] == [0, 1, 2, 3, 4]
    assert next(taken) == 5


@pytest.mark.parametrize("every", [1, 3, 7])
def test_faces_are_searched_in_every_kth_frame(every: int) -> None:
    detector = ScriptedDetector(lambda search: [])
    list(watch(grey_frames(70), fake_runtime(), detector, Smoother(), every))
    assert detector.searches == len(range(0, 70, every))


def test_what_is_new_is_looked_for_again_at_once() -> None:
    detector = ScriptedDetector(lambda search: [Box(50, 50, 80, 80)] if search else [])
    out = list(watch(grey_frames(30), fake_runtime(), detector, Smoother(), 10))
    assert detector.searches == 4, "at 0, 10, 11 and 20"
    assert [one.frame.index for one in out if one.answers][0] == 11


def test_the_network_is_asked_about_faces_that_a_search_found() -> None:
    network = Undecided()
    detector = ScriptedDetector(lambda search: [Box(50, 50, 80, 80)] if search < 4 else [])
    out = list(watch(grey_frames(30), fake_runtime(network), detector, Smoother(), 3))
    assert network.asked == 4
    assert [one.frame.index for one in out if one.answers][0] == 0


def test_a_video_of_one_frame_has_its_face() -> None:
    (only,) = watch(itertools.islice(moving_frames(1), 1), fake_runtime(), open_detector(video=True), Smoother())
    assert len(only.answers) == 2 and all(0.5 <= answer.score <= 1 for answer in only.answers)


@pytest.mark.parametrize(("below", "unsure"), [(0.0, False), (0.99, True)])
def test_an_answer_below_the_networks_threshold_is_unsure(below: float, unsure: bool) -> None:
    detector = ScriptedDetector(lambda search: [Box(50, 50, 80, 80)])
    *_, last = watch(grey_frames(10), fake_runtime(unsure_below=below), detector, Smoother())
    assert last.answers[0].unsure == unsure


@pytest.mark.parametrize("name", ["blazeface", "haar"])
def test_drawn_people_are_followed_with_constant_numbers(name: str) -> None:
    """They are really found; they stay the same two, also between the searches."""
    out = list(watch(moving_frames(75), fake_runtime(), open_detector(name, video=True), Smoother()))
    assert {answer.track for one in out for answer in one.answers} == {1, 2}
    assert all(len(one.answers) == 2 for one in out[4:])
    owners, errors = {}, []
    for one in out[10:]:
        for answer in one.answers:
            far = []
            for face in range(2):
                x, y, side = place(face, one.frame.time_s)
                far.append(np.hypot(answer.box.centre[0] - x, answer.box.centre[1] - y) / side)
            owners.setdefault(answer.track, set()).add(int(np.argmin(far)))
            errors.append(min(far))
    assert sorted(map(tuple, owners.values())) == [(0,), (1,)]
    assert np.mean(errors) < 0.06 and max(errors) < 0.15


def test_labels_do_not_flicker() -> None:
    def changes_a_second(smoother: Smoother) -> float:
        detector = ScriptedDetector(lambda search: [square(160, 120, 90)])
        stream = watch(grey_frames(1800), fake_runtime(Undecided()), detector, smoother)
        labels = [one.answers[0].label for one in stream if one.answers]
        return sum(a != b for a, b in itertools.pairwise(labels)) / (len(labels) / RATE_HZ)

    assert changes_a_second(Smoother(0.0, 0.0)) > 4
    assert changes_a_second(Smoother()) < 0.1


def test_answers_are_probabilities_of_the_networks_classes() -> None:
    detector = ScriptedDetector(lambda search: [Box(50, 50, 80, 80)])
    *_, last = watch(grey_frames(10), fake_runtime(), detector, Smoother())
    (answer,) = last.answers
    assert answer.track == 1 and CLASSES[answer.label] == "happy"
    data = answer.to_json(CLASSES)
    assert list(data) == ["id", "box", "score", "label", "unsure", "probabilities"]
    assert data["box"] == {"left": 50, "top": 50, "width": 80, "height": 80}
    assert sum(data["probabilities"].values()) == pytest.approx(1, abs=1e-3)


def test_what_is_known_of_a_face_is_forgotten_when_it_is_gone() -> None:
    smoother = Smoother()
    detector = ScriptedDetector(lambda search: [Box(50, 50, 80, 80)] if search < 4 else [])
    stream = watch(grey_frames(90), fake_runtime(), detector, smoother)
    known = [smoother.get(1) is not None for _ in stream]
    assert any(known) and not known[-1]


def test_an_answer_does_not_change_afterwards() -> None:
    detector = ScriptedDetector(lambda search: [Box(50, 50, 80, 80)])
    out = list(watch(grey_frames(60), fake_runtime(Undecided()), detector, Smoother()))
    assert len({one.answers[0].probabilities.tobytes() for one in out[1:]}) > 10


def test_the_rate_is_real_time_over_the_last_second() -> None:
    ticks = iter(np.concatenate([np.arange(50) * 0.1, 5 + np.arange(100) * 0.02]))
    out = list(
        watch(grey_frames(150), fake_runtime(), ScriptedDetector(lambda n: []), Smoother(), 3, lambda: next(ticks))
    )
    assert out[0].rate_hz == 0 and out[40].rate_hz == pytest.approx(10) and out[-1].rate_hz == pytest.approx(50)
