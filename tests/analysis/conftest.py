"""Scored runs of a fake study."""

import pytest

from study.analysis.recipes import name_records
from study.analysis.runs import scored_runs
from tests.factories import make_store


@pytest.fixture(scope="package")
def scored(tmp_path_factory):
    """The runs and the naming of a fake study with two seeds and every flaw."""
    store = make_store(tmp_path_factory.mktemp("scored"), seeds=(0, 1))
    records = store.records()
    return scored_runs(store, records), name_records(records)
