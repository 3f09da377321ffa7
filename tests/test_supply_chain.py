"""What is installed is pinned, checked by hash, and listed with its licence."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from docs.make_licences import licence, locked

ROOT = Path(__file__).parents[1]
LOCKS = ["requirements.txt", "requirements-dev.txt"]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def asked_for(extra: str | None) -> set[str]:
    """Return the packages that pyproject.toml asks for, by themselves or with an extra that may name others."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    names: set[str] = set()
    for line in lines:
        own, _, extras = line.rstrip("]").partition("[")
        if own == project["name"]:
            names = names.union(*(asked_for(one) for one in extras.split(",")))
        else:
            names.add(canonical(re.match(r"[\w.-]+", own).group()))
    return names


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = [one for one in re.split(r"\n(?=\S)", text) if not one.startswith("#")]
    assert len(entries) == len(locked(name)) > 50
    for entry in entries:
        assert re.fullmatch(r"[\w.-]+==\S+( ; .+?)? \\(\n    --hash=sha256:[0-9a-f]{64}( \\)?)+\n?", entry), entry
    assert "://" not in text


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_files_have_the_versions_of_the_constraints(name: str) -> None:
    pins = re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    versions = {canonical(package): pin for package, pin in pins}
    other_systems = {"appnope", "colorama"}
    ours = {package: pin for package, pin in locked(name).items() if package not in other_systems}
    assert ours == {package: versions.get(package) for package in ours}, "run make lock"


def test_the_lock_files_hold_what_the_project_asks_for() -> None:
    assert asked_for(None) <= set(locked("requirements.txt"))
    assert asked_for("dev") <= set(locked("requirements-dev.txt"))
    assert locked("requirements.txt").items() <= locked("requirements-dev.txt").items()


def test_every_package_is_listed_with_its_licence() -> None:
    rows = re.findall(
        r"^\| ([\w.-]+) \| (\S+) \| (checks)? ?\| (.+) \|$",
        (ROOT / "docs" / "licences.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert {package: pin for package, pin, _, _ in rows} == locked("requirements-dev.txt"), (
        "run python -m docs.make_licences"
    )
    assert {package for package, _, checks, _ in rows if not checks} == set(locked("requirements.txt"))
    for package, pin, _, words in rows:
        assert words.strip(), f"{package} has no licence"
        try:
            installed = version(package)
        except PackageNotFoundError:
            continue
        if installed == pin:
            assert words == licence(package), "run python -m docs.make_licences"
