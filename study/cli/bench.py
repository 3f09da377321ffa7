"""The verb bench: how fast networks train and predict here, beside peers; a table, JSON and a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from study.bench import PARTS
from study.cli.app import examples, option
from study.cli.options import split_names

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples(
        "study bench",
        "study bench --peers --rounds 5",
        "study bench --models cnn3 --parts models --rounds 1 --seconds 1",
    )
)
def bench(
    models: Annotated[str, option("NAMES", "Model entries, with commas.")] = "cnn3,cnn5,vgg16,resnet50",
    peers: Annotated[bool, Option("--peers", help="Measure experiments/peers/ beside ourselves.")] = False,
    parts: Annotated[str, option("NAMES", f"What to measure, of {','.join(PARTS)}, with commas.")] = "peak,models",
    rounds: Annotated[int, option("N", "Rounds; the median counts.", min=1)] = 3,
    seconds: Annotated[float, option("S", "About how long a measurement takes.", min=0.05)] = 3.0,
    side: Annotated[int, option("PX", "Input side in pixels.", min=8)] = 48,
    batch: Annotated[int, option("N", "Images an update.", min=1)] = 64,
    precision: Annotated[
        str, option("NAME", "float32, mixed_bfloat16, or auto: float32, and the other where it is faster.")
    ] = "auto",
    images: Annotated[int, option("N", "Training images in memory.", min=256)] = 28709,
    out: Annotated[Path, option("FOLDER", "Where measured.json and README.md go.")] = Path("reports/bench"),
    json_: Annotated[bool, Option("--json", help="Print what was measured as JSON instead of the page.")] = False,
    write: Annotated[bool, Option("--write", help="Measure nothing; write the page again from measured.json.")] = False,
    check: Annotated[
        bool, Option("--check", help="Measure nothing; exit 1 where the page no longer matches measured.json.")
    ] = False,
) -> None:
    """Measure training and prediction in turns, each contestant in a process of its own, and write the page."""
    import json

    from study.bench.page import build_page, further_sections, write_page
    from study.bench.parts import Bounds, add, measure_parts, read

    page = out / "README.md"
    if write:
        typer.echo(f"The page is in {write_page(out, read(out))}")
        raise typer.Exit
    if check:
        if page.is_file() and page.read_text("utf-8") == build_page(read(out), further_sections(out)):
            typer.echo(f"{page} matches what was measured.")
            raise typer.Exit
        typer.echo(f"{page} no longer matches measured.json and the sections beside it: run `study bench --write`.")
        raise typer.Exit(1)
    bounds = Bounds(split_names([models]), peers, rounds, seconds, side, batch, precision, images)
    measured = measure_parts(split_names([parts]), bounds, lambda line: typer.echo(line, err=True))
    kept = add(out, measured)
    write_page(out, kept)
    typer.echo(json.dumps(measured, sort_keys=True, indent=1) if json_ else build_page(measured, {}))
    typer.echo(f"The page is in {page}", err=True)
