"""The device that trains: found without importing a backend where plans are made, asked of the backend for records."""

from __future__ import annotations

import functools
import os
import subprocess
from dataclasses import dataclass

#: From this compute capability on (Ampere) NVIDIA's GPUs compute bfloat16 natively.
#: Source: NVIDIA, "CUDA C++ Programming Guide", arithmetic instructions by compute capability.
BFLOAT16_SINCE = 8.0
#: Share of a GPU's memory that JAX takes when a run has it alone; the rest is for the display and for libraries.
MEMORY_SHARE = 0.9


@dataclass(frozen=True)
class Gpu:
    """A GPU as its driver tells of it."""

    name: str  #: Its name.
    capability: float  #: Compute capability; 0.0 where the driver does not tell.

    @property
    def has_bfloat16(self) -> bool:
        """Whether it computes bfloat16 natively."""
        return self.capability >= BFLOAT16_SINCE


def visible_gpus() -> list[Gpu]:
    """Return the NVIDIA GPUs that a backend started now would see, asked of the driver; empty where there is none.

    ``CUDA_VISIBLE_DEVICES`` and ``JAX_PLATFORMS`` hide GPUs, as they do from the backends.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if "cpu" in os.environ.get("JAX_PLATFORMS", "").split(",")[:1] or (chosen is not None and chosen in ("", "-1")):
        return []
    gpus = _asked()
    if chosen is None:
        return list(gpus)
    places = [int(place) for place in chosen.split(",") if place.strip().isdigit()]
    return [gpus[place] for place in places if place < len(gpus)]


@functools.cache
def _asked() -> tuple[Gpu, ...]:
    call = ["nvidia-smi", "--query-gpu=name,compute_cap", "--format=csv,noheader"]
    try:
        said = subprocess.run(call, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(_read(line) for line in said.splitlines() if line.strip())


def _read(line: str) -> Gpu:
    r"""Read one line of the driver's answer.

    >>> _read("NVIDIA H100 80GB HBM3, 9.0")
    Gpu(name='NVIDIA H100 80GB HBM3', capability=9.0)
    """
    name, _, capability = line.rpartition(",")
    try:
        return Gpu(name.strip(), float(capability))
    except ValueError:
        return Gpu(name.strip() or line.strip(), 0.0)


def memory_environment(jobs: int) -> dict[str, str]:
    """Return the variables by which runs that go on at the same time share a GPU's memory.

    Args:
        jobs: Runs at the same time.
    """
    return {
        "XLA_PYTHON_CLIENT_MEM_FRACTION": f"{MEMORY_SHARE / max(1, jobs):.3f}",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }


def device_name() -> str:
    """Return the name of the accelerator that the backend of this process uses; empty where it is the processor.

    Imports the backend.
    """
    from study.training.backend import on_tensorflow

    if on_tensorflow():
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")) if gpus else ""
    import jax

    first = jax.devices()[0]
    return "" if first.platform == "cpu" else str(first.device_kind)
