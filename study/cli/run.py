"""The verb run, also `python -m study.run`: plan, execute what is missing, write the report; ``driver`` does it."""

import inspect
import signal
from types import FrameType
from typing import Any

import typer

from study.cli.app import examples
from study.cli.run_options import Flags

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples(
        "study run --grid smoke",
        "study run --grid all --data fer2013.csv --budget tonight",
        "study run --models cnn3,cnn5 --protocols baseline,augment --seeds 3",
    )
)
def main(**given: Any) -> None:
    """Train what is missing of a grid and write the report; the same command again goes on where it stopped."""
    ended_by = [signal.SIGINT]

    def terminate(number: int, frame: FrameType | None) -> None:
        ended_by.append(signal.SIGTERM)
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        from study.cli.driver import run

        code = run(Flags(**given))
    except KeyboardInterrupt:
        code = 128 + ended_by[-1]
    finally:
        signal.signal(signal.SIGTERM, previous)
    raise typer.Exit(code)


main.__signature__ = inspect.signature(Flags)  # type: ignore[attr-defined]  # the command takes what Flags holds
