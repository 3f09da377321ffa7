"""What evaluate found about a run is kept beside its record and belongs to that record alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.analysis.evaluations import Elsewhere, Robustness, all_evaluations, find_evaluations, keep_evaluations
from study.core.errors import DamagedError
from study.core.store import Store
from study.report.build import build_report
from tests.changed import replace
from tests.factories import make_record

ROBUST = Robustness(
    images=250, clean=(0.4, 0.3, 0.5), mean=(0.61, 0.5, 0.7), errors={"blur": (0.1, 0.2, 0.3, 0.4, 0.5)}
)
CKPLUS = Elsewhere(images=900, accuracy=(0.812, 0.7, 0.9), balanced_accuracy=(0.6, 0.5, 0.7))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "s")


def test_what_was_found_adds_up(store: Store) -> None:
    record = store.keep(make_record("cnn3"))
    keep_evaluations(store, record, elsewhere={"rafdb, test": CKPLUS})
    keep_evaluations(store, record, robustness=ROBUST)
    keep_evaluations(store, record, elsewhere={"ckplus, all": CKPLUS})
    found = find_evaluations(store, record)
    assert found.robustness == ROBUST and set(found.elsewhere) == {"rafdb, test", "ckplus, all"}
    assert [one.key for one in store.records()] == [record.key], "the file is not taken for a record"


def test_what_belongs_to_a_replaced_record_is_not_shown(store: Store) -> None:
    record = store.keep(make_record("cnn3"))
    keep_evaluations(store, record, robustness=ROBUST)
    other = replace(record, predictions_sha256="0" * 64)
    assert all_evaluations(store, [record]) and not all_evaluations(store, [other])


def test_a_damaged_file_is_named(store: Store) -> None:
    record = store.keep(make_record("cnn3"))
    keep_evaluations(store, record, robustness=ROBUST)
    (path,) = (store.folder / "evaluations").iterdir()
    path.write_bytes(path.read_bytes().replace(b'"blur": [', b'"blur": ["a", '))
    with pytest.raises(DamagedError, match="evaluations"):
        find_evaluations(store, record)


def test_the_report_shows_it(store: Store) -> None:
    record = store.keep(make_record("cnn3"))
    assert "## Robustness" not in build_report(store).markdown
    keep_evaluations(store, record, robustness=ROBUST, elsewhere={"ckplus, all": CKPLUS})
    report = build_report(store)
    page = report.markdown.partition("## Robustness")[2].partition("\n## ")[0]
    assert "mean corruption error" in page
    row = next(line for line in page.splitlines() if "| corrupted test split |" in line)
    assert row.startswith("| cnn3 ") and "| baseline " in row and "| 61.0 (" in row and record.key not in page
    assert "| ckplus, all" in page and "| 18.8 (" in page, "an error, as in the rows above"
    assert report.tables["corruptions.csv"].splitlines()[1] == f"{record.key},blur,0.3,0.1,0.2,0.3,0.4,0.5"
