"""``study export``: a stored run as self-contained files with a model card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

from study.cli.app import examples, option
from study.cli.options import PluginOption, ResultsOption, RunOption, StudyOption, chosen_run, split_names

if TYPE_CHECKING:
    from study.core.record import Record
    from study.core.store import Store

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples(
        "study export --run cnn3-baseline-seed_0 --format onnx,litert --int8",
        "study export --predictions answers.csv",
        "study export --release --run resnet_compact-strong-seed_0 --data fer2013.csv",
    )
)
def export(
    run: RunOption = None,
    format_: Annotated[
        list[str] | None,
        option(
            "NAMES", "Of keras, h5, onnx, litert, savedmodel; with commas. Default: keras, onnx, litert.", "--format"
        ),
    ] = None,
    int8: Annotated[
        bool, Option("--int8", help="Also LiteRT in 8 bits, with its loss of accuracy on the validation split.")
    ] = False,
    out: Annotated[
        Path | None,
        option("FOLDER", "Default: beside the run's weights, where predict and live find it.", file_okay=False),
    ] = None,
    data: Annotated[
        str | None, option("PATH", "The study's dataset, to check on. Default: what is in data/, or drawn faces.")
    ] = None,
    release: Annotated[
        bool,
        Option(
            "--release", help="Write no format but the package's own network: ONNX in half precision, at most 6 MB."
        ),
    ] = False,
    predictions: Annotated[
        Path | None,
        option("FILE", "Write no network but a table (CSV): the run's answer to each test image.", dir_okay=False),
    ] = None,
    study: StudyOption = None,
    results: ResultsOption = Path("results"),
    plugin: PluginOption = None,
) -> None:
    """Write a run as files that need nothing of this project: uint8 faces in, probabilities out.

    Each file is compared with the run on real images and only kept where no probability differs by more than 0.001.
    """
    from study.trained.formats import INSTALL, USUAL, export_folder, missing_packages, select_formats
    from study.trained.images import check_sample
    from study.trained.model_card import write_card
    from study.trained.runtime import notice_of
    from study.trained.winner import weights_of

    if predictions is not None:
        _write_predictions(*chosen_run(results, study, run, plugin), predictions)
        return
    wanted = split_names(format_) or tuple(name for name in USUAL if not missing_packages(name))
    kinds = select_formats(["onnx"], False) if release else select_formats(wanted, int8)
    store, record = chosen_run(results, study, run, plugin)
    weights_of(store, record)
    typer.echo(f"Run: {record.key} of study {store.study}")
    if release:
        _release(store, record, data, out)
        return
    if notice := notice_of(record):
        typer.echo(notice)
    sample = check_sample(record, data, typer.echo)
    from study.trained.export import Exporter, export_all

    if not format_ and len(wanted) < len(USUAL):
        typer.echo(f"Without {' and '.join(sorted(set(USUAL) - set(wanted)))}, whose packages come with `{INSTALL}`.")
    folder = out or export_folder(store, record)
    exporter = Exporter(store, record, folder, sample)
    typer.echo(f"Into {folder}, each compared with the run on {sample.what}:")
    try:
        export_all(exporter, kinds, _say)
    finally:
        if exporter.entries:
            typer.echo(f"Model card: {write_card(store, record, folder, exporter.entries)}")


def _release(store: Store, record: Record, data: str | None, out: Path | None) -> None:
    from study.core.errors import DataError
    from study.trained.images import study_images
    from study.trained.model_card import write_release_card
    from study.trained.release import FOLDER, make_release

    image_set = study_images(record, data, typer.echo)
    if image_set is None:
        raise DataError(
            f"a released network is compared with its run on all validation and test images: give "
            f"{record.dataset.name} with --data PATH."
        )
    folder = out or FOLDER
    found = make_release(store, record, image_set, typer.echo, folder)
    write_release_card(store, record, found, folder)
    typer.echo(f"Released network: {folder}")


def _write_predictions(store: Store, record: Record, file: Path) -> None:
    from study.api import Study
    from study.core.files import write_atomically
    from study.faces.output import cell

    table = Study(store).predictions(record.key)
    for name in ("image", "label", "predicted"):
        table[name] = table[name].map(cell)
    write_atomically(file, table.to_csv(index=False, lineterminator="\n").encode())
    typer.echo(f"{len(table):,} test images, as answered by {record.key} of study {store.study}: {file}")


def _say(kind: str, entry: dict[str, Any]) -> None:
    line = f"  {kind:<11}  {entry['file']:<17}  {entry['bytes'] / 1e6:6.1f} MB"
    line += f"  largest difference {entry['largest_difference']:.1g}"
    if "gain" in entry:
        gain, low, high = (100 * value for value in entry["gain"])
        line += (
            f"; validation accuracy {100 * entry['validation_accuracy']:.2f} % "
            f"({gain:+.2f} points, {low:+.2f} to {high:+.2f})"
        )
    typer.echo(line)
