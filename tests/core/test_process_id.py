"""Owners: a process is told from others, also from one that gets its number later."""

from __future__ import annotations

import subprocess
import sys
import time

from study.core.process_id import ProcessId, this_process
from tests.changed import replace


def test_this_process_is_here_and_runs() -> None:
    mine = this_process()
    assert mine.here and not mine.gone and mine == this_process()


def test_an_ended_process_is_gone_even_before_its_parent_has_noticed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "from study.core.process_id import this_process as p; print(p().pid, p().started)"],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        pid, started = child.stdout.read().split()
        child.stdout.close()
        ended = ProcessId(this_process().machine, int(pid), started)
        for _ in range(500):
            if ended.gone:
                break
            time.sleep(0.01)
        assert ended.gone
    assert ended.gone


def test_another_process_with_the_same_number_is_not_the_owner() -> None:
    assert replace(this_process(), started="1").gone


def test_of_another_machine_nothing_is_certain() -> None:
    far = replace(this_process(), machine="00000000", pid=2**22 + 1)
    assert not far.here and not far.gone
