"""Files made to do harm, of full size: each is refused in one line, in five seconds and one gigabyte."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import lzma
import os
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.cli.app import one_line
from study.core.errors import StudyError, WeightsError
from study.core.spec import content_hash
from study.core.store import Store
from study.models.weights_form import check_form
from tests.datasets.sources import csv_rows, write_classes, write_csv
from tests.factories import make_record
from tests.fuzz.alone import read_alone

ZEROS = bytes(64 << 20)


def png(width: int, height: int, data: bytes = b"", *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a grey PNG that claims a size, whatever it holds."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        *chunks,
        (b"IDAT", zlib.compress(data)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


def plain_tar(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.xz"])
def test_an_archive_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"bomb.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("fer2013.csv", ZEROS)
    else:
        pack = {"tar.gz": gzip.compress, "tar.xz": lambda data: lzma.compress(data, preset=0)}[kind]
        path.write_bytes(pack(plain_tar("fer2013.csv", ZEROS)))
    assert "--archive-gib" in read_alone("data", path)


def test_a_zip_whose_entry_holds_more_than_it_says_gives_no_more_than_it_says(tmp_path: Path) -> None:
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fer2013.csv", ZEROS)
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", len(ZEROS)), struct.pack("<I", 100)))
    assert "expected" in read_alone("data", path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_of_a_hundred_thousand_files_is_refused(tmp_path: Path, kind: str) -> None:
    path, names = tmp_path / f"many.{kind}", [f"joy/{number}.png" for number in range(100_000)]
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(zipfile.ZipInfo(name), b"")
    else:
        path.write_bytes(b"".join(tarfile.TarInfo(name).tobuf() for name in names) + bytes(1024))
    found = read_alone("data", path)
    assert "at most 80,000 files" in found and "--archive-gib" in found


@pytest.mark.parametrize("size", [(2**31 - 1, 1), (65536, 32768), (5000, 5000)])
def test_an_image_that_claims_too_many_pixels_is_left_out(tmp_path: Path, size: tuple[int, int]) -> None:
    write_classes(tmp_path / "faces", ("joy",), 4)
    (tmp_path / "faces" / "anger").mkdir()
    (tmp_path / "faces" / "anger" / "huge.png").write_bytes(png(*size))
    assert "found none that can be read" in read_alone("data", tmp_path / "faces")


def test_a_picture_that_claims_two_thousand_million_pixels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "huge.png").write_bytes(png(65536, 32768, ZEROS))
    assert "pixels" in read_alone("picture", tmp_path / "huge.png")


def test_the_text_in_a_picture_cannot_fill_the_memory(tmp_path: Path) -> None:
    text = (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 30 >> 2)))
    (tmp_path / "text.png").write_bytes(png(8, 8, bytes(72), *[text] * 8))
    assert "\n" not in read_alone("picture", tmp_path / "text.png")


def test_many_of_the_largest_pictures_at_once_stay_within_the_memory(tmp_path: Path) -> None:
    data = png(4096, 4096, bytes(4097 * 4096))
    for label in ("joy", "anger"):
        (tmp_path / "faces" / label).mkdir(parents=True)
        for number in range(6):
            (tmp_path / "faces" / label / f"{number}.png").write_bytes(data)
    assert "\n" not in read_alone("data", tmp_path / "faces")


@pytest.mark.parametrize("start", ["", "emotion,pixels,Usage\n", "emotion,pixels,Usage\n0,"])
def test_a_csv_with_one_line_of_a_hundred_megabytes_is_refused(tmp_path: Path, start: str) -> None:
    (tmp_path / "long.csv").write_bytes(start.encode() + b"1 " * (50 << 20))
    assert "expected" in read_alone("data", tmp_path / "long.csv")


def test_a_number_of_five_thousand_digits_in_a_csv_is_refused(tmp_path: Path) -> None:
    rows = csv_rows(1, side=8)
    rows[3] = rows[3].replace(" ", f" {'9' * 5000} ", 1).replace(" ", "", 1)
    assert "pixels" in read_alone("data", write_csv(tmp_path / "faces.csv", rows))


@pytest.mark.parametrize("what", ["pipe", "device", "link to a device"])
def test_what_never_ends_is_no_dataset(tmp_path: Path, what: str) -> None:
    path = tmp_path / "faces.csv"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "link to a device":
        path.symlink_to("/dev/zero")
    assert "a device or a pipe" in read_alone("data", Path("/dev/zero") if what == "device" else path)


def test_a_pipe_and_a_link_to_a_device_among_images_are_left_out(tmp_path: Path) -> None:
    write_classes(tmp_path / "faces", ("joy", "anger"), 6)
    os.mkfifo(tmp_path / "faces" / "joy" / "pipe.png")
    (tmp_path / "faces" / "joy" / "zero.png").symlink_to("/dev/zero")
    assert read_alone("data", tmp_path / "faces") == "read"
    assert "not a regular file" in read_alone("picture", tmp_path / "faces" / "joy" / "pipe.png")


@pytest.mark.parametrize("what", ["pipe", "device"])
def test_what_never_ends_is_read_in_no_other_place_either(tmp_path: Path, what: str) -> None:
    store = Store(tmp_path / "results", "fake")
    record = store.keep(make_record("cnn3", "baseline"))
    path = store.record_path(record.spec)
    ends = {
        "records": path,
        "predictions": path.with_suffix(".npz"),
        "manifest": path.with_suffix(".export") / "export.json",
        "settings": tmp_path / "grid.toml",
        "imported": tmp_path / "predictions.csv",
        "weights": tmp_path / "w.weights.h5",
        "picture": tmp_path / "face.png",
    }
    for reader, place in ends.items():
        place.parent.mkdir(exist_ok=True)
        kept = place.read_bytes() if place.exists() else None
        place.unlink(missing_ok=True)
        if what == "pipe":
            os.mkfifo(place)
        else:
            place.symlink_to("/dev/zero")
        found = read_alone(reader, tmp_path if reader in ("records", "predictions", "manifest") else place)
        assert "not a regular file" in found or (reader, found) == ("manifest", "no exports"), (reader, found)
        place.unlink()
        if kept is not None:
            place.write_bytes(kept)


def test_arrays_of_objects_are_never_loaded(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "was-run"),)

    np.savez(tmp_path / "evil.npz", labels=np.array([Evil()], dtype=object))
    assert "Python objects" in read_alone("arrays", tmp_path / "evil.npz")
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize("shape", ["(1000000000000,)", "(2147483648, 2147483648)", "(-1,)", f"({'1, ' * 3000})"])
def test_arrays_that_claim_more_than_there_is_are_refused(tmp_path: Path, shape: str) -> None:
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("labels.npy", b"\x93NUMPY\x01\0" + len(head).to_bytes(2, "little") + head + bytes(64))
    assert "not a readable array file" in read_alone("arrays", tmp_path / "x.npz")


def test_an_array_file_that_unpacks_to_much_or_holds_many_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", **{str(number): np.frombuffer(ZEROS, np.uint8) for number in range(5)})
    np.savez(tmp_path / "many.npz", **{str(number): np.zeros(1) for number in range(101)})
    for name in ("bomb.npz", "many.npz"):
        assert "at most 100 arrays of 256 MiB" in read_alone("arrays", tmp_path / name)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "9" * 100_000, '{"format": 1, "status": ' + "[" * 900 + "]" * 900 + "}"]
)
def test_a_record_nested_a_hundred_thousand_deep_is_damaged(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study" / "cnn3" / "baseline" / "seed_0-0123456789.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert "seed_0-0123456789.json" in read_alone("records", tmp_path / "study")


def test_a_record_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    data = make_record("../../../cnn3", "baseline").to_json()
    path = tmp_path / "study" / "cnn3" / "baseline" / "seed_0-0123456789.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(data))
    assert "belongs at" in read_alone("records", tmp_path / "study")


@pytest.mark.parametrize(
    "text",
    [
        "seeds = " + "9" * 5000,
        "seeds = 9999999999",
        "seeds = [" + "9" * 40 + "]",
        "seeds = [0x" + "f" * 4000 + "]",
        "epochs = 1" + "0" * 400,
        "epochs = 9999999999",
        "side = 100000",
        "train_share = inf",
        "axes = {rate = [nan]}",
        "axes = {rate = [1e300]}",
        "axes = {batch = [1" + "0" * 400 + "]}",
        f"axes = {{rate = {[1e-9 * number for number in range(1, 2000)]}, batch = {list(range(1, 2000))}}}",
        f"axes = {{side = {list(range(48, 1000))}, train_share = {[1 / number for number in range(1, 1000)]}}}",
        "seeds = 10000\naxes = {batch = " + str(list(range(1, 100))) + "}",
        "epochs = " + "[" * 100_000,
        "a." * 50_000 + "b = 1",
        "#" * (2 << 20),
    ],
)
def test_settings_of_absurd_size_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "grid.toml").write_text(f'models = "cnn2"\nprotocols = "baseline"\n{text}\n')
    found = read_alone("settings", tmp_path / "grid.toml")
    assert found != "read" and len(found) < 400 and ("grid.toml" in found or "seeds" in found)


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_whole_models_are_never_loaded(tmp_path: Path, name: str) -> None:
    import h5py

    if name == "model.keras":
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("config.json", '{"class_name": "Lambda"}')
    else:
        with h5py.File(tmp_path / name, "w") as file:
            file.attrs["model_config"] = '{"class_name": "Lambda"}'
    assert "a whole model, which is never loaded" in read_alone("weights", tmp_path / name)


def test_weights_that_lie_in_other_files_or_claim_terabytes_are_refused(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "link.weights.h5", "w") as file:
        file["x"] = h5py.ExternalLink("/etc/passwd", "x")
    with h5py.File(tmp_path / "raw.weights.h5", "w") as file:
        file.create_dataset("x", (8,), np.uint8, external=[("/etc/passwd", 0, 8)])
    with h5py.File(tmp_path / "huge.weights.h5", "w") as file:
        file.create_dataset("x", (2**31, 2**10), np.float32, chunks=(1024, 1024), compression="gzip")
    assert "links to other places" in read_alone("weights", tmp_path / "link.weights.h5")
    assert "lie in other files" in read_alone("weights", tmp_path / "raw.weights.h5")
    assert "claims" in read_alone("weights", tmp_path / "huge.weights.h5")


def test_weights_of_which_one_array_has_many_names_are_refused_at_once(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "links.weights.h5", "w") as file:
        file["a"] = np.zeros(4, "f4")
        for number in range(50_000):
            file[f"l{number}"] = file["a"]
    started = time.process_time()
    with pytest.raises(WeightsError, match="several names for one array"):
        check_form(tmp_path / "links.weights.h5")
    assert time.process_time() - started < 1


@pytest.mark.parametrize("name", ["study_origin", "layer_names"])
def test_attributes_that_point_a_thousand_times_at_one_text_are_not_read(tmp_path: Path, name: str) -> None:
    import h5py

    path, length = tmp_path / "texts.weights.h5", 2 << 20
    with h5py.File(path, "w") as file:
        file["a"] = np.zeros(4, "f4")
        file.attrs.create(name, np.array(["x" * length, *["y"] * 999], object), dtype=h5py.string_dtype())
    data = bytearray(path.read_bytes())
    place = data.find(struct.pack("<I", length))
    while data[place + 16 : place + 20] != struct.pack("<I", 1):  # where the second text is pointed at
        place = data.find(struct.pack("<I", length), place + 1)
    data[place : place + 16_000] = data[place : place + 16] * 1000
    path.write_bytes(data)
    with h5py.File(path) as file:
        assert file.attrs.get_id(name).shape == (1000,)
    assert "texts of its attributes could take more than 64 MiB" in read_alone("weights", path)
    expected = "says of its pretraining what neither" if name == "study_origin" else "read"
    assert expected in read_alone("weights-info", path)


def test_records_whose_checksums_are_right_and_whose_contents_lie_are_one_line_each(tmp_path: Path) -> None:
    store = Store(tmp_path, "fake")
    record = store.keep(make_record("cnn3", "baseline"))
    path = store.record_path(record.spec)
    true = json.loads(path.read_text())
    del true["record_sha256"]
    tried = 0
    for place in _leaves(true):
        for lie in (10**400, -1, None, "x" * 1000):
            changed = json.loads(json.dumps(true))
            inside = changed
            for key in place[:-1]:
                inside = inside[key]
            inside[place[-1]] = lie
            with contextlib.suppress(ValueError, OverflowError, TypeError, RecursionError):  # it is read without one
                changed["record_sha256"] = content_hash(changed)
            with contextlib.suppress(ValueError):  # more digits than Python writes
                path.write_text(json.dumps(changed))
                tried += 1
            try:
                store.examine()
            except StudyError as error:
                assert one_line(str(error))
    assert tried > 300


def _leaves(data: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, value in data.items() if isinstance(data, dict) else enumerate(data[:1]):
        yield (*place, key)
        if isinstance(value, dict | list):
            yield from _leaves(value, (*place, key))
