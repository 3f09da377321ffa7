"""``study report STUDY``: write a study's report from its records, or check the one that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from study.cli.app import examples, option
from study.cli.options import StudyArgument

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples(
        "study report",
        "study report fer2013 --html --latex",
        "study report published/fer2013 --check  # in CI, for example",
    )
)
def report(
    study: StudyArgument = None,
    results: Annotated[Path, Option(help="Folder of the records.")] = Path("results"),
    reports: Annotated[Path, Option(help="Folder that the report is written to.")] = Path("reports"),
    margin: Annotated[
        float | None,
        Option(
            help="Points of accuracy below which two recipes count as equivalent. "
            "Default: that of the report that is there, else 2.",
            min=0.01,
            max=100.0,
        ),
    ] = None,
    ferplus: Annotated[
        Path | None, option("FILE", "FER+'s fer2013new.csv: score the answers by its labels too. Kept with the study.")
    ] = None,
    html: Annotated[
        bool, Option("--html", help="Write report.html too: one file with all in it, to send and to print.")
    ] = False,
    latex: Annotated[
        bool, Option("--latex", help="Write latex/*.tex too: leaderboard and per-class tables with booktabs.")
    ] = False,
    plugin: Annotated[
        list[Path] | None, option("FILE", "File with a metric or a report section, run as code; may be repeated.")
    ] = None,
    check: Annotated[bool, Option("--check", help="Write nothing; exit 1 where the report no longer matches.")] = False,
) -> None:
    """Write reports/STUDY/README.md with its figures and tables from the stored records; nothing is trained."""
    from study.core.errors import UsageError
    from study.core.registry import load_plugins
    from study.core.store import find_study
    from study.datasets.readers.ferplus import read_ferplus
    from study.report.write import HTML, HTML_FILE, LATEX, LATEX_FOLDER, check_report, report_folder, write_report

    load_plugins(plugin)
    store = find_study(results, study)
    share = None if margin is None else margin / 100
    asked = ({HTML: HTML_FILE} if html else {}) | ({LATEX: f"{LATEX_FOLDER}/"} if latex else {})
    if check and asked:
        raise UsageError("--check writes nothing, --html and --latex write: give one of them.")
    if check and ferplus is not None:
        raise UsageError("--check writes nothing, --ferplus keeps labels with the study: give one of them.")
    if ferplus is not None:
        dataset, records = store.load_dataset(), store.records()
        classes = records[0].dataset.classes if records else ()
        store.keep_ferplus(read_ferplus(ferplus, dataset["labels"], dataset["splits"], classes))
    _, damaged = store.examine()
    for damage in damaged:
        typer.echo(f"study: left out: {damage.reason}", err=True)
    if check:
        differences = check_report(store, reports, share)
        for line in differences:
            typer.echo(line)
        place = report_folder(store, reports)
        if differences:
            typer.echo(f"{place} no longer matches the records: run `study report {store.study}`.")
            raise typer.Exit(1)
        typer.echo(f"{place} matches the records.")
    else:
        page = write_report(store, reports, share, asked)
        typer.echo(f"The report is in {page}" + "".join(f", {name} beside it" for name in asked.values()))
    raise typer.Exit(1 if damaged else 0)
