"""``study evaluate``: what a stored run scores on other datasets, on corrupted images and on subgroups."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from study.cli.app import examples, option
from study.cli.options import PluginOption, ReportsOption, ResultsOption, RunOption, StudyOption, chosen_run

if TYPE_CHECKING:
    from study.core.record import Record
    from study.datasets.image_set import ImageSet

app = typer.Typer(add_completion=False)
SPLITS = ("all", "train", "validation", "test")


@app.command(
    epilog=examples(
        "study evaluate --data rafdb/ --split test --run cnn3-baseline-seed_0",
        'study evaluate --data faces/ --map classes.toml  # happiness = "happy"',
        "study evaluate --corruptions --data fer2013.csv --data ckplus/",
    )
)
def evaluate(
    data: Annotated[
        list[str] | None,
        option("PATH", "File or folder, as study run takes it; may be repeated. Default: the run's own dataset."),
    ] = None,
    corruptions: Annotated[
        bool, Option("--corruptions", help="Score ten corruptions of the run's own test split at five severities.")
    ] = False,
    slices: Annotated[
        Path | None, option("FILE", "Score subgroups: a CSV with a column image and columns of groups.")
    ] = None,
    run: RunOption = None,
    map_: Annotated[
        Path | None, option("FILE", "TOML or CSV: the run's class for each of the dataset's.", "--map")
    ] = None,
    split: Annotated[
        str | None, option("NAME", "all, train, validation or test. Default: all; test for the run's own dataset.")
    ] = None,
    study: StudyOption = None,
    results: ResultsOption = Path("results"),
    reports: ReportsOption = Path("reports"),
    plugin: PluginOption = None,
) -> None:
    """Score a stored run on other datasets: the same metrics as in its own report, and no record is changed.

    Classes go by name, with common synonyms; those without a counterpart are reported and left out. The study's next
    report shows the results beside the run's own.
    """
    from study.analysis.evaluations import keep_evaluations
    from study.core.errors import unknown_name
    from study.trained.evaluation import elsewhere, write_evaluation, write_robustness
    from study.trained.evaluation import evaluate as score
    from study.trained.images import prepare, read_map
    from study.trained.release import open_network
    from study.trained.slices import read_slices

    if split is not None and split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    table = read_map(map_) if map_ else None
    groups = read_slices(slices) if slices else None
    store, record = chosen_run(results, study, run, plugin)
    typer.echo(f"Run: {record.key} of study {store.study}")
    sets = _image_sets(record, data, corruptions)
    runtime = open_network(store, record)
    if runtime.notice:
        typer.echo(runtime.notice)
    for image_set in sets:
        foreign = prepare(store, record, image_set, table, split)
        if foreign.own and corruptions and not groups and split is None:
            continue  # its page is that of the corruptions
        for name, count in foreign.left_out.items():
            typer.echo(f"Left out: {count:,} images of class {name}, which the run does not know (or give --map FILE)")
        found = score(store, record, image_set, foreign, runtime.probabilities(foreign.images), groups)
        page = write_evaluation(found, store, reports, runtime.kind)
        keep_evaluations(store, record, elsewhere=elsewhere(found))
        accuracy, home = found.here.score("accuracy"), found.home.score("accuracy")
        typer.echo(
            f"Accuracy on {len(foreign.labels):,} images of {image_set.name}: {100 * accuracy.value:.1f} % "
            f"({100 * accuracy.low:.1f} to {100 * accuracy.high:.1f}); on its own test split {100 * home.value:.1f} %"
        )
        if foreign.seen is not None and foreign.seen.any() and not foreign.own:
            typer.echo(f"Met in training or validation: {foreign.seen.sum():,} of these images, see the page.")
        for (column, value), one in found.groups.items():
            typer.echo(f"  {column} = {value}: {100 * one.score('accuracy').value:.1f} % of {len(one.run.correct):,}")
        typer.echo(f"Evaluation: {page}")
    if corruptions:
        from study.trained.corruptions import measure_robustness

        own = next(one for one in sets if one.fingerprint == record.dataset.fingerprint)
        foreign = prepare(store, record, own, None, "test")
        typer.echo(f"Corrupting the {len(foreign.labels):,} test images of {own.name}:")
        robust = measure_robustness(runtime.probabilities, foreign.images, foreign.labels, foreign.hashes, typer.echo)
        everything = keep_evaluations(store, record, robustness=robust)
        mean, low, high = (100 * one for one in robust.mean)
        typer.echo(
            f"Mean corruption error: {mean:.1f} % ({low:.1f} to {high:.1f}); clean {100 * robust.clean[0]:.1f} %"
        )
        typer.echo(f"Evaluation: {write_robustness(everything, store, record, reports, runtime.kind)}")


def _image_sets(record: Record, data: list[str] | None, corruptions: bool) -> list[ImageSet]:
    """Return the datasets that are meant; the run's own is among them where it is needed."""
    from study.core.errors import DataError
    from study.datasets.load import load
    from study.trained.images import study_images

    sets = [load(one, log=typer.echo) for one in data or ()]
    fingerprint = record.dataset.fingerprint
    if not sets or (corruptions and all(one.fingerprint != fingerprint for one in sets)):
        own = study_images(record, None, typer.echo)
        if own is None:
            raise DataError(
                f"{record.dataset.name} ({fingerprint[:12]}), the dataset of {record.key}, is needed and not in data/: "
                "give it with --data PATH."
            )
        sets.insert(0, own)
    return sets
