"""Precision: `auto` is bfloat16 only where the processor computes it natively."""

import pytest

from study.core.errors import UsageError
from study.training.precision import has_native_bfloat16, resolve_precision


@pytest.mark.parametrize(
    ("flags", "native"), [("fma avx512f avx512_bf16", True), ("avx2 amx_bf16", True), ("avx2 avx512f", False)]
)
def test_native_bfloat16_is_read_from_the_flags(tmp_path, flags, native):
    file = tmp_path / "cpuinfo"
    file.write_text(f"model name\t: X\nflags\t\t: {flags}\n")
    assert has_native_bfloat16(str(file)) is native


def test_a_system_that_does_not_tell_has_none(tmp_path):
    assert has_native_bfloat16(str(tmp_path / "none")) is False


def test_names_are_taken_as_they_are_and_others_refused():
    assert resolve_precision("float32") == "float32"
    assert resolve_precision("auto") in ("float32", "mixed_bfloat16")
    with pytest.raises(UsageError, match="--precision takes auto, float32 or mixed_bfloat16"):
        resolve_precision("float16")
