"""Annotated pictures say what was found, wherever the face is and however large the picture is."""

from __future__ import annotations

import numpy as np
import pytest

from study.faces import annotation
from study.faces.annotation import annotate, colour_of, label_text
from study.faces.answers import Answer, answer
from study.faces.faces import Box
from tests.faces.people import background

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
NOTICE = "Trained on drawn faces, not on photographs."


def happy(box: Box, track: int | None = None) -> Answer:
    shares = np.array([0.02, 0.01, 0.03, 0.8, 0.04, 0.05, 0.05], np.float32)
    return Answer(box, shares, 3, track)


class Spy:
    """Notes what is written and where bars go, in place of drawing it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts: list[str] = []
        self.bars: list[Box] = []
        draw = annotation._bars

        def note(picture: np.ndarray, place: Box, *more: object) -> None:
            self.bars.append(place)
            draw(picture, place, *more)

        def write(picture: np.ndarray, text: str, *more: object) -> None:
            self.texts.append(text)

        monkeypatch.setattr(annotation, "_bars", note)
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
    annotate(background(640, 480), [happy(Box(200, 150, 120, 120), track=4)], CLASSES, NOTICE, "30 fps")
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
    annotate(background(1280, 720), [happy(box) for box in boxes], CLASSES, NOTICE)
    assert len(spy.bars) == 4
    places = [*boxes, *spy.bars]
    pairs = [(one, other) for index, one in enumerate(places) for other in places[:index]]
    assert not any(annotation._overlap(one, other) for one, other in pairs)


def test_a_face_that_fills_the_picture_keeps_its_label(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    annotate(background(400, 400), [happy(Box(-10, -10, 420, 420))], CLASSES)
    assert spy.texts == ["happy 80 %"] and spy.bars == []


def test_a_picture_that_is_one_face_gets_label_bars_and_notice_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    picture = background(48, 48)
    drawn = annotate(picture, [happy(Box(0, 0, 48, 48))], CLASSES, NOTICE, whole=True)
    assert len(spy.bars) == 1 and spy.bars[0].left > 384
    assert drawn.shape[1] > 384 and drawn.shape[0] > 384
    np.testing.assert_array_equal(drawn[:384, :384], annotate(picture, [], CLASSES))


@pytest.mark.parametrize("count", [2, 7, 30])
def test_any_number_of_classes_is_shown(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    classes = tuple(f"class {index}" for index in range(count))
    shares = np.full(count, 0.4 / (count - 1), np.float32)
    shares[count - 1] = 0.6
    face = answer(Box(300, 100, 200, 200), shares)
    assert label_text(face, classes) == f"class {count - 1} 60 %"
    annotate(background(1280, 720), [face], classes)
    rows = [text for text in spy.texts if text.startswith("class") and "%" not in text]
    assert len(rows) == min(count, 8) and rows == sorted(rows, key=classes.index) and rows[-1] == classes[-1]
