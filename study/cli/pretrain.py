"""The verb pretrain: train a body on another task and write weights that `study run --weights` transfers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option

from study.cli.app import examples, option, say
from study.cli.options import ArchiveGibFlag, PluginFlag, PrecisionFlag
from study.datasets.readers.archive import DEFAULT_GIB

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples(
        "study pretrain --model resnet50 --data cifar10 --out cifar10.weights.h5",
        "study pretrain --model vgg16 --data faces --out faces.weights.h5 --side 64",
    )
)
def pretrain(
    model: Annotated[str, option("NAME", "Transfer entry whose body is trained.")],
    data: Annotated[str, option("PATH", "Pretraining images: whatever `study run --data` takes.")],
    out: Annotated[Path, option("FILE", "Where the weights go; ends in .weights.h5.")],
    epochs: Annotated[int, option("N", "Epochs; the rate falls to zero over them.", min=1)] = 10,
    side: Annotated[int | None, option("PX", "Input side. Default: the images' own.", min=1)] = None,
    batch: Annotated[int, option("N", "Images an update.", min=1)] = 64,
    rate: Annotated[float, option("X", "Adam's first learning rate.", min=1e-9)] = 1e-3,
    augment: Annotated[bool, Option(help="Mirror images and shift them by up to a tenth.")] = True,
    seed: Annotated[int, option("N", "Seed of weights, order and augmentation.", min=0)] = 0,
    precision: PrecisionFlag = "float32",
    archive_gib: ArchiveGibFlag = DEFAULT_GIB,
    plugin: PluginFlag = None,
) -> None:
    """Train a body from random weights on other images, any classes, grey or colour, and write its weights.

    The file says what it was made from; a study's records and report repeat it. The same command goes on where it was
    stopped, at the epoch.
    """
    from study.core.registry import load_plugins
    from study.datasets.load import load
    from study.execution.pretraining import Settings, found, pretrain, pretraining_spec
    from study.models.entry import MODELS
    from study.training.backend import chosen_backend
    from study.training.precision import resolve_precision

    load_plugins(plugin)
    entry = MODELS.get(model)
    image_set = load(data, log=say, archive_gib=archive_gib)
    settings = Settings(
        epochs, side, batch, rate, augment, seed, resolve_precision(precision or "float32"), chosen_backend()
    )
    spec = pretraining_spec(entry, image_set, settings)
    pretraining = found(out, spec)
    if pretraining is None:
        updates = spec.protocol.phases[0].updates
        say(f"Pretraining {entry.name} at {spec.side_px} px: {epochs} epochs, {updates:,} updates of {batch} images.")
        try:
            pretraining = pretrain(entry, spec, image_set, out, progress=show, plugins=plugin or ())
        except KeyboardInterrupt:
            say("Stopped; the same command goes on with the last epoch that ended.")
            raise typer.Exit(130) from None
    else:
        say("The file is there already: nothing to do.")
    say(f"{out}: {entry.name} {pretraining.words()}")
    say(f"To transfer it: study run --weights {out} --models {entry.name} --side {spec.side_px} ...")


def show(event: dict[str, Any]) -> None:
    """Print an event of the training: a line an epoch."""
    if event["kind"] == "note":
        say(event["text"])
    if event["kind"] == "epoch":
        row = event["row"]
        say(
            f"Epoch {row['epoch'] + 1} of {event['epochs']}: loss {row['loss']:.3f}, accuracy "
            f"{100 * row['accuracy']:.1f} %, validation {100 * row['validation_accuracy']:.1f} %, "
            f"{row['train_s'] + row['validation_s']:.0f} s"
        )
