"""A fake study with every flaw, read once."""

import sys

import pytest

from study.report.collect import collect
from tests.factories import make_store


@pytest.fixture(autouse=True)
def main_module(monkeypatch):
    """Give ``__main__`` back: Streamlit puts the script that it tests in its place, and a spawned process runs that."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="package")
def store(tmp_path_factory):
    """Three models under three protocols with a leaky run, a failed one and two that did not converge."""
    models, protocols = ("cnn2", "cnn3", "vgg16"), ("baseline", "oversample", "augment")
    return make_store(tmp_path_factory.mktemp("results"), models=models, protocols=protocols)


@pytest.fixture(scope="package")
def data(store):
    """The study as the page has it."""
    return collect(store)
