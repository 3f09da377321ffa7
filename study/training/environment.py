"""The environment of a process that trains: threads and log level, read by libraries before their first line runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

from study.training.device import memory_environment

#: Read by numerical libraries when they are imported.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def process_environment(threads: int, jobs: int = 1) -> dict[str, str]:
    """Return the variables to set before a process with that many threads starts, one of so many that share a GPU."""
    return {**dict.fromkeys(THREAD_VARIABLES, str(threads)), **memory_environment(jobs), "TF_CPP_MIN_LOG_LEVEL": "2"}


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
