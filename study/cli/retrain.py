"""``study retrain``: train a stored run again whose weights are not here, exactly as its spec says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.cli.app import examples, option
from study.cli.options import PluginOption, ResultsOption, RunOption, StudyOption, chosen_run
from study.core.errors import UsageError, WeightsError
from study.core.spec import RANDOM_FEATURES

if TYPE_CHECKING:
    from study.core.record import Record
    from study.core.store import Store
    from study.datasets.image_set import ImageSet

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples("study retrain --run cnn3-baseline-seed_0 --data fer2013.csv", "study retrain --study synthetic")
)
def retrain(
    run: RunOption = None,
    data: Annotated[str | None, option("PATH", "The run's dataset. Default: what is in data/, or drawn again.")] = None,
    study: StudyOption = None,
    results: ResultsOption = Path("results"),
    weights: Annotated[Path | None, option("FILE", "The file that the run started from, where it was one.")] = None,
    plugin: PluginOption = None,
) -> None:
    """Train a finished run again whose weights are not here; `study run` leaves finished runs alone.

    The record is replaced only by a finished one, so that record and weights belong together.
    """
    store, record = chosen_run(results, study, run, plugin)
    if store.weights_path(record.spec).is_file():
        typer.echo(f"The weights of {record.key} are here: nothing to do.")
        return
    from study.trained.images import study_images

    image_set = study_images(record, data, typer.echo)
    if image_set is None:
        raise UsageError(f"the dataset of {record.key}, {record.dataset.name}, is not at hand: give --data PATH.")
    typer.echo(f"Training {record.key} of study {store.study} again.")
    made = train_again(store, record, image_set, start_weights(record, weights), tuple(plugin or ()))
    if made.status != "done":
        typer.echo(f"It failed, and the old record is kept: {made.reason}")
        raise typer.Exit(1)
    kept = store.keep(made)
    typer.echo(f"Weights: {store.weights_path(record.spec)}")
    typer.echo(compare(store, record, kept))


def start_weights(record: Record, given: Path | None) -> Path | None:
    """Return the file that a run starts from, or None where it starts from random weights.

    Raises:
        WeightsError: the run started from a file that is not given, or from another one.
    """
    from study.models.entry import MODELS
    from study.models.weights import resolve_weights

    start = record.spec.weights
    if start.source in ("none", RANDOM_FEATURES):
        return None
    if start.source == "file" and given is None:
        raise WeightsError(
            f"{record.key} started from a file with sha256 {start.sha256[:10]}...: give it with --weights."
        )
    found = resolve_weights(MODELS.get(record.spec.model.name), str(given) if start.source == "file" else "imagenet")
    if found.sha256 != start.sha256:
        raise WeightsError(
            f"{record.key} started from weights with hash {start.sha256[:14]}, those given have {found.sha256[:14]}."
        )
    return found.path


def train_again(
    store: Store, record: Record, image_set: ImageSet, start: Path | None, plugins: tuple[str, ...]
) -> Record:
    """Execute a record's spec and return the new record, which is not stored yet."""
    from study.execution.executors import EXECUTORS, Job
    from study.execution.progress import make_display
    from study.models.weights import WeightsChoice
    from study.planning.grid import PlannedSpec
    from study.planning.plan import make_plan, speeds_here
    from study.training.checkpoint import discard

    spec, checkpoints = record.spec, store.checkpoint_folder(record.spec)
    plan = make_plan([PlannedSpec(spec, WeightsChoice(spec.weights.source))], store, image_set, speeds_here(), {})
    with make_display(plan.runs) as display:
        job = Job(spec, start, store.weights_path(spec), checkpoints)
        (made,) = EXECUTORS.get("inprocess").run_specs(
            [job], image_set, workers=1, plugins=plugins, on_event=display.on_event
        )
        display.on_record(made)
    if made.status == "done":
        discard(checkpoints)
    return made


def compare(store: Store, old: Record, new: Record) -> str:
    """Return one line on what the second training changed; the old predictions are gone by then."""
    if old.predictions_sha256 == new.predictions_sha256:
        return "Its predictions are the same to the last bit."
    before, after = (record.best.validation_accuracy if record.best else 0.0 for record in (old, new))
    return (
        f"Its predictions differ from the earlier ones, as they do between machines and versions: validation accuracy "
        f"{100 * after:.1f} %, was {100 * before:.1f} %. Record and weights are the new ones; "
        f"`study report {store.study}` writes the report anew."
    )
