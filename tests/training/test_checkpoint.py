"""Checkpoints: what is read is what was written, damaged ones are set aside, and one that is whole is always there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.core.errors import WriteError
from study.core.files import clear_left
from study.training import checkpoint
from study.training.checkpoint import Checkpoint, checkpoints, discard
from tests.dying import die_at

KEY = "cnn2-baseline-seed_0-0123456789"


def arrays(number: int) -> dict[str, list[np.ndarray[Any, Any]]]:
    rng = np.random.default_rng(number)
    weights = [rng.random((3, 4)).astype(np.float32), rng.random(5), np.asfortranarray(rng.random((2, 3)))]
    return {"weights": weights, "best": [], "optimizer": [np.asarray(number), np.zeros((0, 2), np.float32)]}


def state(number: int) -> dict[str, Any]:
    return {"phase": 0, "updates": number, "history": [{"loss": 0.1 + number / 3}]}


def bits(array: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    return array.dtype, array.shape, array.tobytes()


def same(found: tuple[dict[str, Any], dict[str, list[Any]]] | None, number: int) -> bool:
    """Return whether a checkpoint is the one saved with that number, bit by bit."""
    if found is None or found[0] != state(number):
        return False
    first, second = ({name: [*map(bits, group)] for name, group in one.items()} for one in (found[1], arrays(number)))
    return first == second


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Return a folder with checkpoints 0 to 3 saved one after the other."""
    folder = tmp_path / KEY
    for number in range(4):
        Checkpoint(folder, KEY).save(0, state(number), arrays(number))
    return folder


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [truncate, flip_a_bit, empty, become_a_folder]


def test_the_newest_comes_back_bit_by_bit_and_the_one_before_it_is_kept(saved: Path) -> None:
    assert same(Checkpoint(saved, KEY).load(), 3)
    assert [path.name for path in checkpoints(saved)] == ["000002-0.checkpoint", "000003-0.checkpoint"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_is_set_aside_and_the_one_before_it_used(saved: Path, damage: Callable[[Path], None]) -> None:
    damage(checkpoints(saved)[-1])
    found = Checkpoint(saved, KEY)
    assert same(found.load(), 2)
    (note,) = found.notes
    assert note.startswith("checkpoint 3 is damaged") and note.endswith("the one before it is tried")
    assert (saved / "000003-0.checkpoint.damaged").exists()
    found.save(0, state(5), arrays(5))
    assert same(Checkpoint(saved, KEY).load(), 5)


@pytest.mark.parametrize("damage", DAMAGES)
def test_with_both_damaged_training_starts_over(saved: Path, damage: Callable[[Path], None]) -> None:
    for path in checkpoints(saved):
        damage(path)
    found = Checkpoint(saved, KEY)
    assert found.load() is None
    assert len(found.notes) == 2 and found.notes[-1].endswith("training starts over")
    found.save(0, state(0), arrays(0))
    assert same(Checkpoint(saved, KEY).load(), 0)


def test_the_last_one_of_the_phase_before_is_kept(tmp_path: Path) -> None:
    saves = [(0, 0), (1, 0), (2, 1), (3, 1), (4, 1), (5, 2)]
    for number, phase in saves:
        Checkpoint(tmp_path, KEY).save(phase, state(number), arrays(number))
    assert [path.name for path in checkpoints(tmp_path)] == [f"00000{n}-{phase}.checkpoint" for n, phase in saves[4:]]
    Checkpoint(tmp_path, KEY).save(2, state(6), arrays(6))
    Checkpoint(tmp_path, KEY).save(2, state(7), arrays(7))
    assert [path.name[:8] for path in checkpoints(tmp_path)] == ["000004-1", "000006-2", "000007-2"]


def test_every_single_byte_counts(saved: Path) -> None:
    path = checkpoints(saved)[-1]
    data = path.read_bytes()
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        assert same(Checkpoint(saved, KEY).load(), 2), place
        for aside in saved.glob("*.damaged*"):
            aside.unlink()


def test_a_checkpoint_of_another_run_is_not_used(saved: Path) -> None:
    found = Checkpoint(saved, "another")
    assert found.load() is None and "belongs to another run" in found.notes[0]


def test_a_checkpoint_of_other_code_is_not_used(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "code_hash", lambda: "other")
    found = Checkpoint(saved, KEY)
    assert found.load() is None and "other code" in found.notes[0]


def test_wherever_saving_is_killed_a_whole_checkpoint_is_there(saved: Path, tmp_path: Path) -> None:
    seen = set()
    for call in range(100):
        folder = tmp_path / str(call)
        shutil.copytree(saved, folder)
        code = die_at(call, lambda folder=folder: Checkpoint(folder, KEY).save(0, state(4), arrays(4)))  # type: ignore[misc]
        clear_left(folder)
        found = Checkpoint(folder, KEY)
        loaded = found.load()
        assert loaded is not None and not found.notes
        seen.add(loaded[0]["updates"])
        assert same(loaded, loaded[0]["updates"])
        if code == 0:
            break
    assert code == 0 and seen == {3, 4}


def test_what_cannot_be_written_leaves_the_earlier_ones(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(WriteError, match="No space left"):
        patch.setattr("os.fsync", full)
        Checkpoint(saved, KEY).save(0, state(4), arrays(4))
    assert same(Checkpoint(saved, KEY).load(), 3)


def test_discarding_removes_the_folder_and_keeps_what_was_set_aside(saved: Path, tmp_path: Path) -> None:
    discard(saved)
    discard(saved)
    assert not saved.exists()
    Checkpoint(saved, KEY).save(0, state(0), arrays(0))
    truncate(checkpoints(saved)[-1])
    Checkpoint(saved, KEY).load()
    discard(saved)
    assert [path.name for path in saved.iterdir()] == ["000000-0.checkpoint.damaged"]


def test_saving_takes_a_tenth_of_the_time_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(checkpoint.time, "perf_counter", lambda: clock[0])
    plain = checkpoint._made_by

    def slow() -> str:
        clock[0] += 2.0
        return plain()

    monkeypatch.setattr(checkpoint, "_made_by", slow)
    kept, saved = Checkpoint(tmp_path, KEY), []
    for number in range(60):
        clock[0] += 1.0
        if kept.wants(1.0):
            kept.save(0, state(number), arrays(number))
            saved.append(number)
    assert saved == [0, 18, 36, 54]
    assert same(Checkpoint(tmp_path, KEY).load(), 54)
    assert [path.name for path in checkpoints(tmp_path)] == ["000036-0.checkpoint", "000054-0.checkpoint"]


def test_quick_saves_are_always_made(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path, KEY)
    for number in range(3):
        assert kept.wants(0.0)
        kept.save(0, state(number), arrays(number))


def test_without_a_folder_nothing_is_kept() -> None:
    kept = Checkpoint(None, KEY)
    kept.save(0, state(0), arrays(0))
    assert kept.load() is None
