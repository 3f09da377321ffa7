"""The Ray cluster that a driver uses: connecting, what its nodes can hold, and leaving it as it was found."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.core.errors import StudyError, UsageError
from study.training.environment import children_get

#: Ray's version from which token authentication and what is used here are as this expects.
OLDEST = (2, 54)
#: Variables of the driver's environment that runs get too, where they are set: Ray forwards none by itself.
FORWARDED = (
    "KERAS_BACKEND",
    "KERAS_HOME",
    "STUDY_CACHE",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_DETERMINISTIC_OPS",
    "XLA_FLAGS",
    "NVIDIA_TF32_OVERRIDE",
    "PYTHONPATH",
)
PATHS = {"KERAS_HOME", "STUDY_CACHE", "PYTHONPATH"}
#: What runs get besides what every child process gets: JAX takes of a GPU only what a run needs, so that several share
#: one by fractions.
FIXED = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
#: How long an address may take to answer.
KNOCK_S = 10.0
_LOOPBACK = ("127.", "localhost", "[::1]")
#: A cluster of the driver's own listens to this machine alone. Ray takes 127.0.0.1 for an address that others reach.
_OWN: dict[str, Any] = {"include_dashboard": False}
if sys.platform == "linux":
    _OWN["_node_ip_address"] = "127.0.0.2"


@dataclass(frozen=True)
class Cluster:
    """Which cluster, and what a run takes of it."""

    #: ``HOST:PORT`` of a cluster that runs, or ``auto``: the one that this machine belongs to. None for
    #: ``RAY_ADDRESS``, and without that for one of this machine's own, which ends with the driver.
    address: str | None = None
    cpus_per_run: float = 1.0  #: Processors of a run, by which Ray tells how many runs a node takes.
    gpus_per_run: float = 0.0  #: GPUs of a run; of fractions several share one GPU.
    log: Callable[[str], None] = lambda line: None  #: Takes lines for a person.

    @property
    def resources(self) -> dict[str, float]:
        """What a run takes, by Ray's names."""
        wanted = {"CPU": self.cpus_per_run, "GPU": self.gpus_per_run}
        return {name: amount for name, amount in wanted.items() if amount}

    def environment(self, driver: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of runs: what is fixed, and what of the driver's is passed on."""
        # Ray says which GPUs a run that has some may use.
        none = {} if self.gpus_per_run else {"CUDA_VISIBLE_DEVICES": ""}
        own = {name: driver[name] for name in FORWARDED if name in driver}
        for name in PATHS & own.keys():  # a node works in another folder
            own[name] = os.pathsep.join(os.path.abspath(path) for path in own[name].split(os.pathsep) if path)
        return FIXED | none | own

    def fit(self, nodes: Sequence[Mapping[str, Any]]) -> int:
        """Return how many runs the nodes hold at the same time, from what Ray says of each."""
        return sum(
            min(int(node["Resources"].get(name, 0.0) / amount + 1e-9) for name, amount in self.resources.items())
            for node in nodes
        )


@contextlib.contextmanager
def connected(cluster: Cluster) -> Iterator[Any]:
    """Connect to the cluster, give the package ``ray``, and disconnect; a cluster of the driver's own then ends.

    Raises:
        UsageError: Ray is not installed or too old, or the address is of another kind.
        StudyError: there is no cluster at the address.
    """
    address = cluster.address or os.environ.get("RAY_ADDRESS") or "local"
    if "://" in address:
        raise UsageError(
            f"--address takes HOST:PORT or auto, got {address!r}: start the driver on a node of the cluster, "
            "for example with `ray job submit`."
        )
    if address not in ("local", "auto"):
        _knock(address)
    own = address == "local"
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}  # nobody else gets into an own cluster
    with children_get(token if own and "RAY_AUTH_MODE" not in os.environ else {}):
        ray = _import_ray()
        with _signals_kept(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # on GPUs of runs without; `environment` says which they see
            try:
                ray.init(
                    address=address,
                    runtime_env={"env_vars": cluster.environment(os.environ)},
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    **(_OWN if own else {}),
                )
            except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise _nobody(address, reason) from error
        try:
            if not own:
                _warn_if_open(cluster, ray)
            yield ray
        finally:
            with _signals_kept():
                ray.shutdown()


def _knock(address: str) -> None:
    """Refuse an address that nobody answers at; Ray itself would ask there for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_S).close()
    except (OSError, ValueError) as error:
        raise _nobody(address, getattr(error, "strerror", None) or str(error)) from error


def _nobody(address: str, reason: str) -> StudyError:
    return StudyError(f"no Ray cluster answers at {address!r} ({reason}): see docs/ray.md.")


def _import_ray() -> Any:
    # A cluster of our own reports nothing to anybody. Without Ray's dashboard nobody collects figures either, and Ray
    # would only print that nobody does.
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_enable_metrics_collection"):
        os.environ.setdefault(name, "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "the executor ray needs Ray, which is not installed: "
            "python -m pip install --constraint constraints.txt --editable '.[ray]'."
        ) from error
    if tuple(int(number) for number in ray.__version__.split(".")[:2]) < OLDEST:
        raise UsageError(f"the executor ray needs Ray {'.'.join(map(str, OLDEST))} or later, found {ray.__version__}.")
    return ray


def _warn_if_open(cluster: Cluster, ray: Any) -> None:
    place = str(ray.get_runtime_context().gcs_address)
    if os.environ.get("RAY_AUTH_MODE") != "token" and not place.startswith(_LOOPBACK):
        cluster.log(
            f"Warning: the Ray cluster at {place} asks for no token, so that whoever reaches it can run code on all of "
            "its nodes: see docs/ray.md."
        )


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Put the handlers of signals back that Ray replaces, so that Ctrl-C and SIGTERM end a driver as always."""
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
