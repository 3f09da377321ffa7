"""Write docs/flags.md from the help of every command: ``python -m docs.make_flags``."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from study.cli import VERBS

HEAD = """# Flags

Every command with its arguments and flags, written by `python -m docs.make_flags` from the commands' own help.
`study COMMAND --help` shows the same, with examples.
"""
HIDDEN = {"--help", "--install-completion", "--show-completion"}


def flags_page() -> str:
    """Return the page: a section for each command, in the order of ``study --help``."""
    parts = [HEAD]
    for verb, (module, _) in VERBS.items():
        command = typer.main.get_command(importlib.import_module(module).app)
        commands = {f"study {verb} {name}": one for name, one in getattr(command, "commands", {}).items()}
        for name, one in (commands or {f"study {verb}": command}).items():
            parts += _section(name, one)
    return "\n".join(parts)


def _section(name: str, command: Any) -> Iterator[str]:
    yield f"## {name}\n\n{_text(command.help)}\n"
    rows = [_row(one) for one in command.params if one.opts[-1] not in HIDDEN and not getattr(one, "hidden", False)]
    if rows:
        yield "\n".join(["| flag | default | meaning |", "|---|---|---|", *rows, ""])


def _row(one: Any) -> str:
    if one.param_type_name == "argument":
        flag = one.metavar or one.name.upper()
    elif one.is_flag:
        flag = "`, `".join((one.opts[-1], *one.secondary_opts))
    else:
        flag = f"{one.opts[-1]} {one.metavar or one.name.upper()}"
    default = "" if one.default in (None, False, "") else "on" if one.default is True else f"`{one.default}`"
    return f"| `{_text(flag)}` | {'required' if one.required else default} | {_text(one.help)} |"


def _text(words: str | None) -> str:
    """Return one line that a Markdown table can hold."""
    text = " ".join((words or "").split()).replace("<", "&lt;")
    return re.sub(r"([|*])", r"\\\1", text)


if __name__ == "__main__":
    Path(__file__).with_name("flags.md").write_text(flags_page(), encoding="utf-8")
