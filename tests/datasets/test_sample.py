"""The sample grid."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from study.core.errors import DataError
from study.datasets.load import load
from study.datasets.sample import write_samples
from tests.datasets.sources import write_classes


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_with_a_row_for_each_class_is_written(tmp_path: Path, channels: int) -> None:
    data = load(
        str(write_classes(tmp_path / "set", ["cat", "dog", "emu"], 4, channels=channels)), cache_dir=tmp_path / "c"
    )
    with Image.open(write_samples(data, tmp_path / "new" / "samples.png", per_class=6)) as picture:
        assert picture.format == "PNG"
        assert picture.width > picture.height > 100


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    data = load(str(write_classes(tmp_path / "set", ["cat", "dog"], 4)), cache_dir=tmp_path / "c")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="expected a place to write the samples to"):
        write_samples(data, tmp_path / "file" / "samples.png")
