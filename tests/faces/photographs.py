"""Photographs that installed packages bring; none lies in this repository."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np


def photograph(package: str, *place: str) -> np.ndarray:
    """Return a photograph of a package, uint8 (h, w, 3) BGR."""
    return cv2.imread(str(Path(importlib.util.find_spec(package).origin).parent.joinpath(*place)))
