"""``study web``: a study's results in a browser on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.cli.app import examples, option
from study.cli.options import DetectorOption, PluginOption, ReportsOption, ResultsOption, StudyArgument

app = typer.Typer(add_completion=False)


@app.command(epilog=examples("study web", "study web fer2013 --data fer2013.csv", "study web --port 8600"))
def web(
    study: StudyArgument = None,
    data: Annotated[
        str | None, option("PATH", "The study's dataset, to show images. Default: what is in data/, if it fits.")
    ] = None,
    port: Annotated[int, option("N", "Port of 127.0.0.1.", min=1, max=65535)] = 8501,
    detector: DetectorOption = None,
    results: ResultsOption = Path("results"),
    reports: ReportsOption = Path("reports"),
    plugin: PluginOption = None,
) -> None:
    """Show leaderboard, comparisons, runs and the dataset's audit in a browser, and try a network on a picture.

    STUDY is shown first; the page offers all of them. It reads what is stored and trains nothing.
    It answers on 127.0.0.1 alone. Ctrl-C ends it.
    """
    from study.core.errors import UsageError
    from study.core.store import find_study, newest_first, studies
    from study.web.launch import serve
    from study.web.settings import Settings

    found = [*newest_first(results), *studies(results)]
    if not found:
        raise UsageError(f"there is no study in {results}/: train one with `make study`, or give --results FOLDER.")
    first = find_study(results, study or found[0]).study
    words = (str(results), str(reports), first, data or "", str(detector or ""), tuple(plugin or ()))
    serve(Settings(*words), port)
