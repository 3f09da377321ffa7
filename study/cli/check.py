"""study check: run the contract suite on a model entry, such as one of your own."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Argument, Option

from study.cli.app import examples
from study.core.errors import UsageError

app = typer.Typer()


@app.command(epilog=examples("study check cnn3", "study check tiny --plugin experiments/plugin_example.py"))
def check(
    names: Annotated[list[str], Argument(help="Model entries to check.")],
    plugin: Annotated[
        list[str] | None, Option(help="Python file that registers models, run as code; may be repeated.")
    ] = None,
) -> None:
    """Check that a model entry keeps the contract that the study relies on."""
    from study.core.registry import load_plugins
    from study.models.entry import MODELS
    from study.training.backend import chosen_backend, prepare_backend
    from study.training.banners import without_banners

    load_plugins(plugin)
    entries = [MODELS.get(name) for name in names]
    failed = 0
    with without_banners():
        prepare_backend(chosen_backend())
        from study.training.contract import CHECKS, Bench

        for entry in entries:
            bench = Bench(entry)
            for run in CHECKS:
                promise = (run.__doc__ or run.__name__).strip()
                try:
                    run(bench)
                except Exception as error:  # whatever a builder raises is a broken promise
                    failed += 1
                    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
                    typer.echo(f"FAIL {entry.name}: {promise}\n     {type(error).__name__}: {line}")
                else:
                    typer.echo(f"ok   {entry.name}: {promise}")
    if failed:
        raise UsageError(f"{failed} of {len(entries) * len(CHECKS)} checks failed: mend the entry and check again.")
    typer.echo(f"All {len(entries) * len(CHECKS)} checks passed.")
