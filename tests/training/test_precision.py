"""Precision: `auto` is bfloat16 only where the processor is faster with it."""

import pytest

from study.core.errors import UsageError
from study.training.precision import has_fast_bfloat16, resolve_precision


@pytest.mark.parametrize(
    ("vendor", "flags", "fast"),
    [
        ("AuthenticAMD", "fma avx512f avx512_bf16", True),
        ("GenuineIntel", "avx512_bf16 amx_bf16", True),
        ("GenuineIntel", "avx512f avx512_bf16", False),  # vgg16 took 1.5 times as long in bfloat16 as in float32
        ("AuthenticAMD", "avx2 avx512f", False),
    ],
)
def test_fast_bfloat16_is_read_from_vendor_and_flags(tmp_path, vendor, flags, fast):
    core = f"vendor_id\t: {vendor}\nmodel name\t: X\nflags\t\t: {flags}\n\n"
    file = tmp_path / "cpuinfo"
    file.write_text(core * 2)
    assert has_fast_bfloat16(str(file)) is fast


def test_a_system_that_does_not_tell_has_none(tmp_path):
    assert has_fast_bfloat16(str(tmp_path / "none")) is False


def test_names_are_taken_as_they_are_and_others_refused():
    assert resolve_precision("float32") == "float32"
    assert resolve_precision("auto") in ("float32", "mixed_bfloat16")
    with pytest.raises(UsageError, match="--precision takes auto, float32 or mixed_bfloat16"):
        resolve_precision("float16")
