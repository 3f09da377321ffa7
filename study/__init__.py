"""A comparative study harness for transfer learning on facial emotions.

``study.load(NAME)`` opens a study's results as pandas tables, ``study.predict(IMAGE)`` names the emotions in a picture;
see docs/python.md. Importing the package imports nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.api import Study, load, predict

import os

#: ONNX Runtime 1.29 and later report to Microsoft from the import on, unless this is set before.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.2.0"
__all__ = ["Study", "__version__", "load", "predict"]


def __getattr__(name: str) -> Any:
    if name in ("Study", "load", "predict"):
        return getattr(importlib.import_module("study.api"), name)
    raise AttributeError(f"module 'study' has no attribute {name!r}")
