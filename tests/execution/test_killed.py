"""A study killed again and again ends as one that never was: nothing lost, nothing doubled, nothing different."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.execution.killing import Grid
from tests.execution.sameness import differences

#: How often the grid is killed; `STUDY_KILLS=100 pytest -m slow tests/execution/test_killed.py -s` is the long form.
KILLS = int(os.environ.get("STUDY_KILLS", "20"))


@pytest.mark.slow
@pytest.mark.timeout(300 + 90 * KILLS)
@pytest.mark.parametrize("words", [("--jobs", "2")], ids=["two workers"])
def test_a_study_killed_at_random_moments_ends_like_one_that_was_not(tmp_path: Path, words: tuple[str, ...]) -> None:
    seed = int(os.environ.get("STUDY_KILL_SEED", "0"))
    chance = random.Random(seed)
    # Augmentation takes long to start, too long for the short form.
    size = (1, "baseline,oversample") if KILLS <= 20 else (KILLS // 25, "baseline,oversample+augment")
    whole, killed = (Grid(tmp_path / name, words, *size) for name in ("whole", "killed"))
    assert whole.finish() == 0, (whole.folder / "output").read_text()
    epochs, runs = len(whole.trained()), len(whole.store.records())
    for moment in sorted(chance.uniform(0, epochs + 4) for _ in range(KILLS)):
        killed.kill_after(int(moment), chance)
        _, damaged = killed.store.examine(weights=True)
        assert not damaged
    while killed.kills < KILLS:  # it had come to its end before
        killed.kill_after(0, chance)
    assert killed.finish() == 0, (killed.folder / "output").read_text()
    assert differences(whole.folder, killed.folder, whole.store.study) == []
    twice = killed.trained_twice()
    print(f"{killed.kills} kills (seed {seed}): {runs} runs, {epochs} epochs, {twice} epochs trained twice")
    assert whole.trained_twice() == 0 and twice <= 2 * KILLS
    assert set(killed.trained()) == set(whole.trained())
    left = [path.name for path in killed.folder.rglob("*") if path.name.startswith(".study") or ".damaged" in path.name]
    assert left == [] and list(killed.store.locks_folder.iterdir()) == []
    assert "set aside" not in (killed.folder / "output").read_text()
