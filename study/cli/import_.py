"""``study import FILE --name PEER --study S``: set somebody else's predictions beside a study's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from study.cli.app import examples, option
from study.cli.options import ResultsOption, StudyOption

IMPORT = "study import predictions.csv --name peer --study fer2013"
app = typer.Typer(add_completion=False)


@app.command("import", epilog=examples(IMPORT, "study import images.csv --study fer2013 --template  # which images"))
def import_(
    file: Annotated[Path, Argument(metavar="CSV", help="One row an image: image or row; label or probabilities.")],
    study: StudyOption = None,
    name: Annotated[str, option("PEER", "What they are called in the report.")] = "",
    seed: Annotated[int, Option(min=0, help="Number of the training run behind them.")] = 0,
    results: ResultsOption = Path("results"),
    template: Annotated[
        bool, Option("--template", help="Write CSV instead: every image to predict, its label left open.")
    ] = False,
) -> None:
    """Make a record of predictions that were made elsewhere: ranked and tested like any other, and marked as imported.

    Test images have to be there, all of them. With the validation images too the record is ranked, without them shown.
    """
    from study.core.errors import UsageError
    from study.core.store import find_study
    from study.execution.import_predictions import import_predictions, write_template
    from study.models.entry import MODELS

    store = find_study(results, study)
    if template:
        count = write_template(file, store)
        typer.echo(f"{file} names {count:,} images. Fill in label, or put one column for each class in its place.")
        return
    if not name:
        raise UsageError("imported predictions need a name: give --name PEER.")
    if name in MODELS.names():
        raise UsageError(f"{name!r} is the name of a model of this package: give another --name.")
    record = import_predictions(file, name, store, seed, log=typer.echo)
    splits = record.imported.splits if record.imported else ()
    kind = "probabilities" if record.has_probabilities else "labels, so that what needs probabilities stays blank"
    images = sum(len(record.arrays[f"{split}_labels"]) for split in splits)
    typer.echo(f"Imported {record.key}: {images:,} images, {kind}.")
    if "validation" not in splits:
        typer.echo("Without predictions on the validation split it is shown but not ranked.")
    typer.echo(f"See it beside the others: study report {store.study}")
