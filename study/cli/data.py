"""The verb data: read a dataset once, show what is in it, audit it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from study.cli.app import examples, option
from study.cli.options import ArchiveGibFlag
from study.datasets.readers.archive import DEFAULT_GIB

if TYPE_CHECKING:
    from study.datasets.image_set import ImageSet

SHOW = "study data show fer2013.csv"
PREPARE = "study data prepare fer2013.csv"
AUDIT = "study data audit fer2013.csv"

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Read a dataset once, show what is in it, audit it.",
    epilog=examples(SHOW, PREPARE, AUDIT),
)

Source = Annotated[
    str,
    Argument(
        metavar="PATH",
        help="A csv of pixels, <split>/<class>/*, <class>/*, images with a list of labels, an archive of these or a "
        "folder in it, kaggle:OWNER/NAME or synthetic.",
    ),
]
Plugins = Annotated[list[Path] | None, option("FILE", "File with a dataset reader, run as code.", "--plugin")]
Seed = Annotated[int, Option(min=0, max=(1 << 63) - 1, help="Seed of the split, where the data bring none.")]


@app.command(
    epilog=examples(
        PREPARE,
        "study data prepare faces  # a folder with a folder of images for each class",
        "study data prepare fer2013.csv --out fer2013.study  # one file of 50 MiB",
    )
)
def prepare(
    path: Source,
    out: Annotated[
        Path | None, option("FILE", "Write the images, their split too, into one small .study file for --data.")
    ] = None,
    seed: Seed = 0,
    archive_gib: ArchiveGibFlag = DEFAULT_GIB,
    plugin: Plugins = None,
) -> None:
    """Read every byte of a dataset and keep it parsed in the cache, so that later starts open it at once."""
    data = _load(path, plugin, seed=seed, recheck=True, archive_gib=archive_gib)
    print(describe(data))
    if out is not None:
        from study.datasets.readers.prepared import write_prepared

        print(f"{out}: {write_prepared(data, out) / 2**20:.1f} MiB, read by --data {out} on any machine.")
    print(f"Ready: {data.name}, fingerprint {data.fingerprint[:12]}.")


@app.command(epilog=examples(SHOW, "study data show synthetic:images=500 --out faces.png"))
def show(
    path: Source,
    out: Annotated[Path | None, Option(help="PNG of samples; reports/<name>/local/samples.png if not given.")] = None,
    seed: Seed = 0,
    archive_gib: ArchiveGibFlag = DEFAULT_GIB,
    plugin: Plugins = None,
) -> None:
    """Show counts, split, identical images and warnings, and write a picture with samples of every class."""
    from study.datasets.sample import write_samples

    data = _load(path, plugin, seed=seed, archive_gib=archive_gib)
    print(describe(data))
    print(f"Samples: {write_samples(data, out or Path('reports', data.name, 'local', 'samples.png'))}")


@app.command(epilog=examples(AUDIT, "study data audit fer2013.csv --study fer2013  # suspicious labels too"))
def audit(
    path: Source,
    out: Annotated[Path | None, Option(help="Folder to write to; reports/<name>-audit if not given.")] = None,
    study: Annotated[str | None, option("NAME", "Study on these images whose networks rank suspicious labels.")] = None,
    results: Annotated[Path, Option(help="Folder of records, for --study.")] = Path("results"),
    seed: Seed = 0,
    archive_gib: ArchiveGibFlag = DEFAULT_GIB,
    plugin: Plugins = None,
) -> None:
    """Look for copies, conflicting labels, empty images and drift between splits; write a page, tables and pictures.

    Warnings are printed. Pictures of dataset images go to the folder's local/, which git ignores.
    """
    from study.core.store import find_study
    from study.datasets.audit import audit as examine
    from study.report.audit import find_label_errors, write_audit, write_audit_pictures

    store = find_study(results, study) if study else None
    data = _load(path, plugin, seed=seed, archive_gib=archive_gib)
    suspected = find_label_errors(data, store) if store else None
    found = examine(data)
    folder = out or Path("reports", f"{data.name}-audit")
    pictures = write_audit_pictures(found, folder / "local", suspected)
    page = write_audit(found, folder, suspected)
    for line in found.warnings:
        print(f"Warning: {line}")
    if not found.warnings:
        print("No warnings.")
    print(f"The audit is in {page}" + (f", pictures of what was found in {folder / 'local'}" if pictures else ""))


def _load(path: str, plugins: list[Path] | None, **more: Any) -> ImageSet:
    from study.core.registry import load_plugins
    from study.datasets.load import load

    load_plugins(plugins)
    return load(path, log=print, **more)


def describe(data: ImageSet) -> str:
    """Return what a set holds as text: size, counts per class and split, split source, identical images, notes."""
    from tabulate import tabulate

    from study.datasets.contamination import measure

    height, width, channels = data.image_shape
    kind = "grey" if channels == 1 else "colour"
    counts = data.counts()
    columns = list(zip(*counts.values(), strict=True))
    rows = [[name, *column, sum(column)] for name, column in zip(data.classes, columns, strict=True)]
    rows.append(["all", *(sum(column) for column in counts.values()), len(data)])
    found = measure(data)
    repeated = ", ".join(f"{count:,} in {split}" for split, count in found.repeated.items())
    lines = [
        f"{data.name}: {len(data):,} images, {width}x{height} {kind}, {len(data.classes)} classes",
        "",
        tabulate(rows, headers=["class", *counts, "all"], intfmt=","),
        "",
        data.split_source,
        f"Different images: {found.distinct:,}. Groups of identical images: {found.groups:,}, "
        f"{found.conflicting:,} of them with conflicting labels.",
        f"Surplus copies within splits: {repeated}.",
        *(["No image has an identical copy in another split."] if not any(found.images.values()) else []),
        *(f"Note: {note}" for note in data.notes),
    ]
    return "\n".join(lines)
