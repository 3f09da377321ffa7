"""A fake study with every flaw, read once."""

import pytest

from study.web.overview import read_overview
from tests.factories import make_store


@pytest.fixture(scope="package")
def store(tmp_path_factory):
    """Three models under three protocols with a leaky run, a failed one and two that did not converge."""
    models, protocols = ("cnn2", "cnn3", "vgg16"), ("baseline", "oversample", "augment")
    return make_store(tmp_path_factory.mktemp("results"), models=models, protocols=protocols)


@pytest.fixture(scope="package")
def overview(store):
    """The study as the page has it."""
    return read_overview(store)
