"""The verb convert: records that an older version wrote, rewritten in today's form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument

from study.cli.app import examples, option

app = typer.Typer(add_completion=False)


@app.command(epilog=examples("study convert fer2013", "study convert --results /data/results"))
def convert(
    study: Annotated[str | None, Argument(help="Name of the study; all studies without it.")] = None,
    results: Annotated[Path, option("FOLDER", "Results folder.")] = Path("results"),
) -> None:
    """Rewrite records of an older format in place, with their predictions and weights; the report is not written."""
    from study.core.convert import convert_study
    from study.core.store import find_study, studies

    for name in [study] if study else studies(results):
        print(f"{name}: {convert_study(find_study(results, name))} records converted")
