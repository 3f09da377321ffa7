"""Kaggle's datasets, with a kagglehub that the test makes: no network."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from study.core.errors import DataError
from study.datasets.load import load
from tests.datasets.sources import write_fer2013_folders


def pretend(monkeypatch: pytest.MonkeyPatch, answer: Path | Exception) -> list[str]:
    """Put a kagglehub in place that gives a folder or fails; return what it is asked for."""
    asked: list[str] = []

    def dataset_download(handle: str) -> str:
        asked.append(handle)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    module = ModuleType("kagglehub")
    module.dataset_download = dataset_download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kagglehub", module)
    return asked


def failing(name: str, status: int | None = None, base: type[Exception] = Exception) -> Exception:
    error = type(name, (base,), {})("a message\nwith a second line")
    if status is not None:
        error.response = SimpleNamespace(status_code=status)  # type: ignore[attr-defined]
    return error


def test_a_dataset_is_read_from_where_kagglehub_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    asked = pretend(monkeypatch, write_fer2013_folders(tmp_path / "versions" / "1"))
    lines: list[str] = []
    data = load("kaggle:msambare/fer2013", log=lines.append)
    assert data.name == "fer2013-part" and len(data) == 42
    assert asked == ["msambare/fer2013"] and lines[0] == "Dataset: kaggle:msambare/fer2013 (as given)"


def test_without_kagglehub_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(
        DataError, match=r"needs the package kagglehub, .* pip install 'facial-emotion-study\[kaggle\]'"
    ):
        load("kaggle:msambare/fer2013")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (failing("ConnectionError", base=OSError), "Kaggle cannot be reached. Check the network."),
        (failing("ProxyError", base=OSError), "Kaggle cannot be reached"),
        (failing("KaggleApiHTTPError", 403), "Kaggle refuses without an account"),
        (failing("UnauthenticatedError"), "Kaggle refuses without an account"),
        (failing("KaggleApiHTTPError", 404), "Kaggle knows no such dataset"),
        (failing("KaggleApiHTTPError", 500), "Kaggle answered with status 500"),
        (failing("DataCorruptionError"), "found: a message."),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception, words: str) -> None:
    pretend(monkeypatch, error)
    with pytest.raises(DataError, match=words) as caught:
        load("kaggle:msambare/fer2013")
    assert "\n" not in str(caught.value) and "download it in a browser" in str(caught.value)


@pytest.mark.parametrize("handle", ["", "fer2013", "a/b/c", "../x/y", "a b/c"])
def test_names_that_are_none_are_refused_before_asking(monkeypatch: pytest.MonkeyPatch, handle: str) -> None:
    asked = pretend(monkeypatch, failing("Never"))
    with pytest.raises(DataError, match="expected kaggle:owner/name"):
        load(f"kaggle:{handle}")
    assert asked == []
