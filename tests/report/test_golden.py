"""The golden report: same records, same Markdown and CSV, byte for byte."""

import pytest

from study.core.store import Store
from study.report.build import build_report
from tests.golden.make_golden import HERE, STUDY

REMAKE = "if the change is wanted, run `python -m tests.golden.make_golden --report` and read the difference"


@pytest.fixture(scope="module")
def report():
    return build_report(Store(HERE / "results", STUDY))


def test_the_page_is_the_golden_one(report):
    assert report.markdown == (HERE / "report" / "README.md").read_bytes().decode(), REMAKE


def test_the_tables_are_the_golden_ones(report):
    folder = HERE / "report" / "tables"
    golden = {path.relative_to(folder).as_posix(): path.read_bytes().decode() for path in folder.rglob("*.csv")}
    assert report.tables == golden, REMAKE


def test_the_report_is_built_the_same_twice(report):
    again = build_report(Store(HERE / "results", STUDY))
    assert again.markdown == report.markdown
    assert {name: one.data_hash for name, one in again.pictures.items()} == {
        name: one.data_hash for name, one in report.pictures.items()
    }
