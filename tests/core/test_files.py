"""Files are written whole or not at all, wherever the writer dies, and only what a dead writer left is removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.core.errors import WriteError
from study.core.files import clear_left, replacing, set_aside, temporary_path, write_atomically
from study.core.process_id import this_process
from tests.dying import CALLS, die_at

#: More system calls than any of the writers makes.
MANY = 200


def left_by(folder: Path, name: str, *, pid: int, machine: str | None = None) -> Path:
    """Make a temporary file as a process with that number would have left it."""
    mine = this_process()
    made = folder / f".study-{machine or mine.machine}-{pid}-{mine.started}-0123abcd-{name}"
    made.write_bytes(b"half")
    return made


@pytest.fixture
def ended() -> int:
    """Return the number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.mark.parametrize("half", [False, True], ids=["between calls", "in the middle of a write"])
def test_wherever_a_writer_is_killed_the_file_is_the_old_one_or_the_new_one(tmp_path: Path, half: bool) -> None:
    old, new = b"old" * 1000, b"new" * 2000
    path = tmp_path / "made" / "file"
    seen = set()
    for call in range(MANY):
        write_atomically(path, old)
        code = die_at(call, lambda: write_atomically(path, new), half=half)
        seen.add(found := path.read_bytes())
        assert found in (old, new)
        clear_left(tmp_path)
        assert [one.name for one in path.parent.iterdir()] == ["file"]
        if code == 0:
            break
    assert code == 0 and call >= 6, "every call was tried"
    assert seen == {old, new}


def test_a_new_file_in_new_folders_is_whole_or_absent(tmp_path: Path) -> None:
    for call in range(MANY):
        path = tmp_path / str(call) / "a" / "b" / "file"
        code = die_at(call, lambda path=path: write_atomically(path, b"new"))  # type: ignore[misc]
        assert not path.exists() or path.read_bytes() == b"new"
        if code == 0:
            break
    assert code == 0 and path.read_bytes() == b"new"


def test_the_file_is_synced_before_its_name_and_the_folder_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def note(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*words: Any, **more: Any) -> Any:
            if name == "fsync":
                done.append("folder" if os.path.isdir(f"/proc/self/fd/{words[0]}") else "file")
            elif name == "replace":
                done.append("name")
            return real(*words, **more)

        return call

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, note(name))
    write_atomically(tmp_path / "file", b"data")
    assert done == ["file", "name", "folder"]


def test_a_block_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteError, match="cannot write .*Free space") as caught:
        write_atomically(tmp_path / "file" / "below", b"")
    assert "\n" not in str(caught.value)


def test_only_what_dead_writers_left_is_removed(tmp_path: Path, ended: int) -> None:
    (tmp_path / "deep").mkdir()
    mine = temporary_path(tmp_path / "deep" / "being-written")
    strangers = [tmp_path / ".study-notes", tmp_path / "x.tmp", tmp_path / ".file.abc.tmp", mine]
    for path in strangers:
        path.write_bytes(b"x")
    far, old = (left_by(tmp_path, name, pid=ended, machine="00000000") for name in ("far", "old"))
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    dead = left_by(tmp_path / "deep", "dead", pid=ended)
    folder = dead.with_name(f"{dead.name}-folder")
    folder.mkdir()
    (folder / "inside").write_bytes(b"")
    assert sorted(clear_left(tmp_path)) == sorted([old, dead, folder])
    assert all(path.exists() for path in [*strangers, far])
    assert not any(path.exists() for path in [old, dead, folder])


def test_a_link_that_is_called_like_a_temporary_file_is_left_alone(tmp_path: Path, ended: int) -> None:
    target = left_by(tmp_path, "x", pid=ended)
    link = target.with_name(f"{target.name}-link")
    link.symlink_to(tmp_path)
    clear_left(tmp_path)
    assert link.is_symlink()


def test_damaged_files_are_set_aside_and_never_overwrite_one_another(tmp_path: Path) -> None:
    names = []
    for content in ("a", "b", "c"):
        (tmp_path / "file").write_text(content)
        names.append(set_aside(tmp_path / "file").name)
    assert names == ["file.damaged", "file.damaged1", "file.damaged2"]
    assert [(tmp_path / name).read_text() for name in names] == ["a", "b", "c"]


def test_setting_aside_what_another_process_has_set_aside_is_fine(tmp_path: Path) -> None:
    set_aside(tmp_path / "gone")


def test_the_calls_that_a_writer_can_die_at_are_real() -> None:
    assert all(callable(getattr(os, name)) for name in CALLS)
    assert die_at(MANY, lambda: None) == 0
    assert die_at(0, lambda: os.unlink("/nowhere")) == -signal.SIGKILL
