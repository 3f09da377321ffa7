"""Ray clusters of several nodes on this machine, for tests and measurements."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from study.core.record import Record
from study.datasets.image_set import ImageSet
from study.execution.executors import Job
from study.execution.executors.ray import run_specs

#: How often a node is started again where the machine was too busy for Ray's own limits.
ATTEMPTS = 4
STORE_BYTES = 100 << 20
#: Not 127.0.0.1, for which Ray takes the address that others reach this machine at.
LOOPBACK = "127.0.0.2"


def free_ports(number: int) -> list[int]:
    """Return ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def add_node(cluster: Any, **more: Any) -> Any:
    """Add a node of one CPU to a cluster and return it.

    Its agents' ports are given, because Ray's core gives up after 20 seconds of waiting for agents to choose some.
    """
    names = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
    settings = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    settings |= {"node_ip_address": LOOPBACK, **more}
    for attempt in range(ATTEMPTS):
        try:
            return cluster.add_node(**settings, **dict(zip(names, free_ports(4), strict=True)))
        except Exception:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(1)
    raise AssertionError


@contextlib.contextmanager
def cluster_of(nodes: int, **head: Any) -> Iterator[Any]:
    """Start a cluster of nodes with one CPU each on this machine, and stop it."""
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_enable_metrics_collection"):
        os.environ.setdefault(name, "0")
    from ray.cluster_utils import Cluster

    cluster = Cluster(shutdown_at_exit=True)
    try:
        add_node(cluster, **head)
        for _ in range(nodes - 1):
            add_node(cluster)
        yield cluster
    finally:
        cluster.shutdown()


def run_on_ray(execute: Callable[..., Record], todo: list[Job], faces: ImageSet, **options: Any) -> Iterator[Record]:
    """Yield the records of the executor on Ray, with another function than training for what a run is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("study.execution.executors.process.execute_job", execute)
        yield from run_specs(todo, faces, **options)
