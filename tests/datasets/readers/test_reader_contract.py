"""What every dataset reader promises; a new one needs nothing here but a sample in samples.py."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from study.cli.data import app
from study.core.errors import DataError, UsageError
from study.core.registry import load_plugin
from study.core.spec import SPLITS
from study.datasets import cache
from study.datasets.image_set import ImageSet, hash_images
from study.datasets.load import load
from study.datasets.readers import layout
from study.datasets.readers.entry import NO_SPLIT, READERS, RawSet, Reader, Source, in_memory, reader
from study.datasets.readers.place import Place
from tests.datasets.readers.samples import SAMPLES

PAGE = Path(__file__).parents[3] / "docs" / "add-a-dataset-reader.md"
NAMES = READERS.names()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sample(name: str, tmp_path: Path) -> Path:
    assert name in SAMPLES, f"add a sample maker for the reader {name!r} to tests/datasets/readers/samples.py"
    (tmp_path / "sample").mkdir()
    return SAMPLES[name](tmp_path / "sample")


def files_of(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def same(one: ImageSet, two: ImageSet) -> bool:
    return one.fingerprint == two.fingerprint and one.split_source == two.split_source


def check_reader(name: str, sample: Path) -> None:
    """Check what can be said of a reader and a sample of its form: used here and on the example in docs/."""
    source = layout.find(sample)
    assert source.reader == name, "the sample is taken by its own reader, before all others"
    assert all((source.place / path if path else source.place).exists for path in source.files), "every file is there"
    handed_out: list[NDArray[np.uint8]] = []

    def allocate(shape: tuple[int, ...]) -> NDArray[np.uint8]:
        handed_out.append(in_memory(shape))
        return handed_out[-1]

    raw = READERS.get(name).read(source, allocate)
    n = len(raw.images)
    assert raw.images.dtype == np.uint8 and raw.images.ndim == 4, "images are uint8 (n, side, side, channels)"
    assert raw.images.shape[1] == raw.images.shape[2] and raw.images.shape[3] in (1, 3)
    assert any(np.shares_memory(raw.images, one) for one in handed_out), "images go straight into the cache"
    assert raw.labels.dtype == np.int64 and raw.labels.shape == (n,)
    assert set(raw.labels.tolist()) == set(range(len(raw.classes))), "every class has an image"
    assert len(raw.classes) >= 2 and all(isinstance(one, str) and one for one in raw.classes)
    assert raw.ids.shape == (n,) and raw.ids.dtype.kind == "U" and len(set(raw.ids.tolist())) == n, "ids are unique"
    assert raw.given.dtype == np.uint8 and set(raw.given.tolist()) <= {*range(len(SPLITS)), NO_SPLIT}
    assert len(set(hash_images(raw.images))) == n >= 24, "no two images of the sample are alike, and nothing is lost"
    assert raw.given_by and not raw.left_out
    again = READERS.get(name).read(layout.find(sample), in_memory)
    assert np.array_equal(raw.images, again.images) and raw.ids.tolist() == again.ids.tolist(), "reading is repeatable"


def test_a_sample_of_each_reader_is_recognised_and_read_as_promised(name: str, sample: Path) -> None:
    check_reader(name, sample)


@pytest.mark.parametrize("other", NAMES)
def test_no_reader_takes_the_sample_of_another(name: str, sample: Path, other: str) -> None:
    if other != name:
        for path in (sample, *files_of(sample)):
            try:
                found = READERS.get(other).recognise(Place(path))
            except DataError:
                continue
            assert found is None, f"{other} takes {path.name} of {name}"


def test_a_sample_goes_through_the_cache_and_comes_back_as_a_memory_map(
    name: str, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(str(sample))
    monkeypatch.setattr(type(READERS.get(name)), "read", lambda *_: pytest.fail("read again"))
    second = load(str(sample))
    assert same(first, second) and isinstance(second.images, np.memmap)


def test_a_change_in_any_file_of_a_sample_is_noticed(name: str, sample: Path) -> None:
    before = cache.content_hash(layout.find(sample))
    for file in files_of(sample):
        content = file.read_bytes()
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert cache.content_hash(layout.find(sample)) != before, file.name
        file.write_bytes(content)
    assert cache.content_hash(layout.find(sample)) == before


def test_a_sample_is_the_same_in_an_archive_and_in_a_folder_of_one(name: str, sample: Path, tmp_path: Path) -> None:
    root = sample if sample.is_dir() else sample.parent
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        for file in files_of(root):
            archive.write(file, f"deep/down/{file.relative_to(root).as_posix()}")
    plain = load(str(sample))
    for path in ("packed.zip", "packed.zip/deep/down", "packed.zip/down"):
        assert load(str(tmp_path / path)).fingerprint == plain.fingerprint
    with pytest.raises(
        DataError, match=r"packed.zip/.*up: expected .* found nothing there; the archive holds 1 folder"
    ):
        load(str(tmp_path / "packed.zip" / "up"))


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "pipe", "endless", "folder", "gone"])
def test_a_damaged_file_is_left_out_or_refused_in_one_line(name: str, sample: Path, damage: str) -> None:
    whole = len(load(str(sample)))
    for file in files_of(sample)[:: max(1, len(files_of(sample)) // 4)]:
        content = file.read_bytes()
        file.unlink()
        if damage == "pipe":
            os.mkfifo(file)
        elif damage == "endless":
            file.symlink_to("/dev/zero")
        elif damage == "folder":
            file.mkdir()
        elif damage != "gone":
            file.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "noise": os.urandom(500)}[damage])
        try:
            data = load(str(sample))
        except DataError as error:
            assert "\n" not in str(error) and str(error).isprintable()
        else:
            assert len(data) < whole
        file.rmdir() if damage == "folder" else file.unlink(missing_ok=True)
        file.write_bytes(content)


@pytest.fixture
def example(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Return the file of a reader that docs/ shows, and a sample of what it reads."""
    blocks = re.findall(r"```python\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "npz_reader.py"
    file.write_text(blocks[0], encoding="utf-8")
    random = np.random.default_rng(0)
    path = tmp_path / "faces.npz"
    np.savez(path, images=random.integers(0, 256, (30, 24, 24), np.uint8), labels=np.arange(30) % 3)
    yield file, path
    READERS._entries.pop("npz", None)
    READERS._files.pop("npz", None)


def test_the_reader_that_docs_shows_works_from_a_plugin_file(
    example: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, path = example
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"found a file of another kind \(.npz\)"):
        load(str(path))
    result = CliRunner().invoke(app, ["show", str(path), "--plugin", str(file)], catch_exceptions=False)
    assert "faces: 30 images, 24x24 grey, 3 classes" in result.output
    check_reader("npz", path)
    path.write_bytes(b"no npz")
    with pytest.raises(DataError, match="faces.npz"):
        load(str(path))


def test_a_changed_plugin_reads_again(example: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    file, path = example
    load_plugin(file)
    one = cache.content_hash(layout.find(path))
    file.write_text(file.read_text() + "\n# another version\n")
    assert cache.content_hash(layout.find(path)) != one


def make(decide: Callable[..., Source | None]) -> type[Reader]:
    class Other(Reader):
        form = "something else"

        def recognise(self, place: object) -> Source | None:
            return decide(place)

        def read(self, source: Source, allocate: object) -> RawSet:
            raise AssertionError

    return Other


def test_a_plugins_reader_is_asked_before_the_packages_own(tmp_path: Path) -> None:
    path = SAMPLES["folders"](tmp_path)
    kind = reader("eager")(make(lambda place: Source(place, "eager")))
    try:
        assert layout.find(path).reader == "eager" and "something else" in layout.forms()
        with pytest.raises(UsageError, match="dataset reader names are unique: 'folders'"):
            reader("folders")(kind)
    finally:
        READERS._entries.pop("eager")
        READERS._files.pop("eager")


def test_the_samples_are_of_registered_readers_only() -> None:
    assert sorted(SAMPLES) == NAMES


def test_no_reader_looks_at_what_is_not_below_the_place_it_was_shown(name: str, sample: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved" / sample.name
    moved.parent.mkdir()
    before = load(str(sample)).fingerprint
    shutil.move(sample, moved)
    assert load(str(moved)).fingerprint == before
