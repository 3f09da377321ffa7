"""The environment of a process that trains: threads and log level, read by libraries before their first line runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

#: Threads of every run, on every machine and however many runs go on beside it: sums are split up by threads, and so
#: are rounded otherwise with another number.
THREADS = 2
#: Read by numerical libraries when they are imported, or when their threads start (the last two: XLA on processors).
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "NPROC",
    "PJRT_NPROC",
)


def process_environment(threads: int) -> dict[str, str]:
    """Return the variables to set before a process with that many threads starts."""
    return {**dict.fromkeys(THREAD_VARIABLES, str(threads)), "TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "1"}


@contextlib.contextmanager
def children_get(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for children that start inside the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
