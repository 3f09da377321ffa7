"""The index of all reports names each committed study with its best recipe, and is found to be stale when it is."""

import csv
import os
from pathlib import Path

import pytest

from study.report.index import index_page, main


@pytest.fixture
def folder(store, page, tmp_path, monkeypatch):
    """A folder with a study's report and records, and an audit, as they lie in the repository."""
    reports, results = tmp_path / "reports" / "published", tmp_path / "results"
    (reports / "faces-audit").mkdir(parents=True)
    results.mkdir()
    os.symlink(page.parent, reports / store.study)
    os.symlink(store.results, results / "published")
    (reports / "faces-audit" / "README.md").write_text("# Audit of faces\n\nWords.\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pages(folder):
    return [path.relative_to(folder).as_posix() for path in sorted(folder.glob("reports/published/*/README.md"))]


def test_a_study_is_named_with_the_recipe_that_its_leaderboard_ranks_first(folder, store):
    with Path("reports", "published", store.study, "tables", "leaderboard.csv").open() as file:
        best = next(row for row in csv.DictReader(file) if row["rank"] == "1")
    text = index_page(map(Path, pages(folder)), Path("results"))
    (row,) = (line for line in text.splitlines() if f"[{store.study}](published/{store.study}/README.md)" in line)
    assert f"| {best['model']} / {best['protocol']} |" in row
    assert f"{100 * float(best['test_accuracy']):.1f} % ({100 * float(best['test_accuracy_low']):.1f} to" in row
    assert max(record.provenance.started for record in store.records())[:10] in row


def test_pages_that_are_no_studies_are_listed_below(folder):
    assert "- [faces-audit](published/faces-audit/README.md): Audit of faces" in index_page(
        map(Path, pages(folder)), Path("results")
    )


def test_a_stale_index_is_found(folder, capsys):
    assert main(pages(folder)) == 0
    assert main(["--check", *pages(folder)]) == 0
    assert main(["--check", *pages(folder)[1:]]) == 1
    assert "make report-index" in capsys.readouterr().out
