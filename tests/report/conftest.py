"""Fake studies and their reports, made once."""

import pytest

from study.report.write import write_report
from tests.factories import make_store


@pytest.fixture(scope="package")
def store(tmp_path_factory):
    """A fake study of five models and four protocols with every flaw."""
    return make_store(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="package")
def page(store, tmp_path_factory):
    """The path of its written report."""
    return write_report(store, tmp_path_factory.mktemp("reports"))
