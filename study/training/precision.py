"""Precision: which one the device computes fast, so that ``auto`` never picks a slow one."""

from __future__ import annotations

from study.core.environment import system_field
from study.core.errors import UsageError
from study.training.device import visible_gpus

PRECISIONS = ("float32", "mixed_bfloat16")


def resolve_precision(choice: str) -> str:
    """Return the Keras dtype policy for ``auto``, ``float32`` or ``mixed_bfloat16``.

    ``auto`` is ``mixed_bfloat16`` only where that is faster: on a GPU since Ampere, else on a processor with AMX or one
    of AMD's with AVX512_BF16. Elsewhere it is emulated or slower than float32
    (``docs/decisions/2026-11-28-bfloat16-on-intel-needs-amx.md``).

    Raises:
        UsageError: any other choice.
    """
    if choice == "auto":
        gpus = visible_gpus()
        fast = all(gpu.has_bfloat16 for gpu in gpus) if gpus else has_fast_bfloat16()
        return "mixed_bfloat16" if fast else "float32"
    if choice not in PRECISIONS:
        raise UsageError(f"--precision takes auto, {' or '.join(PRECISIONS)}, got {choice!r}.")
    return choice


def has_fast_bfloat16(cpuinfo: str = "/proc/cpuinfo") -> bool:
    """Return whether the processor is faster in bfloat16 than in float32 (False where the system does not tell)."""
    flags = system_field(cpuinfo, "flags").split()
    return "amx_bf16" in flags or ("avx512_bf16" in flags and system_field(cpuinfo, "vendor_id") == "AuthenticAMD")
