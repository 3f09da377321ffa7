"""Running a command line: an error that a person can act on is one line and exit code 2, never a traceback."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, NoReturn, TextIO

import typer

from study.core.errors import StudyError
from study.core.files import output_error

#: Characters of a message; files from strangers can hold values of any length.
MOST_SHOWN = 2000
#: Libraries of the system that opencv-python loads; slim images lack them.
OPENCV_LIBRARIES = ("libGL.", "libgthread-2.0.", "libglib-2.0.")


def examples(*calls: str) -> str:
    """Return the epilog of a verb's help: one to three calls, each as it would be typed, up to 78 characters long."""
    return "\n\n".join(("Examples:", "\n".join(calls)))


def option(metavar: str, text: str, *names: str, **more: Any) -> Any:
    """Return an option that takes a value, called ``metavar`` in the help; ``more`` is what ``typer.Option`` takes."""
    return typer.Option(*names, metavar=metavar, help=text, **more)


def say(line: str) -> None:
    """Print a line at once, also into a file or a pipe."""
    print(line, flush=True)


def run_app(app: typer.Typer | typer.core.TyperGroup, name: str | None = None) -> None:
    """Run a Typer application, or a command made from one, with the words of the command line; it ends the process."""
    command = typer.main.get_command(app) if isinstance(app, typer.Typer) else app
    out = sys.stdout
    for stream in (out, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the console cannot show is written as its code
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            command(prog_name=name)
        finally:
            _flush(out)
    except StudyError as error:
        _leave(str(error))
    except OSError as error:
        _leave(os_error_line(error))
    except ImportError as error:
        if not any(library in str(error) for library in OPENCV_LIBRARIES):
            raise
        _leave(
            f"OpenCV needs a library that this system lacks ({error}). "
            "On Debian and Ubuntu: apt-get install libgl1 libglib2.0-0."
        )


def os_error_line(error: OSError) -> str:
    """Return what to say of a file or a folder that the system refuses, whoever tried."""
    if error.filename is None and error.errno in (errno.EPIPE, errno.ENOSPC):
        return str(output_error(error))
    what = error.strerror or str(error) or type(error).__name__
    place = os.fsdecode(error.filename or "what was given")
    act = {errno.ENAMETOOLONG: "Give a shorter name", errno.ENOSPC: "Free space or choose another folder"}
    return f"cannot use {place} ({what}). {act.get(error.errno or 0, 'Look at the path and its permissions')}."


def one_line(message: str) -> str:
    """Return a message as one line of at most 2,000 characters; what could steer a terminal is written as its code."""
    text = " ".join(message.split())
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:MOST_SHOWN])
    return shown if len(text) <= MOST_SHOWN else f"{shown} ..."


def _flush(out: TextIO) -> None:
    """Write what waits to be written; of a full disk or a closed pipe Typer would leave without a word."""
    try:
        if sys.stdout is not out:  # Typer has wrapped it
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        if out is not None:
            out.flush()
    except OSError as error:
        raise output_error(error) from error


def _leave(message: str) -> NoReturn:
    print(f"study: {one_line(message)}", file=sys.stderr)
    sys.exit(2)
