"""What every test runs under: quiet libraries, no screen, plain text of one width, own caches, and no network."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator

import pytest

# All of this is read when packages are imported, hence set here, before any test module is.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["MPLBACKEND"] = "Agg"

# Rich and Typer look at these for colour and width; CI services set some of them.
for name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TERMINAL_WIDTH"):
    os.environ.pop(name, None)
os.environ.update(NO_COLOR="1", TERM="dumb", COLUMNS="120")

# Weights and datasets that the user has cached must not change what a test sees.
_caches = tempfile.TemporaryDirectory(prefix="study-tests-")
os.environ.update(STUDY_CACHE=f"{_caches.name}/study", KERAS_HOME=f"{_caches.name}/keras")

#: The environment as it was, for the few tests that need the package index.
_ONLINE = dict(os.environ)
# A proxy that refuses makes every machine an offline one, for child processes too.
for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
    os.environ[name] = "http://127.0.0.1:9"
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1"


@pytest.fixture(scope="module", autouse=True)
def registered_models() -> Iterator[None]:
    """Give every module the models of the package alone; what one registers or loads as a plugin ends with it."""
    from study.models.entry import MODELS

    MODELS.names()
    entries, files, modules = dict(MODELS._entries), dict(MODELS._files), set(sys.modules)
    yield
    MODELS._entries, MODELS._files = entries, files
    for name in set(sys.modules) - modules:
        if name.startswith("study_plugin_"):
            del sys.modules[name]


@pytest.fixture
def online() -> dict[str, str]:
    """Return the environment for a child process that may use the network."""
    return dict(_ONLINE)
