"""The verb data."""

from __future__ import annotations

import gzip
import lzma
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from study.__main__ import main
from study.cli.data import app
from study.core.errors import DataError, UsageError
from tests.datasets.sources import csv_rows, write_classes, write_csv


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def run(*words: str) -> str:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_prepare_reads_a_dataset_and_names_it(tmp_path: Path) -> None:
    output = run("prepare", str(write_csv(tmp_path / "fer2013.csv", csv_rows())))
    assert "Ready: fer2013-part, fingerprint " in output
    assert list((tmp_path / "cache" / "sets").iterdir())


def test_show_prints_counts_split_copies_and_notes(tmp_path: Path) -> None:
    rows = csv_rows()
    rows[-1] = rows[13].replace("Training", "PrivateTest")
    lines = run("show", str(write_csv(tmp_path / "fer2013.csv", rows))).splitlines()
    assert "fer2013-part: 42 images, 48x48 grey, 7 classes" in lines
    assert ["class", "train", "validation", "test", "all"] in [line.split() for line in lines]
    assert ["disgust", "2", "2", "2", "6"] in [line.split() for line in lines]
    assert ["all", "14", "14", "14", "42"] in [line.split() for line in lines]
    assert "The split is given by the csv's Usage column." in lines
    assert "Different images: 41. Groups of identical images: 1, 0 of them with conflicting labels." in lines
    assert "Note: Images with an identical copy in another split: 1 test in train." in lines


def test_show_writes_samples_where_pictures_of_dataset_images_belong(tmp_path: Path) -> None:
    write_classes(tmp_path / "faces", ["cat", "dog"], 5)
    assert "No image has an identical copy in another split." in run("show", "faces")
    assert (tmp_path / "reports" / "faces" / "local" / "samples.png").stat().st_size > 1000
    run("show", "faces", "--out", "here.png")
    assert (tmp_path / "here.png").exists()


@pytest.mark.parametrize("verb", ["prepare", "show"])
def test_wrong_data_rise_as_an_error_for_one_line(verb: str) -> None:
    with pytest.raises(DataError, match="found nothing there"):
        CliRunner().invoke(app, [verb, "nowhere"], catch_exceptions=False)


def test_audit_prints_warnings_and_writes_page_tables_and_pictures(tmp_path: Path) -> None:
    rows = csv_rows(side=48)
    rows[-1] = rows[13].replace("Training", "PrivateTest")
    output = run("audit", str(write_csv(tmp_path / "fer2013.csv", rows)))
    assert "Warning: 1 of 14 (7.1 %) test images have an identical copy in train." in output
    folder = tmp_path / "reports" / "fer2013-part-audit"
    assert "The audit is in reports/fer2013-part-audit/README.md" in output
    assert (folder / "tables" / "copies.csv").is_file()
    assert str(tmp_path) not in (folder / "README.md").read_text()


def test_audit_of_an_unknown_study_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown study 'nothing'"):
        CliRunner().invoke(app, ["audit", "synthetic:images=300", "--study", "nothing"], catch_exceptions=False)


def test_the_limits_of_an_archive_are_raised_by_the_flag(tmp_path: Path) -> None:
    write_classes(tmp_path / "faces", ["cat", "dog"], 12)
    (tmp_path / "faces" / "notes.txt").write_bytes(random.Random(0).randbytes(1 << 21))
    shutil.make_archive(str(tmp_path / "packed"), "gztar", tmp_path / "faces")
    with pytest.raises(DataError, match="raise the limits with --archive-gib N"):
        CliRunner().invoke(app, ["show", "packed.tar.gz", "--archive-gib", "0.001"], catch_exceptions=False)
    assert "packed: 24 images" in run("show", "packed.tar.gz")


@pytest.mark.parametrize("gib", ["inf", "1e300"])
def test_a_limit_that_is_none_is_refused(tmp_path: Path, gib: str) -> None:
    write_classes(tmp_path / "faces", ["cat", "dog"], 12)
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "faces")
    with pytest.raises(UsageError, match="an archive may unpack to more than 0 and at most 1,000,000 GiB, got"):
        CliRunner().invoke(app, ["show", "packed.zip", "--archive-gib", gib], catch_exceptions=False)


@pytest.mark.parametrize(
    "setting", ["images=1000000000000", "images=" + "9" * 5000, "seed=" + "9" * 39, "difficulty=nan"]
)
def test_settings_of_the_drawn_faces_are_bounded_before_anything_is_drawn(setting: str) -> None:
    with pytest.raises((DataError, UsageError)) as error:
        CliRunner().invoke(app, ["show", f"synthetic:{setting}"], catch_exceptions=False)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_a_tar_header_with_a_number_of_thousands_of_digits_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pack: Callable[[bytes], bytes]
) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 6000
    number = b"9" * 5990 + b" a=b\n"  # the length of a pax record, of more digits than Python takes for a number
    body = number.ljust(6144, b"\0")
    (tmp_path / "digits.tar").write_bytes(pack(header.tobuf(tarfile.USTAR_FORMAT) + body + bytes(1024)))
    monkeypatch.setattr("sys.argv", ["study", "data", "prepare", "digits.tar"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith("study: digits.tar: expected a whole archive, found one that is damaged or cut off (")
    assert said.endswith("Get a fresh copy.\n") and said.count("\n") == 1 and len(said) < 250
    assert not any((tmp_path / "cache" / "sets").iterdir())
