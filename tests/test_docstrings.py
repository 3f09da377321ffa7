"""The examples in docstrings are true: each module that has some is imported and its examples are run."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Found in the text, so that collecting imports nothing.
MODULES = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in sorted((ROOT / "study").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
#: Packages of extras that a plain installation lacks, by the module whose examples need them.
OPTIONAL: dict[str, tuple[str, ...]] = {}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_are_true(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for package in OPTIONAL.get(name, ()):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the examples need {package}")
    with contextlib.chdir(tmp_path):  # an example must not depend on where it runs
        failed, tried = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried and not failed, capsys.readouterr().out
