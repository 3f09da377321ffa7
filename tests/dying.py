"""A child process that is killed at a chosen system call, or in the middle of a chosen write."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

#: Calls of the file system that our writers make; a child can be killed before any of them.
CALLS = ("mkdir", "open", "write", "close", "fsync", "rename", "replace", "unlink", "rmdir", "scandir", "link", "utime")


def die_at(number: int, act: Callable[[], object], half: bool = False) -> int:
    """Run a function in a child that kills itself before its call ``number``; return 0 where it got to the end.

    Args:
        number: Which of the child's ``CALLS``, from 0.
        act: What the child does.
        half: Let a write do half of its work before the child dies.

    Returns:
        The child's exit code, ``-SIGKILL`` where it was killed.

    Raises:
        AssertionError: the child failed in another way.
    """
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _arm(number, half)
            act()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), f"the child ended with {code}"
    return code


def _arm(number: int, half: bool) -> None:
    count = 0

    def watched(name: str) -> Callable[..., Any]:
        real = getattr(os, name)
        write = os.write

        def call(*words: Any, **more: Any) -> Any:
            nonlocal count
            if count == number:
                if half and name == "write":
                    write(words[0], words[1][: len(words[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
            return real(*words, **more)

        return call

    for name in CALLS:
        setattr(os, name, watched(name))
