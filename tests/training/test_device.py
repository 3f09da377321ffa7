"""The device: what the driver says is read, hidden GPUs are not seen, and jobs share a GPU's memory."""

from __future__ import annotations

import os

import pytest

from study.training import device
from study.training.device import Gpu, memory_environment, visible_gpus
from study.training.precision import resolve_precision

TWO = "NVIDIA H100 80GB HBM3, 9.0\nTesla V100-SXM2-16GB, 7.0\n"


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Put a driver's tool on the path that gives a certain answer."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)

    def answers(text: str, code: int = 0) -> None:
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\ncat <<'END'\n{text}END\nexit {code}\n")
        tool.chmod(0o700)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        device._asked.cache_clear()

    yield answers
    device._asked.cache_clear()


def test_the_driver_names_the_gpus_and_says_what_they_compute(driver):
    driver(TWO)
    assert visible_gpus() == [Gpu("NVIDIA H100 80GB HBM3", 9.0), Gpu("Tesla V100-SXM2-16GB", 7.0)]
    assert [gpu.has_bfloat16 for gpu in visible_gpus()] == [True, False]


@pytest.mark.parametrize(("text", "code"), [("", 0), ("No devices were found\n", 6)])
def test_a_driver_without_gpus_has_none(driver, text, code):
    driver(text, code)
    assert visible_gpus() == []


@pytest.mark.parametrize(
    ("name", "value", "seen"),
    [
        ("CUDA_VISIBLE_DEVICES", "", []),
        ("CUDA_VISIBLE_DEVICES", "-1", []),
        ("CUDA_VISIBLE_DEVICES", "1", ["Tesla V100-SXM2-16GB"]),
        ("CUDA_VISIBLE_DEVICES", "7", []),
        ("JAX_PLATFORMS", "cpu", []),
        ("JAX_PLATFORMS", "cuda,cpu", ["NVIDIA H100 80GB HBM3", "Tesla V100-SXM2-16GB"]),
    ],
)
def test_what_is_hidden_from_the_backend_is_not_seen(driver, monkeypatch, name, value, seen):
    driver(TWO)
    monkeypatch.setenv(name, value)
    assert [gpu.name for gpu in visible_gpus()] == seen


@pytest.mark.parametrize(
    ("visible", "processor", "precision"),
    [("0", False, "mixed_bfloat16"), ("1", True, "float32"), ("", True, "mixed_bfloat16"), ("", False, "float32")],
)
def test_auto_asks_the_device_that_trains(driver, monkeypatch, visible, processor, precision):
    """A GPU decides where there is one, whatever the host's processor has."""
    driver(TWO)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr("study.training.precision.has_fast_bfloat16", lambda: processor)
    assert resolve_precision("auto") == precision


@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_jobs_share_the_memory_of_a_gpu(jobs):
    share = float(memory_environment(jobs)["XLA_PYTHON_CLIENT_MEM_FRACTION"])
    assert 0.85 / jobs < share and share * jobs <= 0.91
