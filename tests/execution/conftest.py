"""What several tests of execution ask for."""

from __future__ import annotations

import pytest

from study.datasets.image_set import ImageSet
from study.datasets.load import load


@pytest.fixture(scope="module")
def faces() -> ImageSet:
    """Return drawn faces, enough for runs that train nothing."""
    return load("synthetic:images=200")
