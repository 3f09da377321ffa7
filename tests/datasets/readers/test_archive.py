"""Archives are read like the folder that they hold; whatever could do harm is refused in one line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import stat
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.core.errors import DataError
from study.datasets.load import load
from study.datasets.readers.archive import Archive, Limits, archive_stem, is_archive
from study.datasets.readers.layout import is_read
from study.datasets.readers.place import folder_of
from tests.datasets.sources import csv_rows, write_classes, write_csv, write_fer2013_folders

KINDS = ("zip", "tar", "tar.gz", "tgz", "tar.xz", "tar.bz2")
SMALL = Limits(total_bytes=1 << 22, member_bytes=1 << 20, members=50, ratio=50)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))


def pack(root: Path, target: Path, folder: str = "") -> Path:
    """Pack what lies below a folder, folders too, as any packing program would."""
    files = sorted(root.rglob("*"))
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, folder + path.relative_to(root).as_posix())
        return target
    mode = {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz", ".xz": "w:xz", ".bz2": "w:bz2"}[target.suffix]
    with tarfile.open(target, mode) as archive:
        for path in files:
            archive.add(path, f"./{folder}{path.relative_to(root).as_posix()}", recursive=False)
    return target


def tar(target: Path, *members: tarfile.TarInfo, format: int = tarfile.PAX_FORMAT) -> Path:
    """Write a tar of hand-made entries with as many zero bytes as each says."""
    with tarfile.open(target, "w", format=format) as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return target


def entry(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, **more: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    for key, value in more.items():
        setattr(member, key, value)
    return member


def opened(path: Path, limits: Limits = SMALL) -> dict[str, bytes]:
    """Return all that can be read of an archive."""
    with Archive(path, limits, is_read) as archive:
        return {
            "/".join((*parts, name)): (folder_of(archive) / "/".join((*parts, name))).read_bytes(1 << 20)
            for parts, (files, _) in archive.folders.items()
            for name in files
        }


@pytest.mark.parametrize("kind", KINDS)
def test_every_layout_in_every_archive_gives_the_images_of_its_folder(tmp_path: Path, kind: str) -> None:
    layouts: dict[str, Callable[[Path], object]] = {
        "faces": lambda root: write_classes(root, ["cat", "dog"], 12),
        "fer": lambda root: write_fer2013_folders(root),
        "table": lambda root: (root.mkdir(), write_csv(root / "fer2013.csv", csv_rows(1))),
        "parts": lambda root: [
            write_classes(root / name, ["cat", "dog"], 12, first=100 * place)
            for place, name in enumerate(("train", "test"))
        ],
    }
    for name, write in layouts.items():
        write(tmp_path / name)
        for folder in ("", f"{name}-1.0/"):
            packed = load(str(pack(tmp_path / name, tmp_path / f"{name}.{kind}", folder)))
            plain = load(str(tmp_path / name))
            assert packed.fingerprint == plain.fingerprint
            assert packed.split_source == plain.split_source and packed.name == plain.name


def test_an_archive_in_the_data_folder_is_found(tmp_path: Path) -> None:
    write_classes(tmp_path / "faces", ["cat", "dog"], 12)
    (tmp_path / "data").mkdir()
    pack(tmp_path / "faces", tmp_path / "data" / "my faces.tar.xz")
    lines: list[str] = []
    assert load(None, default_dir=tmp_path / "data", log=lines.append).name == "my-faces"
    assert "my faces.tar.xz (no --data given" in lines[0]


def test_a_packed_set_is_opened_from_the_cache_without_the_archive_being_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_classes(tmp_path / "faces", ["cat", "dog"], 12)
    path = str(pack(tmp_path / "faces", tmp_path / "faces.tar.gz"))
    first = load(path)
    monkeypatch.setattr(Archive, "__init__", lambda *_: pytest.fail("unpacked again"))
    assert load(path).fingerprint == first.fingerprint


def test_a_changed_archive_is_read_again(tmp_path: Path) -> None:
    write_classes(tmp_path / "faces", ["cat", "dog"], 12)
    first = load(str(pack(tmp_path / "faces", tmp_path / "faces.zip")))
    write_classes(tmp_path / "faces", ["cat", "dog"], 1, first=900)
    assert len(load(str(pack(tmp_path / "faces", tmp_path / "faces.zip")))) == len(first) + 2


def test_files_that_cannot_be_read_are_left_out_by_name(tmp_path: Path) -> None:
    write_classes(tmp_path / "faces", ["cat", "dog"], 12)
    (tmp_path / "faces" / "cat" / "broken.png").write_bytes(b"no picture")
    lines: list[str] = []
    data = load(str(pack(tmp_path / "faces", tmp_path / "faces.zip")), log=lines.append)
    assert len(data) == 24 and any("cat/broken.png" in line for line in lines)


def test_nothing_is_written_beside_the_archive(tmp_path: Path) -> None:
    write_classes(tmp_path / "faces", ["cat", "dog"], 12)
    (tmp_path / "only").mkdir()
    load(str(pack(tmp_path / "faces", tmp_path / "only" / "faces.tar.xz")))
    assert [path.name for path in (tmp_path / "only").iterdir()] == ["faces.tar.xz"]


def test_archives_in_archives_stay_closed(tmp_path: Path) -> None:
    write_classes(tmp_path / "faces", ["cat", "dog"], 12)
    (tmp_path / "outer").mkdir()
    pack(tmp_path / "faces", tmp_path / "outer" / "faces.zip")
    with pytest.raises(DataError, match=r"found 1 file \(faces.zip\)"):
        load(str(pack(tmp_path / "outer", tmp_path / "outer.zip")))


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names_are_understood_in_every_tar_format(tmp_path: Path, format: int) -> None:
    names = ["gesichter/ärger.png", f"{'l' * 90}/{'n' * 90}.png"]
    found = opened(tar(tmp_path / "long.tar", *(entry(name, 7) for name in names), format=format))
    assert found == {name: bytes(7) for name in names}


def test_empty_files_and_skipped_ones_do_not_shift_the_others(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, content in (("a.png", b""), ("b.txt", b"x" * 700), ("c.png", b"c" * 513), ("d.png", b"d")):
            member = entry(name, len(content))
            archive.addfile(member, io.BytesIO(content))
    with Archive(tmp_path / "a.tar", SMALL, lambda name: name.endswith(".png")) as archive:
        found = {name: (folder_of(archive) / name).read_bytes(1 << 20) for name in ("a.png", "c.png", "d.png")}
        with pytest.raises(OSError, match="not kept"):
            (folder_of(archive) / "b.txt").read_bytes(1 << 20)
    assert found == {"a.png": b"", "c.png": b"c" * 513, "d.png": b"d"}


UNSAFE_NAMES = (
    "../up.png",
    "a/../../up.png",
    "/etc/passwd.png",
    "C:/here.png",
    "a\\b.png",
    "a\nb.png",
    "d/" * 20 + "x.png",
)


@pytest.mark.parametrize("name", [*UNSAFE_NAMES, "n" * 300 + ".png"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / f"unsafe.{kind}"
    if kind == "tar":
        tar(path, entry(name, 3))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, b"abc")
    with pytest.raises(DataError, match="expected an archive of files with plain relative names, found"):
        opened(path)


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
        tarfile.GNUTYPE_SPARSE,
        b"Z",
    ],
)
def test_links_devices_and_strange_entries_of_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(DataError, match="found a link, a device or another kind of entry: 'x.png'"):
        opened(tar(tmp_path / "a.tar", entry("x.png", kind=kind, linkname="/etc/passwd"), format=tarfile.GNU_FORMAT))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_of_a_zip_are_refused(tmp_path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("x.png")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="found a link or a device"):
        opened(tmp_path / "a.zip")


def test_encrypted_zips_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.png", b"abc")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DataError, match="found encrypted ones"):
        opened(tmp_path / "a.zip")


@pytest.mark.parametrize(
    "names", [("x.png", "x.png"), ("x.png", "x.png/y.png"), ("x.png/y.png", "x.png"), ("a/./x.png", "a//x.png")]
)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_one_name_for_two_files_is_refused(tmp_path: Path, names: tuple[str, ...], kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "tar":
        tar(path, *(entry(name, 1) for name in names))
    else:
        with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings(action="ignore"):
            for name in names:
                archive.writestr(name, b"1")
    with pytest.raises(DataError, match="expected an archive of different names, found .* twice"):
        opened(path)


def bomb(path: Path, size: int) -> Path:
    """Write an archive with one image of zeros."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.png", bytes(size))
        return path
    pack_with = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}[path.suffix]
    plain = tar(path.with_suffix(".plain"), entry("x.png", size))
    path.write_bytes(pack_with(plain.read_bytes()))
    return path


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.xz", "tar.bz2"])
def test_bombs_are_refused_by_ratio_and_by_size(tmp_path: Path, kind: str) -> None:
    path = bomb(tmp_path / f"bomb.{kind}", 20 << 20)
    wide = Limits(total_bytes=1 << 30, member_bytes=1 << 30, members=10, ratio=50)
    with pytest.raises(DataError, match="at most 50 times its packed size.*--archive-gib"):
        opened(path, wide)
    with pytest.raises(DataError, match="files of at most .* found 'x.png' of 20,971,520 bytes"):
        opened(path, SMALL)
    narrow = Limits(total_bytes=1 << 20, member_bytes=1 << 30, members=10, ratio=1e9)
    with pytest.raises(DataError, match="expected at most .* GiB unpacked, found more"):
        opened(path, narrow)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_too_many_files_are_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "many").mkdir()
    for number in range(60):
        (tmp_path / "many" / f"{number}.png").touch()
    with pytest.raises(DataError, match="expected at most 50 files, found more"):
        opened(pack(tmp_path / "many", tmp_path / f"many.{kind}"))


def test_a_header_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    member = entry("x.png", 3, pax_headers={"comment": "c" * 200_000})
    with pytest.raises(DataError, match="found a header of more than 65,536 bytes"):
        opened(tar(tmp_path / "a.tar", member))


def test_an_xz_that_asks_for_gigabytes_of_memory_is_refused(tmp_path: Path) -> None:
    packed = bytearray(lzma.compress(tar(tmp_path / "plain", entry("x.png", 3)).read_bytes(), preset=0))
    end = 12 + (packed[12] + 1) * 4  # of the first block's header; the size of its dictionary follows the filter's id
    packed[packed.index(b"\x21\x01") + 2] = 40  # 4 GiB
    packed[end - 4 : end] = zlib.crc32(packed[12 : end - 4]).to_bytes(4, "little")
    (tmp_path / "a.tar.xz").write_bytes(packed)
    with pytest.raises(DataError, match="damaged or cut off .Memory usage limit exceeded"):
        opened(tmp_path / "a.tar.xz")


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_archive_is_called_damaged(tmp_path: Path, kind: str) -> None:
    write_classes(tmp_path / "faces", ["cat", "dog"], 4)
    path = pack(tmp_path / "faces", tmp_path / f"faces.{kind}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(
        DataError, match=r"expected a whole archive, found one that is damaged or cut off \(.+\)\. Get a"
    ):
        opened(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100])
def test_what_is_no_archive_is_called_damaged(tmp_path: Path, kind: str, content: bytes) -> None:
    (tmp_path / f"a.{kind}").write_bytes(content)
    with pytest.raises(DataError, match="damaged or cut off"):
        opened(tmp_path / f"a.{kind}")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["zip", "tar", "tar.gz", "tar.xz", "tar.bz2"]),
    places=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_damaged_bytes_give_the_files_or_one_of_our_errors(
    tmp_path: Path, kind: str, places: list[tuple[int, int]]
) -> None:
    good = tmp_path / f"good.{kind}"
    if not good.exists():
        write_classes(tmp_path / "faces", ["cat", "dog"], 2, side=8)
        pack(tmp_path / "faces", good)
    data = bytearray(good.read_bytes())
    for place, value in places:
        data[place % len(data)] = value
    bad = tmp_path / f"bad.{kind}"
    bad.write_bytes(data)
    try:
        found = opened(bad)
    except (DataError, OSError):  # a single file that is damaged is the reader's to leave out
        return
    assert all(isinstance(content, bytes) for content in found.values())


def test_names_and_stems() -> None:
    assert is_archive("A.TAR.XZ") and is_archive("a.tgz") and not is_archive("a.csv")
    assert [archive_stem(name) for name in ("fer2013.tar.xz", "Faces.ZIP", "a.b.tgz")] == [
        "fer2013",
        "Faces",
        "a.b",
    ]


def test_limits_grow_with_the_flag() -> None:
    assert Limits.of(8).total_bytes == 2 * Limits.of(4).total_bytes == 8 << 30
    assert Limits.of(8).members == 2 * Limits.of(4).members


@pytest.mark.parametrize("kind", ["tar.gz", "tar.xz"])
def test_a_wrong_checksum_at_the_very_end_is_noticed(tmp_path: Path, kind: str) -> None:
    write_classes(tmp_path / "faces", ["cat", "dog"], 2)
    path = pack(tmp_path / "faces", tmp_path / f"faces.{kind}")
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged or cut off"):
        opened(path)


@pytest.mark.parametrize("flag", [True, False])
def test_names_of_a_zip_are_utf_8_with_or_without_the_flag_that_says_so(tmp_path: Path, flag: bool) -> None:
    path = tmp_path / "finder.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("злой/1.png", "ärger/2.png", "joy/3.png"):
            archive.writestr(name, b"abc")
    if not flag:
        data = bytearray(path.read_bytes())
        for signature, offset in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
            place = data.find(signature)
            while place >= 0:
                data[place + offset] &= ~0x08
                place = data.find(signature, place + 4)
        path.write_bytes(data)
    assert opened(path) == {"злой/1.png": b"abc", "ärger/2.png": b"abc", "joy/3.png": b"abc"}


def test_names_of_an_old_zip_are_in_its_own_code_page(tmp_path: Path) -> None:
    path = tmp_path / "old.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("XX/1.png", b"abc")
    path.write_bytes(path.read_bytes().replace(b"XX/", "Ä/".encode("cp437").ljust(3, b"/")))
    assert opened(path) == {"Ä/1.png": b"abc"}


def extended(body: bytes) -> bytes:
    """Return an extended header with a body and an empty tar behind it."""
    head = bytearray(tarfile.TarInfo("pax").tobuf(tarfile.USTAR_FORMAT))
    head[124:136], head[156:157], head[148:156] = b"%011o\0" % len(body), b"x", b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + body + bytes(-len(body) % 512) + bytes(1024)


@pytest.mark.parametrize(
    "body",
    [
        b"9" * 5990 + b" a=b\n",
        b"4013 size=" + b"9" * 4002 + b"\n",
        b"20 size=" + b"9" * 30 + b"\n",
        b"a=b\n",
        b"11 size=-1\n",
        b"5 a\n",
        b"\xff" * 600,
    ],
)
def test_an_extended_header_of_any_form_ends_in_one_line(tmp_path: Path, body: bytes) -> None:
    whole = tar(tmp_path / "whole.tar", entry("x.png", 3)).read_bytes()
    (tmp_path / "a.tar").write_bytes(extended(body)[:-1024] + whole)
    try:
        assert opened(tmp_path / "a.tar") == {"x.png": bytes(3)}
    except DataError as error:
        assert re.search("damaged or cut off|expected files of at most", str(error)) and len(str(error)) < 400


@pytest.mark.parametrize("wrong", ["name", "checksum", "size", "kind"])
def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path: Path, wrong: str) -> None:
    path = tar(tmp_path / "a.tar", *(entry(f"{number}.png", 600) for number in range(5)))
    data = bytearray(path.read_bytes())
    start = 2 * (512 + 1024)
    data[start + {"name": 0, "checksum": 148, "size": 124, "kind": 156}[wrong]] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="a header is damaged or missing"):
        opened(path)


def test_a_tar_without_its_end_is_called_damaged(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", entry("0.png", 600))
    path.write_bytes(path.read_bytes()[: 512 + 1024])
    with pytest.raises(DataError, match="damaged or cut off"):
        opened(path)


def test_a_path_may_lead_into_an_archive(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_classes(tmp_path / "sets" / name, ["cat", "dog"], 12, first=100 * len(name) + ord(name[0]))
    path = pack(tmp_path / "sets", tmp_path / "sets.tar.gz")
    with pytest.raises(DataError, match=r"found 2: .*sets.tar.gz/one, .*sets.tar.gz/two. Give the path"):
        load(str(path))
    one, two = (load(str(path / name)) for name in ("one", "two"))
    assert one.fingerprint == load(str(tmp_path / "sets" / "one")).fingerprint != two.fingerprint
    assert (one.name, two.name) == ("sets-one", "sets-two")
    lines: list[str] = []
    assert load(str(path / "one"), log=lines.append).fingerprint == one.fingerprint and len(lines) == 1
