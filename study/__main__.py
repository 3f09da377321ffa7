"""The command line `study VERB`, also `python -m study VERB`: each verb is imported when it is called."""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from study import __version__
from study.cli import GROUPS, VERBS
from study.cli.app import run_app
from study.core.errors import unknown_name


class LazyGroup(typer.core.TyperGroup):
    """The group of all verbs: help and completion know them by name, and only the one that is called is imported."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the verbs in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a stand-in with the verb's line of help, or None."""
        if cmd_name not in VERBS:
            return None
        group = next(title for title, verbs in GROUPS.items() if cmd_name in verbs)
        return typer.core.TyperCommand(cmd_name, help=VERBS[cmd_name][1], rich_help_panel=group)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the verb that is called: the real one.

        Raises:
            UsageError: there is none of that name.
        """
        name, *rest = args
        if name not in VERBS:
            raise unknown_name("verb", name, self.list_commands(ctx))
        return name, typer.main.get_command(importlib.import_module(VERBS[name][0]).app), rest


app = typer.Typer(cls=LazyGroup, no_args_is_help=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"study {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Compare networks for facial emotions: train every model under the same protocols, read one report."""


def main() -> None:
    """Run the command line."""
    run_app(app, "study")


if __name__ == "__main__":
    main()
