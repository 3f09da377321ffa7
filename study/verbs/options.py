"""Options that the verbs on stored runs share, and the run that they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

if TYPE_CHECKING:
    from study.record import Record
    from study.store import Store

RunOption = Annotated[
    str | None,
    Option("--run", metavar="KEY", help="Key of a run, or a part of one. Default: the best on the selection split."),
]
StudyOption = Annotated[
    str | None, Option(metavar="NAME", help="Study of the run. Default: the only one that has a trained model.")
]
ResultsOption = Annotated[Path, Option(metavar="FOLDER", help="Folder of records.")]
ReportsOption = Annotated[Path, Option(metavar="FOLDER", help="Folder of reports.")]
PluginOption = Annotated[
    list[str] | None, Option(metavar="FILE", help="File that registers the run's model; may be repeated.")
]


def chosen_run(results: Path, study: str | None, key: str | None, plugins: list[str] | None) -> tuple[Store, Record]:
    """Load the plugins and return the store and the record that the options mean.

    Raises:
        UsageError: no run fits, or several do.
    """
    from study.registry import load_plugin
    from study.serving.winner import open_run

    for file in plugins or ():
        load_plugin(file)
    return open_run(results, study, key)
