"""``study evaluate``: what a stored run scores on another dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.cli.app import examples
from study.cli.options import PluginOption, ReportsOption, ResultsOption, RunOption, StudyOption, chosen_run

app = typer.Typer(add_completion=False)
SPLITS = ("all", "train", "validation", "test")


@app.command(
    epilog=examples(
        "study evaluate --data faces/",
        "study evaluate --data rafdb/ --split test --run cnn3-baseline-seed_0",
        'study evaluate --data faces/ --map classes.toml  # happiness = "happy"',
    )
)
def evaluate(
    data: Annotated[str, typer.Option(metavar="PATH", help="File or folder, as study run takes it, or synthetic.")],
    run: RunOption = None,
    map_: Annotated[
        Path | None,
        typer.Option("--map", metavar="FILE", help="TOML or CSV: the run's class for each of the dataset's."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="all, train, validation or test. Default: all; test for the run's own dataset."
        ),
    ] = None,
    study: StudyOption = None,
    results: ResultsOption = Path("results"),
    reports: ReportsOption = Path("reports"),
    plugin: PluginOption = None,
) -> None:
    """Score a stored run on another dataset: the same metrics as in its own report, and nothing of it is changed.

    Classes go by name, with common synonyms; those without a counterpart are reported and left out.
    """
    from study.core.errors import unknown_name
    from study.datasets.load import load
    from study.trained.class_map import read_map
    from study.trained.evaluation import evaluate as score
    from study.trained.evaluation import write_evaluation
    from study.trained.foreign import prepare
    from study.trained.runtime import open_runtime

    if split is not None and split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    table = read_map(map_) if map_ else None
    store, record = chosen_run(results, study, run, plugin)
    typer.echo(f"Run: {record.key} of study {store.study}")
    image_set = load(data, log=typer.echo)
    foreign = prepare(store, record, image_set, table, split)
    for name, count in foreign.left_out.items():
        typer.echo(
            f"Left out: {count:,} images of class {name}, which the run does not know (--map FILE can say otherwise)"
        )
    runtime = open_runtime(store, record)
    if runtime.notice:
        typer.echo(runtime.notice)
    found = score(store, record, image_set, foreign, runtime.probabilities(foreign.images))
    page = write_evaluation(found, store, reports, runtime.kind)
    accuracy, home = found.here.score("accuracy"), found.home.score("accuracy")
    typer.echo(
        f"Accuracy on {len(foreign.labels):,} images: {100 * accuracy.value:.1f} % "
        f"({100 * accuracy.low:.1f} to {100 * accuracy.high:.1f}); on its own test split {100 * home.value:.1f} %"
    )
    if foreign.seen is not None and foreign.seen.any() and not foreign.own:
        typer.echo(f"Met in training or validation: {foreign.seen.sum():,} of these images, see the page.")
    typer.echo(f"Evaluation: {page}")
