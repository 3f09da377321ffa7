"""The README tells the truth: its commands exist, its flags are known, its example is the file that is tested."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer.main

from study.cli import VERBS
from study.datasets.load import load
from study.models.entry import MODELS
from study.planning.grid import grid_names
from study.protocols.budgets import budget_names

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "experiments/README.md",
    "experiments/ray.md",
    "results/README.md",
    "reports/README.md",
    "reports/bench/README.md",
)


def blocks(language: str, text: str = README) -> list[str]:
    """Return the contents of the fenced code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def command_lines() -> list[list[str]]:
    """Return the README's shell commands as words, without comments."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def study_calls() -> list[list[str]]:
    """Return the words after `study`, `python -m study` or `python -m study.run` (as the verb run)."""
    calls = []
    for words in command_lines():
        if words[0] == "study":
            calls.append(words[1:])
        elif "-m" in words and words[words.index("-m") + 1] == "study.run":
            calls.append(["run", *words[words.index("-m") + 2 :]])
    return calls


def flags_of(verb: str) -> set[str]:
    """Return every flag that a verb or one of its own verbs takes."""
    command = typer.main.get_command(importlib.import_module(VERBS[verb][0]).app)
    commands = [command, *getattr(command, "commands", {}).values()]
    return {name for one in commands for option in one.params for name in option.opts if name.startswith("--")}


def test_the_first_screen_has_the_two_commands() -> None:
    screen = "\n".join(README.splitlines()[:40])
    assert "make study" in screen and "make test" in screen
    assert "libGL.so.1: cannot open shared object file" in screen


def test_every_make_target_exists() -> None:
    for words in command_lines():
        if words[0] == "make":
            subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True)


def test_the_pip_lines_do_what_make_does() -> None:
    lines = " \n".join(" ".join(words) for words in command_lines())
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for part in ("--constraint constraints.txt", "-m study.run --grid all --data synthetic --budget demo", "-m pytest"):
        assert part in lines and part in makefile


def test_every_call_names_a_verb_and_flags_that_it_takes() -> None:
    calls = study_calls()
    assert len(calls) >= 6
    for verb, *words in calls:
        assert verb in VERBS, f"the README calls study {verb}"
        unknown = {word.partition("=")[0] for word in words if word.startswith("--")} - flags_of(verb)
        assert not unknown, f"study {verb} does not take {unknown}"


def test_the_table_of_flags_is_complete() -> None:
    table = README[README.index("| flag of `study run`") : README.index("## Budgets")]
    named = set(re.findall(r"`(--[a-z-]+)", table)) | {"--data"}
    assert named == flags_of("run") - {"--help"}


def test_every_grid_and_budget_is_named() -> None:
    assert [name for name in (*grid_names(), *budget_names()) if f"`{name}`" not in README] == []


def test_the_settings_of_the_built_in_faces_are_taken() -> None:
    (settings,) = re.findall(r"`(synthetic:[^`]+)`", README)
    assert len(load(settings.replace("images=4000", "images=200"))) == 200


def test_the_examples_are_the_tested_files() -> None:
    files = ("plugin_body.py", "plugin_example.py")
    assert blocks("python") == [(ROOT / "experiments" / name).read_text(encoding="utf-8") for name in files]


def test_every_core_entry_is_in_the_table_of_models() -> None:
    core = [entry.name for entry in MODELS if "core" in entry.groups]
    assert [name for name in core if f"\n| {name} |" not in README] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_relative_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    assert [target for target in targets if not (ROOT / document).parent.joinpath(target).exists()] == []


def test_the_changelog_opens_with_what_is_unreleased() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## \[(.+?)\]", changelog, re.MULTILINE).group(1) == "Unreleased"


def test_the_badges_are_true() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "badge/python-3.11%20to%203.13" in README and project["requires-python"] == ">=3.11,<3.14"
    assert "badge/licence-MIT" in README and project["license"] == "MIT"
    keras, tensorflow = re.search(r"badge/keras-([\d.]+)%20on%20TensorFlow%20([\d.]+)-", README).groups()
    assert f"\nkeras=={keras}." in pins and f"\ntensorflow=={tensorflow}." in pins


def test_the_citation_names_this_version() -> None:
    from study import __version__

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation and "\nlicense: MIT\n" in citation


def test_a_report_of_real_data_is_on_the_first_screen() -> None:
    picture = re.search(r"!\[[^\]]+\]\((reports/[^)]+)\)", "\n".join(README.splitlines()[:16]))
    assert picture and (ROOT / picture[1]).is_file()
