"""Numbers and names as the report writes them."""

import pytest

from study.core.spec import Plateau
from study.report.wording import duration, escape, large, percent, points, ranges, schedule_words, without_paths
from tests.changed import replace
from tests.factories import make_spec


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "+1.2"), (-0.0123, "−1.2"), (-0.0001, "0.0"), (0.0, "0.0"), (None, "–"), (float("nan"), "–")],
)
def test_points_are_signed_and_never_minus_zero(value, text):
    assert points(value) == text


@pytest.mark.parametrize(("value", "text"), [(1_277_000, "1.28 M"), (121e6, "121 M"), (950, "950"), (None, "–")])
def test_large_counts_have_three_digits(value, text):
    assert large(value).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(("value", "text"), [(2.345, "2.35 s"), (61.0, "61 s"), (1140, "19 min"), (6588, "1.8 h")])
def test_durations_read_as_a_person_says_them(value, text):
    assert duration(value).replace("\N{NO-BREAK SPACE}", " ") == text


def test_no_value_is_a_dash():
    assert percent(None) == "–"


def test_seeds_are_listed_shortly():
    assert ranges([0, 1, 2, 5]) == "0-2, 5"


def test_markdown_marks_are_shown_as_they_are():
    assert escape("a|b *c*\n<d> $e$") == "a\\|b \\*c\\* &lt;d&gt; &#36;e&#36;"


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("cannot read /home/me/data/x.png", "cannot read …/x.png"),
        ("as-published/emotionnet stays", "as-published/emotionnet stays"),
        ("speed in images/s stays", "speed in images/s stays"),
    ],
)
def test_absolute_paths_lose_their_folders(text, short):
    assert without_paths(text) == short


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"plateau": None}, "constant; keeps the epoch with the best validation loss"),
        ({"plateau": None, "monitor": "last"}, "constant; keeps the last epoch, whatever it scores"),
        ({}, "rate halved after 3 epochs without improvement; keeps the epoch with the best validation loss"),
        (
            {"plateau": Plateau(factor=0.2, patience=1), "monitor": "brier"},
            "rate ×0.2 after 1 epoch without improvement; keeps the epoch with the best validation Brier score",
        ),
    ],
)
def test_a_schedule_says_how_the_rate_changes_and_which_epoch_is_kept(changes, words):
    assert schedule_words(replace(make_spec().protocol.phases[0], **changes)) == words
