"""The built-in faces are drawn once and then opened from the cache."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from study.datasets import synthetic
from study.datasets.load import load


def test_a_second_start_opens_equal_faces_without_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = synthetic.make(images=200, seed=3)
    load("synthetic:images=200,seed=3", cache_dir=tmp_path)
    monkeypatch.delattr(synthetic, "draw_faces")
    opened = load("synthetic:images=200,seed=3", cache_dir=tmp_path)
    for field in fields(drawn):
        assert np.array_equal(getattr(opened, field.name), getattr(drawn, field.name)), field.name


def test_other_settings_are_another_set(tmp_path: Path) -> None:
    assert len(load("synthetic:images=200", cache_dir=tmp_path)) == 200
    assert len(load("synthetic:images=210", cache_dir=tmp_path)) == 210
