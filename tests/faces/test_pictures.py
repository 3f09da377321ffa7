"""Pictures are read upright and in colour, or refused with a reason; what is cut from them looks as in training."""

from __future__ import annotations

import importlib.util
import io
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from study.datasets.readers import image_file
from study.datasets.readers.image_file import strict_pillow
from study.faces.detection import BlazeFace, Box, HaarDetector
from study.faces.pictures import cut_faces, find_faces, read_picture
from tests.faces.people import background, drawn_faces, put_face

RED_LEFT = np.zeros((20, 40, 3), np.uint8)
RED_LEFT[:, :20, 0] = 255


def saved(place: Path, image: Image.Image, **more: object) -> Path:
    image.save(place, **more)
    return place


@pytest.mark.parametrize("ending", ["png", "bmp", "webp", "jpg", "tif", "gif"])
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


@pytest.mark.parametrize("ending", ["gif", "tif"])
def test_of_several_frames_or_pages_it_is_the_first(ending: str, tmp_path: Path) -> None:
    other = Image.fromarray(RED_LEFT[:, ::-1])
    place = saved(tmp_path / f"a.{ending}", Image.fromarray(RED_LEFT), save_all=True, append_images=[other])
    assert read_picture(place)[10, 5, 2] > 240


@pytest.mark.parametrize("stream", [False, True])
def test_heic_is_read_or_the_package_that_is_missing_is_named(stream: bool, tmp_path: Path) -> None:
    """A file of 40 bytes stands for a photograph where the optional package is not installed."""
    place = tmp_path / "a.heic"
    if importlib.util.find_spec("pillow_heif") is None:
        place.write_bytes(b"\0\0\0\x18ftypheic" + bytes(28))
        with pytest.raises(ValueError, match="pip install pillow-heif"):
            read_picture(io.BytesIO(place.read_bytes()) if stream else place)
    else:
        import pillow_heif

        large = np.repeat(np.repeat(RED_LEFT, 8, axis=0), 8, axis=1)
        pillow_heif.from_bytes("RGB", large.shape[1::-1], large.tobytes()).save(place, quality=90)
        picture = read_picture(io.BytesIO(place.read_bytes()) if stream else place)
        assert picture.shape == (160, 320, 3) and picture[80, 40, 2] > 230 > 30 > picture[80, 40, 0]


@pytest.mark.parametrize("exif", [b"Exif\0\0broken", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(40), b"\xff" * 60])
def test_broken_metadata_do_not_matter(exif: bytes, tmp_path: Path) -> None:
    for ending in ("jpg", "png", "webp"):
        with strict_pillow():
            picture = read_picture(saved(tmp_path / f"a.{ending}", Image.fromarray(RED_LEFT), exif=exif))
        assert picture.shape == (20, 40, 3)


def test_a_stream_is_read_as_a_file_is(tmp_path: Path) -> None:
    place = saved(tmp_path / "a.png", Image.fromarray(RED_LEFT))
    np.testing.assert_array_equal(read_picture(io.BytesIO(place.read_bytes())), read_picture(place))


def test_what_is_no_picture_is_refused_with_a_reason(tmp_path: Path) -> None:
    text = tmp_path / "a.jpg"
    text.write_text("no picture")
    cut_short = tmp_path / "b.png"
    cut_short.write_bytes(saved(tmp_path / "c.png", Image.effect_noise((64, 64), 90)).read_bytes()[:900])
    eps = saved(tmp_path / "d.eps", Image.fromarray(RED_LEFT))
    for source in (text, cut_short, eps, tmp_path / "nowhere.png", tmp_path, io.BytesIO(b"")):
        with pytest.raises(ValueError, match=r"^[^\n]{4,90}$"):
            read_picture(source)


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = saved(tmp_path / "bomb.png", Image.new("1", (12000, 12000)))
    assert bomb.stat().st_size < 100_000
    with strict_pillow(), pytest.raises(ValueError, match="pixels"):
        read_picture(bomb)
    with strict_pillow(), pytest.raises(ValueError, match="is more than"):
        read_picture(saved(tmp_path / "large.png", Image.new("1", (9000, 8000))))
    monkeypatch.setattr(image_file, "MAX_BYTES", 100)
    with pytest.raises(ValueError, match="more than"):
        read_picture(io.BytesIO(bytes(101)))


def colour(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


def whole(shape: tuple[int, int]) -> bool:
    return find_faces(np.zeros((*shape, 3), np.uint8), HaarDetector())[1]


@pytest.mark.parametrize("shape", [(48, 48), (100, 100), (96, 112), (128, 128), (24, 24)])
def test_a_small_square_picture_is_a_face_cut_out_already(shape: tuple[int, int]) -> None:
    assert whole(shape)


@pytest.mark.parametrize("shape", [(129, 129), (48, 80), (720, 1280), (480, 480)])
def test_other_pictures_are_searched(shape: tuple[int, int]) -> None:
    assert not whole(shape)


def test_a_training_image_reaches_the_network_unchanged() -> None:
    picture = colour(drawn_faces()[4])
    ((face,), whole) = find_faces(picture, HaarDetector())
    assert (face, whole) == ((Box(0, 0, 48, 48), 1.0), True)
    np.testing.assert_array_equal(cut_faces(picture, [face.box], (48, 48, 1))[0, ..., 0], drawn_faces()[4])


def test_every_picture_is_a_face_when_that_is_said() -> None:
    picture = background(300, 200)
    assert find_faces(picture, HaarDetector()) == ([], False)
    assert find_faces(picture, HaarDetector(), crops=True) == ([(Box(0, 0, 300, 200), 1.0)], True)


@pytest.mark.parametrize(("detector", "alikeness"), [(BlazeFace, 0.6), (HaarDetector, 0.75)])
def test_a_face_that_is_found_in_a_picture_comes_out_as_it_was_put_in(detector: type, alikeness: float) -> None:
    """The margin is right: what is cut agrees better with the face's own image than what is cut larger or smaller."""
    alike: dict[float, list[float]] = {0.7: [], 1.0: [], 1.3: []}
    for face in (0, 1, 2, 3, 6):
        picture = background(500, 400).copy()
        put_face(picture, face, (250, 200), 170)
        ((box, _),) = find_faces(picture, detector())[0]
        x, y = box.centre
        for scale, agreements in alike.items():
            side = round(box.width * scale)
            cut = cut_faces(picture, [Box(round(x - side / 2), round(y - side / 2), side, side)], (48, 48, 1))
            pair = [cv2.GaussianBlur(image, (0, 0), 1.5)[8:40, 8:40] for image in (cut[0, ..., 0], drawn_faces()[face])]
            agreements.append(np.corrcoef(pair[0].ravel(), pair[1].ravel())[0, 1])
    typical = {scale: np.median(agreements) for scale, agreements in alike.items()}
    assert typical[1.0] > alikeness
    assert typical[1.0] > max(typical[0.7], typical[1.3]) + 0.1


def test_reducing_averages_over_areas() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (480, 240))
    cut = cut_faces(colour(stripes), [Box(0, 0, 480, 480)], (48, 48, 1))
    assert cut.shape == (1, 48, 48, 1) and abs(cut.astype(int) - 127).max() <= 1


def test_three_channels_are_red_green_blue() -> None:
    picture = np.zeros((60, 60, 3), np.uint8)
    picture[..., 2] = 200  # red in OpenCV's order
    assert cut_faces(picture, [Box(5, 5, 50, 50)], (32, 32, 3))[0, 16, 16].tolist() == [200, 0, 0]


def test_a_box_beyond_the_picture_repeats_its_edge() -> None:
    picture = background(100, 80).copy()
    picture[:, 0] = 7
    cut = cut_faces(picture, [Box(-30, 10, 60, 60), Box(70, 50, 60, 60)], (60, 60, 3))
    assert (cut[0, :, :30] == 7).all()
    np.testing.assert_array_equal(cut[0, :, 30:], cv2.cvtColor(picture[10:70, :30], cv2.COLOR_BGR2RGB))
    np.testing.assert_array_equal(cut[1, -1, -1], picture[-1, -1, ::-1])


def test_no_boxes_are_no_images() -> None:
    assert cut_faces(background(50, 50), [], (48, 48, 1)).shape == (0, 48, 48, 1)


def test_broken_metadata_say_nothing_either(tmp_path: Path) -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(40)
    place = tmp_path / "a.jpg"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved(place, Image.fromarray(RED_LEFT), exif=exif)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with strict_pillow():
            read_picture(place)
    assert said == []
