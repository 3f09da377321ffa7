"""Options that several verbs share, and the run that those on stored runs mean."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument

from study.cli.app import option

if TYPE_CHECKING:
    from study.core.record import Record
    from study.core.store import Store
    from study.trained.runtime import Runtime

RunOption = Annotated[
    str | None, option("KEY", "Key of a run, or a part of one. Default: the best on the validation split.", "--run")
]
_STUDY = "NAME of a study made here, or published/NAME. Default: the newest made here"
StudyArgument = Annotated[str | None, Argument(metavar="STUDY", help=f"{_STUDY}.")]
StudyOption = Annotated[str | None, option("NAME", f"{_STUDY}.")]
ResultsOption = Annotated[Path, option("FOLDER", "Folder of records.", file_okay=False)]
ReportsOption = Annotated[Path, option("FOLDER", "Folder of reports.", file_okay=False)]
PluginOption = Annotated[
    list[str] | None, option("FILE", "File that registers the run's model, run as code; may be repeated.")
]
DetectorOption = Annotated[
    str | None, option("NAME", "What finds faces: blazeface (the default), haar, or the file of YuNet's model (.onnx).")
]
FaceScoreOption = Annotated[
    float | None,
    option("SCORE", "Leave out faces with a lower detection score. Default: 0.5 (YuNet: 0.7).", "--face-score"),
]
ArchiveGibFlag = Annotated[
    float, option("N", "Most GiB that an archive may unpack to; its other limits follow.", min=0.001)
]
PluginFlag = Annotated[
    list[str] | None, option("FILE", "File with entries, run as code; they join grids that say all.", "--plugin")
]
PrecisionFlag = Annotated[
    str | None,
    option(
        "NAME",
        "float32, mixed_bfloat16, or auto: the latter where it is faster. Default: float32; auto for budgets of hours.",
    ),
]


def split_names(values: list[str] | None) -> tuple[str, ...]:
    """Return names that were given separated by commas, repeated, or both."""
    return tuple(name.strip() for value in values or () for name in value.split(",") if name.strip())


def chosen_run(results: Path, study: str | None, key: str | None, plugins: list[str] | None) -> tuple[Store, Record]:
    """Load the plugins and return the store and the record that the options mean.

    Raises:
        UsageError: no run fits, or several do.
    """
    from study.core.registry import load_plugins
    from study.trained.winner import open_run

    load_plugins(plugins)
    return open_run(results, study, key)


def opened_runtime(results: Path, study: str | None, key: str | None, plugins: list[str] | None) -> Runtime:
    """Return the network that the options mean, ready to answer; say which it is, and where that takes a while.

    Without a run or a study named: the best one trained here on photographs, else the released one, else any.

    Raises:
        UsageError: no run fits, or several do.
        WeightsError: the run has neither exports nor weights here.
    """
    from study.trained.release import choose_network, released_form
    from study.trained.runtime import open_export, open_keras
    from study.trained.winner import weights_of

    study, released = choose_network(results, study, key)
    if released is not None:
        print(f"Network: {released.origin} (--study NAME or --run KEY chooses another)", file=sys.stderr)
        return released
    store, record = chosen_run(results, study, key, plugins)
    runtime = open_export(store, record) or released_form(store, record)
    if runtime is None:
        weights_of(store, record)
    print(f"Network: {record.key} of study {store.study}", file=sys.stderr)
    if runtime is None:
        print(
            f"Starting Keras, which takes some seconds; not any more after {_quicker(store, record)}.", file=sys.stderr
        )
        runtime = open_keras(store, record)
    return runtime


def _quicker(store: Store, record: Record) -> str:
    """Return the commands after which a run starts quickly: an export, and what it needs where that is missing."""
    from study.trained.formats import INSTALL, missing_packages

    words = ["study", "export", "--study", store.study, "--run", record.key]
    words += ["--results", str(store.results)] if store.results != Path("results") else []
    installed = any(not missing_packages(kind) for kind in ("onnx", "litert"))
    return f"`{shlex.join(words)}`" if installed else f"`{INSTALL}` and `{shlex.join(words)}`"
