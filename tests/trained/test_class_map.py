"""Classes of another dataset mean the run's by name, synonym or a given table."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.core.errors import UsageError
from study.datasets.readers.fer2013 import CLASSES
from study.trained.images import map_classes, read_map


def test_names_and_synonyms_mean_the_runs_classes_whatever_their_case() -> None:
    theirs = ("Anger", "DISGUSTED", "fearful", "Happiness", "sadness", "Surprised", "neutral", "contempt")
    assert map_classes(theirs, CLASSES) == dict(zip(theirs[:7], CLASSES, strict=True))


def test_synonyms_hold_in_both_directions_and_other_names_by_themselves() -> None:
    ours = ("anger", "very-happy", "cat")
    assert map_classes(("angry", "Very Happy", "dog"), ours) == {"angry": "anger", "Very Happy": "very-happy"}


def test_a_table_comes_before_names_and_may_leave_out() -> None:
    table = {"contempt": "disgust", "fear": ""}
    assert map_classes(("contempt", "fear", "sad"), CLASSES, table) == {"contempt": "disgust", "sad": "sad"}


@pytest.mark.parametrize("table", [{"contmpt": "disgust"}, {"contempt": "disgusted"}])
def test_a_slip_in_the_table_is_named(table: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="Did you mean"):
        map_classes(("contempt", "sad"), CLASSES, table)


def test_nothing_in_common_asks_for_a_table() -> None:
    with pytest.raises(UsageError, match="--map FILE"):
        map_classes(("cat", "dog"), CLASSES)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("map.toml", 'happiness = "happy"\ncontempt = ""\n'),
        ("map.csv", "dataset,run\nhappiness,happy\ncontempt,\n"),
        ("map.csv", "\ufeffhappiness , happy\r\n\r\ncontempt,\r\n"),
    ],
)
def test_tables_are_read_from_toml_and_csv(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_map(tmp_path / name) == {"happiness": "happy", "contempt": ""}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("map.toml", "happiness = 3", "dataset_class = "),
        ("map.toml", "happiness", "not TOML"),
        ("map.csv", "happiness;happy", "dataset_class,run_class"),
        ("map.json", "{}", ".toml or a .csv"),
        ("none.csv", None, "give an existing file"),
    ],
)
def test_other_files_are_one_line(tmp_path: Path, name: str, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=words) as caught:
        read_map(tmp_path / name)
    assert "\n" not in str(caught.value)
