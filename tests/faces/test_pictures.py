"""Pictures that someone gives are read upright and in colour, or refused with a reason."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study.datasets.readers.image_file import strict_pillow
from study.faces import pictures
from study.faces.pictures import read_picture

RED_LEFT = np.zeros((20, 40, 3), np.uint8)
RED_LEFT[:, :20, 0] = 255


def saved(place: Path, image: Image.Image, **more: object) -> Path:
    image.save(place, **more)
    return place


@pytest.mark.parametrize("ending", ["png", "bmp", "webp", "jpg"])
def test_pixels_are_in_opencvs_order(ending: str, tmp_path: Path) -> None:
    picture = read_picture(saved(tmp_path / f"a.{ending}", Image.fromarray(RED_LEFT)))
    assert picture.shape == (20, 40, 3) and picture.dtype == np.uint8 and picture.flags.c_contiguous
    assert picture[10, 5, 2] > 240 and picture[10, 5, 0] < 20 and picture[10, 35].max() < 20


def test_the_cameras_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter: the file's left is the picture's top
    picture = read_picture(saved(tmp_path / "a.jpg", Image.fromarray(RED_LEFT), exif=exif))
    assert picture.shape == (40, 20, 3)
    assert picture[5, 10, 2] > 240 and picture[35, 10, 2] < 20


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_every_mode_becomes_colour(mode: str, tmp_path: Path) -> None:
    place = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    assert read_picture(saved(place, Image.fromarray(RED_LEFT).convert(mode))).shape == (20, 40, 3)


def test_a_stream_is_read_as_a_file_is(tmp_path: Path) -> None:
    place = saved(tmp_path / "a.png", Image.fromarray(RED_LEFT))
    np.testing.assert_array_equal(read_picture(io.BytesIO(place.read_bytes())), read_picture(place))


def test_what_is_no_picture_is_refused_with_a_reason(tmp_path: Path) -> None:
    text = tmp_path / "a.jpg"
    text.write_text("no picture")
    cut_short = tmp_path / "b.png"
    cut_short.write_bytes(saved(tmp_path / "c.png", Image.effect_noise((64, 64), 90)).read_bytes()[:900])
    gif = saved(tmp_path / "d.gif", Image.fromarray(RED_LEFT))
    for source in (text, cut_short, gif, tmp_path / "nowhere.png", tmp_path, io.BytesIO(b"")):
        with pytest.raises(ValueError, match=r"^[^\n]{4,90}$"):
            read_picture(source)


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = saved(tmp_path / "bomb.png", Image.new("1", (12000, 12000)))
    assert bomb.stat().st_size < 100_000
    with strict_pillow(), pytest.raises(ValueError, match="pixels"):
        read_picture(bomb)
    with strict_pillow(), pytest.raises(ValueError, match="is more than"):
        read_picture(saved(tmp_path / "large.png", Image.new("1", (9000, 8000))))
    monkeypatch.setattr(pictures, "MAX_BYTES", 100)
    with pytest.raises(ValueError, match="more than"):
        read_picture(io.BytesIO(bytes(101)))
