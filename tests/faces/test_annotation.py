"""Annotated pictures say what was found, wherever the face is and however large the picture is."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from study.faces import annotation
from study.faces.annotation import annotate, colour_of, label_text, line_height, text_width, wrapped, write
from study.faces.detection import Box, Detection
from study.faces.prediction import Answer, answer
from tests.faces.people import background

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
NOTICE = "Trained on drawn faces, not on photographs."


def happy(box: Box, track: int | None = None) -> Answer:
    shares = np.array([0.02, 0.01, 0.03, 0.8, 0.04, 0.05, 0.05], np.float32)
    return Answer(box, 0.9, shares, 3, track=track)


class Spy:
    """Notes what is written and where bars go, in place of drawing it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts: list[str] = []
        self.bars: list[Box] = []
        draw = annotation._Marked.draw_bars

        def note(marked: annotation._Marked, place: Box, *more: object) -> None:
            self.bars.append(place)
            draw(marked, place, *more)

        def write(picture: np.ndarray, text: str, *more: object) -> None:
            self.texts.append(text)

        monkeypatch.setattr(annotation._Marked, "draw_bars", note)
        monkeypatch.setattr(annotation, "write", write)


def test_the_picture_itself_is_left_as_it_is() -> None:
    picture = background(640, 480).copy()
    annotate(picture, [happy(Box(100, 100, 150, 150))], CLASSES, NOTICE, "30 fps")
    np.testing.assert_array_equal(picture, background(640, 480))


def test_a_box_is_drawn_where_the_face_is_in_the_colour_of_its_class() -> None:
    picture = background(640, 480)
    drawn = annotate(picture, [happy(Box(200, 150, 120, 120))], CLASSES)
    for row, column in ((150, 260), (269, 260), (210, 200), (210, 319)):
        assert tuple(drawn[row, column]) == colour_of(3)
    np.testing.assert_array_equal(drawn[160:260, 210:310], picture[160:260, 210:310])


def test_label_and_every_class_with_its_share_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    annotate(background(640, 480), [happy(Box(200, 150, 120, 120), track=4)], CLASSES, NOTICE, "30 fps", bars=True)
    assert "4  happy 80 %" in spy.texts and "30 fps" in spy.texts
    assert {*CLASSES, "80 %", "2 %"} <= set(spy.texts)
    assert NOTICE in " ".join(spy.texts)


@pytest.mark.parametrize("shape", [(48, 48), (90, 160), (120, 160), (720, 1280), (1080, 1920), (2000, 90), (30, 3000)])
def test_the_notice_is_on_pictures_of_every_size(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    annotate(background(shape[1], shape[0]), [], CLASSES, NOTICE)
    assert " ".join(spy.texts) == NOTICE


def test_the_notice_stands_on_a_dark_band_without_hiding_the_rest() -> None:
    picture = np.full((480, 640, 3), 200, np.uint8)
    drawn = annotate(picture, [], CLASSES, NOTICE)
    assert drawn[-4].max() < 120 and (drawn[:420] == 200).all()
    np.testing.assert_array_equal(annotate(picture, [], CLASSES), picture)


def test_small_pictures_are_enlarged_and_large_ones_are_not() -> None:
    assert annotate(background(160, 120), [], CLASSES).shape == (360, 480, 3)
    assert annotate(background(1280, 720), [], CLASSES).shape == (720, 1280, 3)
    assert annotate(background(2000, 40), [], CLASSES).shape == (40, 2000, 3)


def test_bars_cover_no_face_and_no_other_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    boxes = [Box(95, 146, 112, 112), Box(310, 161, 178, 178), Box(628, 174, 261, 261), Box(936, 266, 305, 305)]
    annotate(background(1280, 720), [happy(box) for box in boxes], CLASSES, NOTICE, bars=True)
    assert len(spy.bars) == 4
    places = [*boxes, *spy.bars]
    pairs = [(one, other) for index, one in enumerate(places) for other in places[:index]]
    assert not any(annotation.touch(one, other) for one, other in pairs)


def test_bars_are_drawn_only_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    annotate(background(640, 480), [happy(Box(200, 150, 120, 120))], CLASSES)
    annotate(background(48, 48), [happy(Box(0, 0, 48, 48))], CLASSES, whole=True)
    assert spy.bars == [] and spy.texts == ["happy 80 %"] * 2


def test_several_faces_are_numbered_and_unsure_ones_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    unsure = replace(happy(Box(400, 150, 120, 120)), unsure=True)
    annotate(background(640, 480), [happy(Box(100, 150, 120, 120)), unsure], CLASSES)
    assert spy.texts == ["1  happy 80 %", "2  unsure (happy?) 80 %"]


def test_a_label_covers_no_other_face_where_it_need_not() -> None:
    """The upper face stands right above the lower one, whose label goes below it."""
    picture, upper, lower = background(640, 480), Box(200, 60, 120, 120), Box(200, 200, 120, 120)
    drawn = annotate(picture, [happy(upper), happy(lower)], CLASSES)
    np.testing.assert_array_equal(drawn[70:170, 210:310], picture[70:170, 210:310])
    assert (drawn[322:340, 200:260] != picture[322:340, 200:260]).any()


def test_landmarks_are_drawn_in_the_colour_of_the_class_at_the_pictures_scale() -> None:
    turn = np.linspace(0, 2 * np.pi, 468)
    points = np.stack([90 + 30 * np.cos(turn), 60 + 30 * np.sin(turn)], axis=1).astype(np.float32)
    drawn = annotate(background(160, 120), [replace(happy(Box(55, 25, 70, 70)), landmarks=points)], CLASSES)
    without = annotate(background(160, 120), [happy(Box(55, 25, 70, 70))], CLASSES)
    rows, columns = np.nonzero((drawn != without).any(axis=2))
    assert rows.size > 100 and rows.min() >= 3 * 29 and rows.max() <= 3 * 91 and columns.max() <= 3 * 121


def test_a_face_that_fills_the_picture_keeps_its_label(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    annotate(background(400, 400), [happy(Box(-10, -10, 420, 420))], CLASSES, bars=True)
    assert spy.texts == ["happy 80 %"] and spy.bars == []


def test_a_picture_that_is_one_face_gets_label_bars_and_notice_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    picture = background(48, 48)
    drawn = annotate(picture, [happy(Box(0, 0, 48, 48))], CLASSES, NOTICE, whole=True, bars=True)
    assert len(spy.bars) == 1 and spy.bars[0].left > 384
    assert drawn.shape[1] > 384 and drawn.shape[0] > 384
    np.testing.assert_array_equal(drawn[:384, :384], annotate(picture, [], CLASSES))


@pytest.mark.parametrize("count", [2, 7, 30])
def test_any_number_of_classes_is_shown(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    classes = tuple(f"class {index}" for index in range(count))
    shares = np.full(count, 0.4 / (count - 1), np.float32)
    shares[count - 1] = 0.6
    face = answer(Detection(Box(300, 100, 200, 200), 0.9), shares)
    assert label_text(face, classes) == f"class {count - 1} 60 %"
    annotate(background(1280, 720), [face], classes, bars=True)
    rows = [text for text in spy.texts if text.startswith("class") and "%" not in text]
    assert len(rows) == min(count, 8) and rows == sorted(rows, key=classes.index) and rows[-1] == classes[-1]


def test_a_line_is_as_wide_and_high_as_said_and_in_its_colour() -> None:
    picture = np.full((60, 300, 3), 40, np.uint8)
    write(picture, "happy 93 %", 10, 20, 18, (10, 200, 250))
    changed = np.argwhere((picture != 40).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert 20 <= top < bottom < 20 + line_height(18) and 10 <= left < right < 10 + text_width("happy 93 %", 18)
    assert right - left > 0.8 * text_width("happy 93 %", 18)
    assert (picture == (10, 200, 250)).all(axis=2).any()
    assert picture[..., 0].max() == 40 and picture[..., 0].min() == 10, "letters only blend the two colours"


def test_white_on_black_and_black_on_white_do_not_wrap_around() -> None:
    for under, colour in ((0, 255), (255, 0)):
        picture = np.full((40, 200, 3), under, np.uint8)
        write(picture, "WM@#8", 2, 2, 24, (colour, colour, colour))
        share = np.abs(picture.astype(int) - under).mean() / 255
        assert 0.05 < share < 0.4


@pytest.mark.parametrize("place", [(-30, 5), (90, 5), (5, -8), (5, 25), (200, 200), (-400, -400)])
def test_what_lies_outside_is_left_out(place: tuple[int, int]) -> None:
    picture = np.zeros((30, 100, 3), np.uint8)
    whole = np.zeros((600, 1000, 3), np.uint8)
    write(picture, "surprise", *place, 16, (255, 255, 255))
    write(whole, "surprise", place[0] + 450, place[1] + 450, 16, (255, 255, 255))
    np.testing.assert_array_equal(picture, whole[450:480, 450:550])


def test_lines_are_broken_between_words_and_fit() -> None:
    text = "what this model says about real people means nothing"
    lines = wrapped(text, 14, 150)
    assert len(lines) > 2 and " ".join(lines) == text
    assert max(text_width(line, 14) for line in lines) <= 150
    assert wrapped(text, 14, 5) == text.split() and wrapped("", 14, 100) == []


def test_letters_beyond_ascii_are_drawn() -> None:
    drawn = []
    for name in ("Überraschung", "грусть", "χαρά"):
        picture = np.zeros((30, 200, 3), np.uint8)
        write(picture, name, 0, 0, 16, (255, 255, 255))
        drawn.append(picture.tobytes())
    assert len(set(drawn)) == 3


def test_the_font_is_found_without_importing_matplotlib() -> None:
    look = "print(_font(14).getname()[0], 'matplotlib' in sys.modules)"
    code = f"import sys; from study.faces.annotation import _font; {look}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "DejaVu Sans False\n"
