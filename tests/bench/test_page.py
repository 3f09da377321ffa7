"""The page of the bench: a pure function of what was measured and of the sections beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from study.bench.page import best_of, build_page, epoch_s, further_sections, ratio, share_of_peak, write_page
from study.bench.parts import FILE, add, read
from study.cli.bench import app
from study.core.errors import StoreError

MADE = {
    "processor": "a processor", "threads": 2, "versions": {"tensorflow": "2", "numpy": "2"}, "rounds": 3,
    "seconds": 1.0, "least_updates": 8,
}  # fmt: skip


def contestant(train: float, predict: float = 1000.0, precision: str = "float32", busy: float = 1.9) -> dict[str, Any]:
    return {
        "precision": precision, "parameters": 10, "macs": 1000, "memory_mb": 512.3,
        "train": [train, train * 1.1, train * 0.9], "predict": [predict] * 3, "train_augmented": [train * 0.95] * 3,
        "train_busy_cores": [busy] * 3,
    }  # fmt: skip


def model_part(model: str, ours: float, busy: float = 1.9) -> dict[str, Any]:
    contestants = {
        "study float32": contestant(ours, busy=busy),
        "keras float32": contestant(100.0),
        "torch float32": contestant(200.0),
        "torch mixed_bfloat16": contestant(150.0, precision="mixed_bfloat16"),
    }
    about = {"model": model, "side_px": 48, "backend": "tensorflow", "batch": 64, "images": 500, "made": MADE}
    return {**about, "auto_precision": "float32", "peer_versions": {"torch": "2"}, "contestants": contestants}


PARTS = {
    "peak": {"rates": {"float32": [1e11, 2e11, 3e11]}, "made": MADE},
    "models/cnn3-48px-tensorflow": model_part("cnn3", 400.0),
    "models/cnn5-48px-tensorflow": model_part("cnn5", 100.0),
    "tricks/cnn3": {
        "about": {"loop": "a loop"}, "made": MADE,
        "measured": [{"trick": "loop", "model": "cnn3", "measure": "train", "with": [3.0, 4.0], "without": [2.0, 2.0]}],
    },
    "grid": {
        "runs": 6, "what": "cnn3", "one_by_one_s": [30.0, 32.0], "auto_s": [20.0, 20.0], "choice": "2 at a time.",
        "made": MADE,
    },
}  # fmt: skip


def test_ratios_are_taken_round_by_round() -> None:
    found = ratio([10.0, 1.0, 8.0], [5.0, 0.5, 2.0])
    assert (found.middle, found.low, found.high) == (2.0, 2.0, 4.0), "a slow round is slow for both"


def test_numbers_follow_from_their_definitions() -> None:
    assert epoch_s({"train": [449.0 * 64], "predict": [3589.0]}, 64) == pytest.approx(2.0)
    assert share_of_peak(10.0, 1000, [120_000.0]) == pytest.approx(0.5), "two operations each, three passes"
    contestants = PARTS["models/cnn3-48px-tensorflow"]["contestants"]
    assert best_of(contestants, "torch", "train") == "torch float32"
    assert best_of(contestants, "jax", "train") is None


def test_the_page_shows_the_ratio_to_the_best_variant_of_each_peer_and_the_mean() -> None:
    page = build_page(PARTS, {})
    row = next(line for line in page.splitlines() if "PyTorch, its faster precision, training" in line)
    assert "2.00 (2.00 to 2.00) | 0.50 (0.50 to 0.50) | 1.00" in row
    assert "Keras as users write it, training | 4.00" in page
    assert "Parameter counts of all contestants are equal." in page
    assert "Ratios are those of our float32." in page
    assert "cnn3 95% (86% to 106%)" in page and "200 GFLOP/s in float32" in page
    assert "| loop | a loop | cnn3 | training | 1.75 (1.50 to 2.00) |" in page
    assert "1.55 (1.50 to 1.60) times as fast. 2 at a time." in page
    assert "3 rounds of about 1 s, 8 updates at least; batch 64." in page


def test_the_page_says_where_networks_differ_and_where_the_machine_was_busy() -> None:
    part = model_part("cnn3", 400.0, busy=0.7)
    assert "was busy" not in build_page(PARTS, {})
    part["contestants"]["torch float32"]["parameters"] = 11
    page = build_page({"models/cnn3-48px-tensorflow": part}, {})
    assert "differ on cnn3" in page and "The machine was busy" in page


def test_parts_are_kept_until_they_are_measured_again(tmp_path: Path) -> None:
    add(tmp_path, {"peak": PARTS["peak"]})
    kept = add(tmp_path, {"grid": {**PARTS["grid"], "runs": 7}})
    assert set(kept) == {"peak", "grid"} and read(tmp_path) == kept
    (tmp_path / FILE).write_text('{"format": 2, "parts": {}}')
    with pytest.raises(StoreError, match="measure again"):
        read(tmp_path)


def test_the_check_finds_a_page_that_was_edited_and_keeps_sections_of_others(tmp_path: Path) -> None:
    kept = add(tmp_path, PARTS)
    (tmp_path / "ray.md").write_text("## Ray\n\nAnother section.\n")
    page = write_page(tmp_path, kept)
    assert page.read_text().endswith("## Ray\n\nAnother section.\n")
    assert page.read_text() == build_page(kept, further_sections(tmp_path))
    assert CliRunner().invoke(app, ["--check", "--out", str(tmp_path)]).exit_code == 0
    page.write_text(page.read_text().replace("Another", "An edited"))
    assert CliRunner().invoke(app, ["--check", "--out", str(tmp_path)]).exit_code == 1
    assert CliRunner().invoke(app, ["--write", "--out", str(tmp_path)]).exit_code == 0
    assert CliRunner().invoke(app, ["--check", "--out", str(tmp_path)]).exit_code == 0
