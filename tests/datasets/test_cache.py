"""The cache of parsed datasets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from study.core.errors import DataError
from study.core.process_id import this_process
from study.datasets import cache
from study.datasets.image_set import ImageSet
from study.datasets.load import load
from study.datasets.readers.entry import RawSet, Source
from study.datasets.readers.pixel_csv import PixelCsv
from tests.datasets.sources import csv_row, csv_rows, pixels, write_classes, write_csv, write_image


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "fer2013.csv", csv_rows())


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Count how often a csv is really parsed."""
    seen: list[Path] = []
    parse = PixelCsv.read

    def read(self: PixelCsv, source: Source, *more: object) -> RawSet:
        seen.append(Path(str(source.place)))
        return parse(self, source, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(PixelCsv, "read", read)
    return seen


def same(one: ImageSet, two: ImageSet) -> bool:
    arrays = ("images", "labels", "ids", "splits", "hashes")
    return one.card() == two.card() and all(np.array_equal(getattr(one, name), getattr(two, name)) for name in arrays)


def test_the_second_start_opens_an_equal_read_only_memory_map(table: Path, place: Path, readings: list[Path]) -> None:
    first, second = (load(str(table), cache_dir=place) for _ in range(2))
    assert len(readings) == 1
    assert same(first, second)
    assert isinstance(second.images, np.memmap)
    assert not second.images.flags.writeable


def test_a_copied_or_touched_source_is_not_parsed_again(
    table: Path, place: Path, readings: list[Path], tmp_path: Path
) -> None:
    first = load(str(table), cache_dir=place)
    os.utime(table, (1, 1))
    copy = tmp_path / "elsewhere" / table.name
    copy.parent.mkdir()
    shutil.copy(table, copy)
    assert same(load(str(table), cache_dir=place), first)
    assert same(load(str(copy), cache_dir=place), first)
    assert len(readings) == 1


def test_a_changed_source_is_parsed_again_even_with_equal_size_and_time(table: Path, place: Path) -> None:
    first = load(str(table), cache_dir=place)
    state = table.stat()
    rows = [*csv_rows()[:-1], csv_rows()[-1].replace("6,", "0,", 1)]
    write_csv(table, rows)
    os.utime(table, ns=(state.st_atime_ns, state.st_mtime_ns))
    second = load(str(table), cache_dir=place)
    assert table.stat().st_size == state.st_size
    assert second.labels[-1] == 0
    assert second.fingerprint != first.fingerprint


@pytest.mark.parametrize("change", ["add", "remove", "rewrite", "rename"])
def test_a_changed_folder_is_seen(tmp_path: Path, place: Path, change: str) -> None:
    root = write_classes(tmp_path / "faces", ["cat", "dog"], count=5)
    first = load(str(root), cache_dir=place)
    image = root / "cat" / "0.png"
    if change == "add":
        write_image(root / "cat" / "new.png", pixels(99))
    elif change == "remove":
        image.unlink()
    elif change == "rewrite":
        write_image(image, pixels(99))
    else:
        image.rename(image.with_name("a.png"))
    assert load(str(root), cache_dir=place).fingerprint != first.fingerprint


def test_in_large_folders_recheck_sees_what_a_glance_may_miss(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_EXACT_FILES", 3)
    root = write_classes(tmp_path / "faces", ["cat", "dog"], count=5)
    first = load(str(root), cache_dir=place)
    write_image(root / "cat" / "1.png", pixels(99))
    assert load(str(root), cache_dir=place).fingerprint == first.fingerprint
    assert load(str(root), cache_dir=place, recheck=True).fingerprint != first.fingerprint
    assert load(str(root), cache_dir=place).fingerprint != first.fingerprint


def test_a_drawn_split_is_kept_for_each_seed_and_a_given_one_once(tmp_path: Path, place: Path, table: Path) -> None:
    root = write_classes(tmp_path / "faces", ["cat", "dog"], count=20)
    drawn = [load(str(root), seed=seed, cache_dir=place) for seed in (0, 1, 0)]
    assert same(drawn[0], drawn[2])
    assert not same(drawn[0], drawn[1])
    assert len(list((place / "sets").iterdir())) == 2
    assert same(load(str(table), seed=0, cache_dir=place), load(str(table), seed=1, cache_dir=place))
    assert len(list((place / "sets").iterdir())) == 3


@pytest.mark.parametrize("file", ["images.npy", "labels.npy", "ids.npy", "splits.npy", "hashes.npy", "set.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "remove", "empty"])
def test_a_damaged_cache_is_recognised_and_rebuilt(
    table: Path, place: Path, readings: list[Path], file: str, damage: str
) -> None:
    first = load(str(table), cache_dir=place)
    expected = first.images.copy()
    (target,) = (place / "sets").glob(f"*/{file}")
    content = bytearray(target.read_bytes())
    if damage == "cut":
        target.write_bytes(content[:-1])
    elif damage == "flip":
        content[-20] ^= 1
        target.write_bytes(content)
    elif damage == "remove":
        target.unlink()
    else:
        target.write_bytes(b"")
    lines: list[str] = []
    second = load(str(table), cache_dir=place, log=lines.append)
    assert len(readings) == 2
    assert np.array_equal(second.images, expected)
    assert [line for line in lines if "damaged, set aside as" in line and ".damaged" in line] == lines[1:]
    assert len(list((place / "sets").glob("*.damaged"))) == 1
    load(str(table), cache_dir=place)
    assert len(readings) == 2


def test_what_was_altered_behind_an_unchanged_time_is_recognised_when_asked_for(
    table: Path, place: Path, readings: list[Path]
) -> None:
    expected = load(str(table), cache_dir=place).images.copy()
    for count in (2, 3):
        (target,) = (path for path in (place / "sets").glob("*/images.npy") if path.parent.suffix != ".damaged")
        state, content = target.stat(), bytearray(target.read_bytes())
        content[-20] ^= 1
        target.write_bytes(content)
        os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))
        assert not np.array_equal(load(str(table), cache_dir=place).images, expected)
        assert np.array_equal(load(str(table), cache_dir=place, verify=True).images, expected)
        assert len(readings) == count
    assert len(list((place / "sets").glob("*.damaged"))) == 1, "they do not pile up"


def test_what_a_killed_process_left_is_cleared_away(table: Path, place: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    mine = this_process()
    left = place / "sets" / f".study-{mine.machine}-{child.pid}-{mine.started}-0123abcd-filling"
    left.mkdir(parents=True)
    (left / "1.npy").write_bytes(b"half")
    load(str(table), cache_dir=place)
    assert not left.exists()


def test_a_copied_cache_with_other_times_is_still_good(
    table: Path, place: Path, readings: list[Path], tmp_path: Path
) -> None:
    load(str(table), cache_dir=place)
    shutil.copytree(place, tmp_path / "moved", copy_function=shutil.copyfile)
    load(str(table), cache_dir=tmp_path / "moved")
    assert len(readings) == 1


def test_nothing_half_written_is_left_by_a_refused_source(tmp_path: Path, place: Path) -> None:
    table = write_csv(tmp_path / "fer2013.csv", [*csv_rows(), csv_row(9, 0, "Training")])
    with pytest.raises(DataError, match="row 43"):
        load(str(table), cache_dir=place)
    assert list((place / "sets").iterdir()) == []


def test_nothing_half_written_is_left_by_an_interruption(
    table: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cache, "_write", interrupt)
        with pytest.raises(KeyboardInterrupt):
            load(str(table), cache_dir=place)
    assert list((place / "sets").iterdir()) == []
    assert len(load(str(table), cache_dir=place)) == 42


def test_without_a_writable_cache_the_data_are_read_all_the_same(table: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    lines: list[str] = []
    assert len(load(str(table), cache_dir=blocked / "cache", log=lines.append)) == 42
    assert any("cannot be written" in line for line in lines)


def test_a_full_disk_is_seen_before_it_is_written_to(table: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: usage)
    lines: list[str] = []
    assert len(load(str(table), cache_dir=place, log=lines.append)) == 42
    assert any("are free" in line for line in lines)


def test_the_place_is_the_users_choice_or_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_CACHE", "/somewhere")
    assert cache.default_dir() == Path("/somewhere")
    monkeypatch.delenv("STUDY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache.default_dir() == Path("/caches/facial-emotion-study")
