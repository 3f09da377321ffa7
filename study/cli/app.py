"""Running a command line: an error that a person can act on is one line and exit code 2, never a traceback."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from study.core.errors import StudyError

#: Characters of a message; files from strangers can hold values of any length.
MOST_SHOWN = 2000
#: Libraries of the system that opencv-python loads; slim images lack them.
OPENCV_LIBRARIES = ("libGL.", "libgthread-2.0.", "libglib-2.0.")


def examples(*calls: str) -> str:
    """Return the epilog of a verb's help: one to three calls, each as it would be typed, up to 78 characters long."""
    return "\n\n".join(("Examples:", "\n".join(calls)))


def run_app(app: typer.Typer | typer.core.TyperGroup, name: str | None = None) -> None:
    """Run a Typer application, or a command made from one, with the words of the command line; it ends the process."""
    command = typer.main.get_command(app) if isinstance(app, typer.Typer) else app
    try:
        command(prog_name=name)
    except StudyError as error:
        _leave(str(error))
    except ImportError as error:
        if not any(library in str(error) for library in OPENCV_LIBRARIES):
            raise
        _leave(
            f"OpenCV needs a library that this system lacks ({error}). "
            "On Debian and Ubuntu: apt-get install libgl1 libglib2.0-0."
        )


def one_line(message: str) -> str:
    """Return a message as one line of at most 2,000 characters; what could steer a terminal is written as its code."""
    text = " ".join(message.split())
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:MOST_SHOWN])
    return shown if len(text) <= MOST_SHOWN else f"{shown} ..."


def _leave(message: str) -> NoReturn:
    print(f"study: {one_line(message)}", file=sys.stderr)
    sys.exit(2)
