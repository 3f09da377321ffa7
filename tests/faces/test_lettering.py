"""Text on pictures stays within them and is in its colour."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from study.faces.lettering import line_height, text_width, wrapped, write


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
    code = f"import sys; from study.faces.lettering import _font; {look}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "DejaVu Sans False\n"
