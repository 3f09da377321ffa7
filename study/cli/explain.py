"""``study explain``: Grad-CAM pictures of a stored run, class by class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.cli.app import examples, option
from study.cli.options import PluginOption, ReportsOption, ResultsOption, RunOption, StudyOption, chosen_run

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples(
        "study explain", "study explain --run cnn3-baseline-seed_0 --data fer2013.csv", "study explain --data faces/"
    )
)
def explain(
    run: RunOption = None,
    data: Annotated[str | None, option("PATH", "The run's dataset or another. Default: as for the run.")] = None,
    study: StudyOption = None,
    results: ResultsOption = Path("results"),
    reports: ReportsOption = Path("reports"),
    plugin: PluginOption = None,
) -> None:
    """Draw where a run looked (Grad-CAM), a picture for each class with right and wrong answers.

    The run's own dataset is shown by its test split. The pictures hold images of the dataset and stay out of git.
    """
    from study.core.errors import UsageError
    from study.datasets.load import load
    from study.trained.explanation import write_panels
    from study.trained.gradcam import GradCam
    from study.trained.images import prepare, study_images
    from study.trained.runtime import notice_of, restore_network
    from study.trained.winner import weights_of
    from study.training.predict import Predictor

    store, record = chosen_run(results, study, run, plugin)
    weights_of(store, record)
    typer.echo(f"Run: {record.key} of study {store.study}")
    image_set = load(data, log=typer.echo) if data else study_images(record, None, typer.echo)
    if image_set is None:
        raise UsageError(f"the dataset of {record.key}, {record.dataset.name}, is not at hand: give --data PATH.")
    foreign = prepare(store, record, image_set)
    for name, count in foreign.left_out.items():
        typer.echo(f"Left out: {count:,} images of class {name}, which the run does not know")
    model = restore_network(store, record).model
    cam = GradCam(model)
    head = [f"{record.key} on {image_set.name}: Grad-CAM at {cam.place}"]
    if notice := notice_of(record):
        typer.echo(notice)
        head.append(notice)
    written = write_panels(
        cam,
        foreign,
        Predictor(model)(foreign.images),
        record.dataset.classes,
        reports / store.study / "local",
        f"gradcam-{record.key}" + ("" if foreign.own else f"-on-{image_set.name}"),
        head,
    )
    for path in written:
        typer.echo(f"  {path}")
