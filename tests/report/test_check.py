"""The check finds whatever no longer matches the store, and nothing else."""

import shutil

import pytest
from typer.testing import CliRunner

from study.cli.report import app
from study.report.picture import Picture, new_figure
from study.report.write import check_report
from tests.factories import make_record


@pytest.fixture
def copies(store, page, tmp_path):
    """The store and a copy of its report that may be spoilt."""
    shutil.copytree(page.parent, tmp_path / store.study)
    return store, tmp_path


def test_a_fresh_report_matches(copies):
    assert check_report(*copies) == []


def test_a_changed_word_is_found(copies):
    store, reports = copies
    path = reports / store.study / "README.md"
    path.write_text(path.read_text().replace("Leaderboard", "Leaderbord"))
    (line,) = check_report(store, reports)
    assert "README.md differs" in line


def test_a_changed_number_in_a_table_is_found(copies):
    store, reports = copies
    path = reports / store.study / "tables" / "leaderboard.csv"
    path.write_text(path.read_text().replace("0.", "1.", 1))
    assert ["leaderboard.csv differs" in line for line in check_report(store, reports)] == [True]


def test_a_picture_of_other_data_is_found_and_other_pixels_are_not(copies):
    store, reports = copies
    path = reports / store.study / "figures" / "leaderboard.png"
    from PIL import Image, PngImagePlugin

    with Image.open(path) as image:
        note = PngImagePlugin.PngInfo()
        note.add_text("study-data", image.info["study-data"])
        image.resize((90, 60)).save(path, pnginfo=note)
    assert check_report(store, reports) == []
    path.write_bytes(Picture("other", "", {"a": 1}, lambda: new_figure(1.0)).png())
    assert check_report(store, reports) == ["figures/leaderboard.png shows other data than the store holds."]


def test_missing_damaged_and_left_over_files_are_found(copies):
    store, reports = copies
    folder = reports / store.study
    (folder / "tables" / "cost.csv").unlink()
    (folder / "figures" / "learning-curves.png").unlink()
    (folder / "figures" / "factor-effects.png").write_bytes(b"no picture")
    (folder / "figures" / "old.png").write_bytes(b"")
    assert sorted(check_report(store, reports)) == [
        "figures/factor-effects.png shows other data than the store holds.",
        "figures/learning-curves.png is missing.",
        "figures/old.png is left over.",
        "tables/cost.csv is missing.",
    ]


def test_the_verb_writes_then_checks_then_fails_after_a_new_record(tmp_path):
    from study.core.store import Store

    store = Store(tmp_path / "results", "small")
    store.keep(make_record())
    where = ["small", "--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")]
    run = CliRunner().invoke
    assert run(app, [*where, "--check"]).exit_code == 1
    written = run(app, where)
    assert written.exit_code == 0, written.output
    assert str(tmp_path / "reports" / "small" / "README.md") in written.output
    assert run(app, [*where, "--check"]).exit_code == 0
    store.keep(make_record(protocol="augment"))
    assert run(app, [*where, "--check"]).exit_code == 1


def test_the_margin_is_kept_until_another_is_given(tmp_path):
    from study.core.store import Store

    store = Store(tmp_path / "results", "small")
    store.keep(make_record())
    where = ["small", "--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")]
    run = CliRunner().invoke
    assert run(app, [*where, "--margin", "1.5"]).exit_code == 0
    assert "--margin 1.5\n" in (tmp_path / "reports" / "small" / "README.md").read_text()
    assert run(app, [*where, "--check"]).exit_code == 0
    assert run(app, [*where, "--check", "--margin", "2"]).exit_code == 1
    assert run(app, where).exit_code == 0
    assert run(app, [*where, "--check", "--margin", "1.5"]).exit_code == 0


def test_an_unknown_study_names_close_ones(store):
    from study.core.errors import UsageError

    with pytest.raises(UsageError, match="Did you mean fake"):
        CliRunner().invoke(app, ["fakee", "--results", str(store.results)], catch_exceptions=False)
