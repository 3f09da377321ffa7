"""The command line: every verb is known by name and imported when it is called."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from study import __version__
from study.cli import VERBS

ROOT = Path(__file__).parents[2]


def study(*words: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", "study", *words]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_help_lists_every_verb_with_its_line() -> None:
    done = study("--help")
    text = " ".join(done.stdout.replace("│", " ").split())
    assert done.returncode == 0
    assert [line for verb, (_, line) in VERBS.items() if f"{verb} {line}" not in text] == []


def test_help_imports_no_verb() -> None:
    code = (
        "import sys, study.__main__ as main\n"
        "try: main.main()\n"
        "except SystemExit: pass\n"
        "found = sorted(name for name in sys.modules if name.startswith(('study.cli.', 'numpy')))\n"
        "print([name for name in found if name != 'study.cli.app'])"
    )
    done = subprocess.run([sys.executable, "-c", code, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_a_module_with_an_app(verb: str) -> None:
    module = VERBS[verb][0]
    assert importlib.util.find_spec(module) is not None
    import typer

    assert isinstance(importlib.import_module(module).app, typer.Typer)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_one_to_three_examples_that_call_it_with_flags_it_takes(verb: str) -> None:
    import typer.main

    command = typer.main.get_command(importlib.import_module(VERBS[verb][0]).app)
    commands = getattr(command, "commands", {verb: command})
    for name, one in commands.items():
        head, *calls = [line for line in (one.epilog or "").splitlines() if line]
        assert head == "Examples:" and 1 <= len(calls) <= 3
        taken = {flag for option in one.params for flag in option.opts}
        for call in calls:
            words = shlex.split(call, comments=True)
            start = words.index("study")  # a pipe may come before
            assert words[start + 1] == verb and name in words[start:] and len(call) <= 78
            assert {word for word in words[start:] if word.startswith("--")} <= taken


def test_version() -> None:
    assert study("--version").stdout == f"study {__version__}\n"


def test_an_unknown_verb_is_wrong_usage() -> None:
    done = study("rum")
    assert done.returncode == 2 and "rum" in done.stderr


def test_an_error_is_one_line_and_exit_code_2() -> None:
    done = study("run", "--grid", "al", "--dry-run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "study: unknown grid 'al'. Did you mean all?\n"


def test_the_list_shows_names_of_every_kind() -> None:
    done = study("list", "--plugin", "experiments/plugin_example.py")
    assert done.returncode == 0
    assert [name for name in ("cnn5", "tiny", "augment", "smoke", "tonight") if name not in done.stdout] == []
