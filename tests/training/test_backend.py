"""The backend: refused before anything is trained where this package does not train on it or it is not installed."""

from __future__ import annotations

import pytest

from study.core.errors import UsageError
from study.training import backend


@pytest.mark.parametrize(("named", "said"), [("torch", "one of tensorflow, jax"), ("missing", "not installed")])
def test_a_backend_that_cannot_train_is_refused(monkeypatch: pytest.MonkeyPatch, named: str, said: str) -> None:
    if named == "missing":
        monkeypatch.setattr(backend, "BACKENDS", ("tensorflow", "missing"))
    monkeypatch.setenv("KERAS_BACKEND", named)
    with pytest.raises(UsageError, match=said):
        backend.require_backend()
