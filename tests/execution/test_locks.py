"""Locks: one of many processes has a piece of work, and what the dead and the silent had is taken over."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from study.core.errors import WriteError
from study.core.process_id import this_process
from study.execution.locks import Locks

#: Long enough for a busy machine, short enough to wait for.
BEAT_S, STALE_S = 0.05, 1.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "locks"


@pytest.fixture
def locks(folder: Path) -> Iterator[Locks]:
    with Locks(folder, BEAT_S, STALE_S) as opened:
        yield opened


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def in_child(act: Callable[[], object]) -> int:
    """Run a function in a child process and return the child's number; the caller waits for it."""
    pid = os.fork()
    if pid == 0:
        code = 1
        signal.alarm(60)
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    return pid


def left_by_another_machine(folder: Path, name: str) -> Path:
    """Make a lock as a process of another machine would have left it."""
    mine = this_process()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.1.lock"
    about = {"machine": "00000000", "pid": mine.pid, "started": mine.started, "host": "far", "token": "x"}
    path.write_text(json.dumps(about))
    return path


def test_a_claim_is_had_once_until_it_is_given_back(locks: Locks, folder: Path) -> None:
    lock = locks.take("a")
    assert lock is not None and lock.holds
    with Locks(folder, BEAT_S, STALE_S) as others:
        assert others.take("a") is None
        assert others.take("b") is not None
        locks.release(lock)
        assert others.take("a") is not None
    assert names(folder) == []


def test_leaving_gives_everything_back(folder: Path) -> None:
    with pytest.raises(RuntimeError), Locks(folder, BEAT_S, STALE_S) as locks:
        locks.take("a")
        locks.take("b")
        raise RuntimeError
    assert names(folder) == []


def test_what_an_ended_process_had_is_taken_over_at_once(locks: Locks, folder: Path) -> None:
    for _ in range(3):
        os.waitpid(in_child(lambda: Locks(folder).take("a")), 0)
    assert len(names(folder)) == 3, "each child took over from the one before"
    start = time.monotonic()
    lock = locks.take("a")
    assert lock is not None and time.monotonic() - start < STALE_S / 2
    locks.release(lock)
    assert names(folder) == []


def test_what_another_machine_had_is_taken_over_when_it_gives_no_sign_of_life(locks: Locks, folder: Path) -> None:
    path = left_by_another_machine(folder, "a")
    assert locks.owner("a") == f"process {os.getpid()} on far"
    for _ in range(5):  # signs of life; their times, from a clock that is a day late, do not matter
        os.utime(path, (time.time() - 86400 + _, time.time() - 86400 + _))
        assert locks.take("a") is None
        time.sleep(STALE_S / 4)
    time.sleep(STALE_S * 1.1)
    assert locks.take("a") is not None
    assert names(folder) == ["a.1.lock", "a.2.lock"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"machine": 1}', b"\xff" * 10])
def test_a_claim_that_does_not_tell_its_owner_is_respected_until_it_is_silent(
    locks: Locks, folder: Path, content: bytes
) -> None:
    folder.mkdir()
    (folder / "a.1.lock").write_bytes(content)
    assert locks.take("a") is None and locks.owner("a") == "another process"
    time.sleep(STALE_S * 1.1)
    assert locks.take("a") is not None


def test_an_owner_who_was_silent_for_too_long_knows_that_it_has_lost(folder: Path) -> None:
    silent, quick = Locks(folder), Locks(folder, BEAT_S, stale_s=0.0)
    lock = silent.take("a")
    assert lock is not None and lock.holds
    assert quick.take("a") is None
    time.sleep(0.01)
    taken = quick.take("a")
    assert taken is not None and taken.holds and not lock.holds
    lock.beat()
    silent.release(lock)
    assert taken.holds and names(folder) == ["a.2.lock"]
    quick.release(taken)
    assert names(folder) == []


def test_signs_of_life_keep_a_lock(locks: Locks, folder: Path) -> None:
    lock = locks.take("a")
    others = Locks(folder, BEAT_S, stale_s=4 * BEAT_S)
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        assert others.take("a") is None
        time.sleep(0.01)
    assert lock is not None and lock.holds


def test_holding_waits_and_says_once_for_whom(locks: Locks, folder: Path) -> None:
    def act() -> None:
        with Locks(folder, BEAT_S, STALE_S).hold("report"):
            (folder.parent / "held").touch()
            time.sleep(1.5)

    child = in_child(act)
    while not (folder.parent / "held").exists():
        time.sleep(0.01)
    said: list[str] = []
    with locks.hold("report", said.append):
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert said == [f"process {child} on this machine"]


def test_only_what_ended_processes_left_is_cleared_away(locks: Locks, folder: Path) -> None:
    for name in ("a", "a", "b"):
        os.waitpid(in_child(lambda name=name: Locks(folder).take(name)), 0)  # type: ignore[misc]
    left_by_another_machine(folder, "far")
    with Locks(folder) as others:
        others.take("mine")
        (folder / "notes.txt").touch()
        (folder / "x.lock").touch()
        locks.clear_left()
        assert names(folder) == ["far.1.lock", "mine.1.lock", "notes.txt", "x.lock"]


def test_a_claim_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="cannot write"):
        Locks(tmp_path / "file").take("a")


def race(folder: Path, number: int, rounds: int) -> None:
    """Take names as they come; while having one, make sure by an exclusive file that nobody else has it too."""
    locks = Locks(folder, BEAT_S, stale_s=30.0)
    for name in map(str, range(rounds)):
        done, inside = folder.parent / f"done-{name}", folder.parent / f"inside-{name}"
        while not done.exists():
            lock = locks.take(name)
            if lock is None:
                continue
            if not done.exists():
                os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
                if (int(name) + number) % 7 == 0:  # dies in the middle; somebody else has to do it
                    inside.unlink()
                    os.kill(os.getpid(), signal.SIGKILL)
                with (folder.parent / "log").open("a") as log:
                    log.write(f"{name}\n")
                inside.unlink()
                done.touch()
            locks.release(lock)


def test_of_racing_processes_each_does_what_no_other_does_and_nothing_is_left_out(folder: Path) -> None:
    rounds, numbers = 40, range(4)
    racers = {in_child(lambda number=number: race(folder, number, rounds)): number for number in numbers}  # type: ignore[misc]
    killed = 0
    while racers:
        pid = next(iter(racers))
        number = racers.pop(pid)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code in (0, -signal.SIGKILL)
        if code != 0:  # the next of its kind
            killed += 1
            racers[in_child(lambda number=number + 1: race(folder, number, rounds))] = number + 1  # type: ignore[misc]
    assert killed > 0
    assert sorted(map(int, (folder.parent / "log").read_text().split())) == list(range(rounds))
