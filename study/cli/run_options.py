"""The flags of the verb run: what the command line takes, and what the driver gets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from study.core.errors import UsageError
from study.datasets.readers.archive import DEFAULT_GIB

#: ``Flags.jobs`` for ``--jobs auto``.
AUTO_JOBS = 0
MOST_DIGITS = 4
#: What ``--keep-weights`` takes.
KEEP_WEIGHTS = ("all", "best", "none")

Names = list[str] | None

GridFlag = Annotated[str, Option(metavar="NAME|FILE", help="Grid in experiments/, or a TOML file.")]
DataFlag = Annotated[
    str | None,
    Option(
        metavar="PATH",
        help="File, folder or archive, kaggle:OWNER/NAME, or synthetic. Default: what is in data/, else synthetic.",
    ),
]
ArchiveGibFlag = Annotated[
    float, Option(min=0.001, metavar="N", help="Most GiB that an archive may unpack to; its other limits follow.")
]
ModelsFlag = Annotated[Names, Option(metavar="NAMES", help="Models or groups, with commas; replace the grid's.")]
ProtocolsFlag = Annotated[Names, Option(metavar="NAMES", help="Protocols or groups, likewise.")]
SeedsFlag = Annotated[str | None, Option(metavar="N|LIST", help="A count (3: seeds 0, 1, 2) or a list (0,1,4).")]
BudgetFlag = Annotated[
    str | None, Option(metavar="NAME", help="demo, tonight, full. Default: the grid's, else what fits here.")
]
EpochsFlag = Annotated[int | None, Option(min=1, metavar="N", help="Epochs of each phase; budgets still cap them.")]
StudyFlag = Annotated[
    str | None,
    Option(metavar="NAME", help="Name of the study. Default: demo, or the dataset's. published/NAME changes that one."),
]
ResultsFlag = Annotated[Path, Option(metavar="FOLDER", help="Folder of records.")]
ReportsFlag = Annotated[Path, Option(metavar="FOLDER", help="Folder of reports.")]
ExecutorFlag = Annotated[
    str | None,
    Option(metavar="NAME", help="process (default: a crash costs one run), inprocess, ray (a cluster)."),
]
AddressFlag = Annotated[
    str | None,
    Option(metavar="HOST:PORT", help="Ray's cluster, or auto. Default: RAY_ADDRESS, else one of this machine alone."),
]
CpusPerRunFlag = Annotated[
    float | None, Option(min=0.01, metavar="N", help="Processors, and threads, of a run on Ray. Default: 1.")
]
GpusPerRunFlag = Annotated[
    float | None, Option(min=0.0, metavar="N", help="GPUs of a run on Ray; by fractions several share one. Default: 0.")
]
JobsFlag = Annotated[
    str | None,
    Option(
        metavar="N|auto",
        help="Runs at a time; they share the cores. auto measures. Default: the budget's; on Ray all that fit.",
    ),
]
RunLimitFlag = Annotated[
    float | None,
    Option(min=0.01, metavar="MINUTES", help="A run that takes longer counts as hanging. Default: the budget's."),
]
TimeLimitFlag = Annotated[
    str | None,
    Option(
        metavar="TIME",
        help="Stop after this time (8m, 2h, 1h30m) with what is done and a report; exit code 3 if there is more to do.",
    ),
]
KeepWeightsFlag = Annotated[
    str, Option(metavar="WHICH", help="Trained weights to keep: all, best (of each model) or none.")
]
WeightsFlag = Annotated[
    str,
    Option(
        metavar="NAME|FILE", help="Start of transfer networks: auto, imagenet, none or a file; or MODEL=..., by model."
    ),
]
SideFlag = Annotated[int | None, Option(min=1, metavar="PX", help="Input side of every model in pixels.")]
TrainShareFlag = Annotated[
    float | None, Option(metavar="X", help="Train on this share of the training split, such as 0.25; stratified.")
]
PrecisionFlag = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="float32, mixed_bfloat16, or auto: the latter where native. Default: float32; auto for budgets of hours.",
    ),
]
FerplusFlag = Annotated[
    Path | None, Option(metavar="FILE", help="FER+'s fer2013new.csv: score the answers by its labels too.")
]
PluginFlag = Annotated[
    Names, Option(metavar="FILE", help="File with entries, run as code; they join grids that say all.")
]
TrackFlag = Annotated[
    Names, Option(metavar="NAME", help="Log the runs to tensorboard or mlflow too, into tracking/; may be repeated.")
]
DryRunFlag = Annotated[bool, Option("--dry-run", help="Show the plan and leave.")]


@dataclass(frozen=True)
class Flags:
    """The flags as given; None and empty mean: what the grid, the budget or the dataset says.

    Attributes:
        grid: Name or file of the grid.
        data: Dataset, as ``study.datasets.load.load`` takes it.
        models: Names and groups instead of the grid's.
        protocols: Names and groups instead of the grid's.
        seeds: A count or a list.
        budget: Name of the budget.
        epochs: Epochs of every phase.
        study: Name of the study.
        results: Folder of records.
        reports: Folder of reports.
        executor: Name of the executor.
        address: Ray's cluster; None for ``RAY_ADDRESS`` or one of this machine alone.
        cpus_per_run: Processors of a run on Ray; None for one.
        gpus_per_run: GPUs of a run on Ray; None for none.
        jobs: Runs at the same time; 0 for as many as a measurement says; None for the budget's, or for what Ray's
            nodes hold.
        run_limit: Minutes that a run may take; None for the budget's.
        time_limit_s: Seconds that this command may take; None for as long as it likes.
        keep_weights: Which trained weights stay: ``all``, ``best`` or ``none``.
        weights: Start of transfer networks.
        side: Input side in pixels.
        train_share: Share of the training split to train on.
        precision: ``auto`` or Keras' dtype policy; None for ``auto`` where the budget is a time, else ``float32``.
        ferplus: File of FER+ labels.
        archive_gib: What an archive of data may unpack to, in GiB.
        plugins: Files to import.
        track: Names of trackers.
        dry_run: Whether to leave after the plan.
    """

    grid: str = "all"
    data: str | None = None
    models: Sequence[str] = ()
    protocols: Sequence[str] = ()
    seeds: str | None = None
    budget: str | None = None
    epochs: int | None = None
    study: str | None = None
    results: Path = Path("results")
    reports: Path = Path("reports")
    executor: str | None = None
    address: str | None = None
    cpus_per_run: float | None = None
    gpus_per_run: float | None = None
    jobs: int | None = None
    run_limit: float | None = None
    time_limit_s: float | None = None
    keep_weights: str = "all"
    weights: str = "auto"
    side: int | None = None
    train_share: float | None = None
    precision: str | None = None
    ferplus: Path | None = None
    archive_gib: float = DEFAULT_GIB
    plugins: Sequence[str] = ()
    track: Sequence[str] = ()
    dry_run: bool = False


def split_names(values: Names) -> tuple[str, ...]:
    """Return names that were given separated by commas, repeated, or both."""
    return tuple(name.strip() for value in values or () for name in value.split(",") if name.strip())


def parse_time(value: str | None) -> float | None:
    """Return the seconds of ``--time-limit``.

    Raises:
        UsageError: it is not a time.

    >>> parse_time("1h30m")
    5400.0
    """
    if value is None:
        return None
    found = re.fullmatch(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?", value.strip())
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    if not (total := 3600.0 * hours + 60 * minutes + seconds):
        raise UsageError(f"--time-limit takes hours, minutes and seconds such as 8m, 2h or 1h30m, got {value!r}.")
    return total


def check_keep_weights(value: str) -> str:
    """Return the value of ``--keep-weights``.

    Raises:
        UsageError: another word.
    """
    if value not in KEEP_WEIGHTS:
        raise UsageError(f"--keep-weights takes {', '.join(KEEP_WEIGHTS)}, got {value!r}.")
    return value


def parse_jobs(value: str | None) -> int | None:
    """Return the number of ``--jobs``; 0 for ``auto``.

    Raises:
        UsageError: neither.
    """
    if value is None or value == "auto":
        return None if value is None else AUTO_JOBS
    if not value.isascii() or not value.isdigit() or len(value) > MOST_DIGITS or int(value) < 1:
        raise UsageError(f"--jobs takes a number from 1 up, or auto, got {value!r}.")
    return int(value)
