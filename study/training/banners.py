"""Backend banners, which are printed before any log level holds, kept out of the display."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator

BANNER = re.compile(
    rb"^(WARNING: All log messages before absl::InitializeLog|I0000 |W0000 |E0000 .*register"
    rb"|INFO: Created TensorFlow Lite|fully_quantize: |To enable the following instructions|E0000 .*cu(Init|da))"
)


@contextlib.contextmanager
def without_banners() -> Iterator[None]:
    """Pass on what is written to the standard error stream inside the block, but for banners."""
    target = os.dup(2)
    source, sink = os.pipe()
    os.dup2(sink, 2)
    os.close(sink)
    thread = threading.Thread(target=_pass_on, args=(source, target), daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.dup2(target, 2)  # closes the pipe's last writing end, which ends the thread
        thread.join(timeout=1.0)
        os.close(target)


def _pass_on(source: int, target: int) -> None:
    with open(source, "rb") as lines:
        for line in lines:
            if not BANNER.match(line):
                os.write(target, line)
