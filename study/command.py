"""Running a command line: an error that a person can act on is one line and exit code 2, never a traceback."""

from __future__ import annotations

import sys

import typer

from study.errors import StudyError


def run_app(app: typer.Typer | typer.core.TyperGroup, name: str | None = None) -> None:
    """Run a Typer application, or a command made from one, with the words of the command line; it ends the process."""
    command = typer.main.get_command(app) if isinstance(app, typer.Typer) else app
    try:
        command(prog_name=name)
    except StudyError as error:
        print(f"study: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
