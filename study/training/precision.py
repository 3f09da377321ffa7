"""Precision: what the device computes natively, so that ``auto`` never picks an emulated one."""

from __future__ import annotations

from pathlib import Path

from study.core.errors import UsageError
from study.training.device import visible_gpus

PRECISIONS = ("float32", "mixed_bfloat16")


def resolve_precision(choice: str) -> str:
    """Return the Keras dtype policy for ``auto``, ``float32`` or ``mixed_bfloat16``.

    ``auto`` is ``mixed_bfloat16`` only where the device has bfloat16 instructions: a GPU since Ampere, else a processor
    with AVX512_BF16 or AMX. Elsewhere it is emulated and slower.

    Raises:
        UsageError: any other choice.
    """
    if choice == "auto":
        gpus = visible_gpus()
        native = all(gpu.has_bfloat16 for gpu in gpus) if gpus else has_native_bfloat16()
        return "mixed_bfloat16" if native else "float32"
    if choice not in PRECISIONS:
        raise UsageError(f"--precision takes auto, {' or '.join(PRECISIONS)}, got {choice!r}.")
    return choice


def has_native_bfloat16(cpuinfo: str = "/proc/cpuinfo") -> bool:
    """Return whether the processor's flags name bfloat16 instructions (False where the system does not tell)."""
    try:
        text = Path(cpuinfo).read_text()
    except OSError:
        return False
    flags = next((line.split(":", 1)[1].split() for line in text.splitlines() if line.startswith("flags")), [])
    return "avx512_bf16" in flags or "amx_bf16" in flags
