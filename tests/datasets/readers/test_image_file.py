"""Image files from anywhere: what costs too much or is broken is refused at once, with a reason and no other error."""

from __future__ import annotations

import io
import os
import struct
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from study.datasets.readers.image_file import MAX_BYTES, decode, is_image, open_image, strict_pillow, upright
from tests.datasets.sources import pixels, read, write_classes


def encoded(kind: str, image: np.ndarray | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels(1, 32, 3) if image is None else image).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*extra: bytes) -> bytes:
    data = encoded("PNG")
    return data[:33] + b"".join(extra) + data[33:]


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    data = encoded("JPEG")
    return (
        data[:2] + b"".join(struct.pack(">BBH", 255, code, len(body) + 2) + body for code, body in segments) + data[2:]
    )


def tiff(*entries: tuple[int, int, int, int], size: int = 0) -> bytes:
    """Return a TIFF header with one directory of (tag, type, count, value) and bytes behind it."""
    return (
        b"II*\0"
        + struct.pack("<IH", 8, len(entries))
        + b"".join(struct.pack("<HHII", *one) for one in entries)
        + bytes(size + 4)
    )


def refused(data: bytes, reason: str, within_s: float = 2.0) -> None:
    start = time.process_time()
    with strict_pillow(), pytest.raises(ValueError, match=reason) as error, open_image(data) as image:
        decode(image, 48, 3)
    assert time.process_time() - start < within_s
    assert str(error.value).isprintable() and len(str(error.value)) < 120


def test_a_jpeg_of_thousands_of_scans_is_refused_at_once() -> None:
    buffer = io.BytesIO()
    Image.new("L", (2000, 2000)).save(buffer, "JPEG", progressive=True, quality=1)
    data = buffer.getvalue()
    last = data.rfind(b"\xff\xda")
    refused(data[:-2] + data[last:-2] * 2000 + data[-2:], "more than 100 scans", 0.2)


def test_parts_without_end_are_refused_at_once() -> None:
    refused(jpeg(*[(0xFE, b"")] * 30_000), "more than 20,000 parts", 0.5)
    refused(encoded("JPEG")[:2] + b"\xff" * 5_000_000 + encoded("JPEG")[2:], "more than 20,000 parts", 0.5)
    refused(png(chunk(b"tEXt", b"a\0b") * 30_000), "more than 20,000 parts", 0.5)


@pytest.mark.parametrize("tag", [0x9000, 0x8769])
def test_metadata_that_point_at_the_same_bytes_often_are_refused_at_once(tag: int) -> None:
    many = [(1000 + number, 7, 60_000, 8) for number in range(4000)]
    if tag == 0x8769:  # in a directory of its own
        body = tiff((tag, 4, 1, 26), size=0)[:-4] + bytes(4) + tiff(*many, size=8)[8:]
    else:
        body = tiff(*many, size=8)
    refused(jpeg((0xE1, b"Exif\0\0" + body)), "more than 8 MiB of metadata", 0.5)
    refused(jpeg((0xE2, b"MPF\0" + body)), "more than 8 MiB of metadata", 0.5)
    refused(body, "more than 8 MiB of metadata", 0.5)


def test_frames_without_end_are_refused() -> None:
    frames = [Image.new("L", (1, 1), number % 256) for number in range(1001)]
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True, "minimize_size": False})):
        buffer = io.BytesIO()
        frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], **options)
        refused(buffer.getvalue(), "more than 1,000 frames", 10)


def test_a_few_frames_are_a_picture_of_the_first() -> None:
    buffer = io.BytesIO()
    first, second = (Image.fromarray(pixels(seed, 32)[..., 0]) for seed in (1, 2))
    first.save(buffer, "TIFF", save_all=True, append_images=[second])
    with open_image(buffer.getvalue()) as image:
        assert np.array_equal(decode(image, 32, 1), pixels(1, 32))


def test_a_large_tiff_and_files_that_are_none_are_refused(tmp_path: Path) -> None:
    refused(b"II+\0" + bytes(100), "a BigTIFF")
    big = tmp_path / "big.bmp"
    with big.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    for name, reason in (
        ("big.bmp", "more than 64 MiB"),
        ("pipe.png", "not a regular file"),
        ("zero.png", "not a reg"),
    ):
        with pytest.raises(ValueError, match=reason), open_image(tmp_path / name):
            pass
    with pytest.raises(ValueError, match="more than 64 MiB"), open_image(big.read_bytes()):
        pass


BROKEN = {
    "transparency": png(chunk(b"tEXt", b"transparency\0abc")),
    "exif as text": png(chunk(b"zTXt", b"exif\0\0" + zlib.compress(b"1"))),
    "rational": jpeg((0xE1, b"Exif\0\0" + tiff((0x10F, 5, 1, 8), (0x112, 3, 1, 6), size=64))),
    "no tiff": jpeg((0xE1, b"Exif\0\0" + b"II*\0\xff\xff\xff\xff")),
    "short": jpeg((0xE1, b"Exif\0\0" + b"MM")),
    "index": jpeg((0xE2, b"MPF\0" + tiff((45057, 2, 5, 8)))),
    "profile": png(chunk(b"iCCP", b"icc\0\0" + zlib.compress(b"no profile"))),
    "resolution": png(chunk(b"pHYs", b"\0\0")),
    "text": png(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2 << 20)))),
}


@pytest.mark.parametrize("how", BROKEN)
def test_broken_metadata_leave_a_picture_out_or_change_nothing_but_end_no_dataset(tmp_path: Path, how: str) -> None:
    write_classes(tmp_path, ["cat", "dog"], 3, side=32, channels=3)
    (tmp_path / "cat" / "a.jpg").write_bytes(BROKEN[how])
    raw = read(tmp_path)
    assert len(raw.images) + len(raw.left_out) == 7
    if not raw.left_out:
        with open_image(encoded("PNG" if BROKEN[how].startswith(b"\x89PNG") else "JPEG")) as plain:
            expected = decode(plain, 32, 3)
        there = raw.images[raw.ids.tolist().index("cat/a.jpg")]
        assert np.array_equal(there, np.rot90(expected, -1) if how == "rational" else expected)


@pytest.mark.parametrize(
    "error", [KeyError("x"), RecursionError(), MemoryError(), AttributeError("a\nb"), SystemError()]
)
def test_whatever_pillow_raises_becomes_a_reason(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Image, "open", fail)
    refused(encoded("PNG"), f"^{type(error).__name__}: ")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", range(9))
def test_orientation_is_taken_as_pillow_takes_it(kind: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    options = {"tiffinfo": {0x0112: turn}} if kind == "TIFF" else {"exif": exif}
    data = encoded(kind, pixels(3, 24, 3)[:16], **options)
    with Image.open(io.BytesIO(data)) as image, warnings.catch_warnings(action="ignore"):
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    with open_image(data) as image:
        assert np.array_equal(np.asarray(upright(image, "RGB")), expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
@pytest.mark.parametrize("transparent", [False, True])
def test_transparency_changes_no_pixel(mode: str, transparent: bool) -> None:
    image = Image.fromarray(pixels(4, 24, 3)).convert(mode)
    kind = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    options = {"transparency": 3} if transparent and mode in ("L", "P") else {}
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    with Image.open(buffer) as plain, warnings.catch_warnings(action="ignore"):
        expected = np.asarray(plain.convert("RGB"))
    with open_image(buffer.getvalue()) as opened:
        assert np.array_equal(np.asarray(upright(opened, "RGB")), expected)


def test_images_are_known_by_their_first_bytes() -> None:
    for kind in ("JPEG", "PNG", "BMP", "WEBP", "TIFF"):
        assert is_image(encoded(kind)[:12]), kind
    assert not any(map(is_image, (b"", b"GIF89a", b"RIFF1234WAVE", b"text", encoded("GIF")[:12])))
