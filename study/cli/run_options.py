"""The flags of ``study run``: each is said once, here; the command and its driver take what ``Flags`` holds."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from study.cli.app import option
from study.cli.options import ArchiveGibFlag, PluginFlag, PrecisionFlag
from study.core.errors import UsageError
from study.datasets.readers.archive import DEFAULT_GIB

#: ``Flags.jobs`` for ``--jobs auto``.
AUTO_JOBS = 0
#: What ``--keep-weights`` takes.
KEEP_WEIGHTS = ("all", "best", "none")
#: Two years, longer than anybody waits for a run, and than the system can wait.
MOST_MINUTES = 1e6


def parse_time(value: str) -> float:
    """Return the seconds of ``--time-limit``.

    Raises:
        UsageError: it is not a time.

    >>> parse_time("1h30m")
    5400.0
    """
    found = re.fullmatch(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?", value.strip())
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    if not (total := 3600.0 * hours + 60 * minutes + seconds):
        raise UsageError(f"--time-limit takes hours, minutes and seconds such as 8m, 2h or 1h30m, got {value!r}.")
    return total


def check_keep_weights(value: str) -> str:
    """Return the value of ``--keep-weights``, or raise a UsageError."""
    if value not in KEEP_WEIGHTS:
        raise UsageError(f"--keep-weights takes {', '.join(KEEP_WEIGHTS)}, got {value!r}.")
    return value


def parse_jobs(value: str) -> int:
    """Return the number of ``--jobs``, 0 for ``auto``, or raise a UsageError."""
    if value == "auto":
        return AUTO_JOBS
    if not value.isascii() or not value.isdigit() or len(value) > 4 or int(value) < 1:
        raise UsageError(f"--jobs takes a number from 1 up, or auto, got {value!r}.")
    return int(value)


@dataclass(frozen=True)
class Flags:
    """The flags of ``study run``, in the order of its help; None means: what the grid, budget or dataset says."""

    grid: Annotated[str, option("NAME|FILE", "Grid in experiments/, or a TOML file.")] = "all"
    data: Annotated[
        str | None,
        option(
            "PATH",
            "File, folder or archive, kaggle:OWNER/NAME, or synthetic. Default: what is in data/, else synthetic.",
        ),
    ] = None
    models: Annotated[list[str] | None, option("NAMES", "Models or groups, with commas; replace the grid's.")] = None
    protocols: Annotated[list[str] | None, option("NAMES", "Protocols or groups, likewise.")] = None
    seeds: Annotated[str | None, option("N|LIST", "A count (3: seeds 0, 1, 2) or a list (0,1,4).")] = None
    budget: Annotated[
        str | None,
        option("NAME", "demo, tonight, full. Default: the grid's, else what fits here."),
    ] = None
    epochs: Annotated[
        int | None,
        option("N", "Epochs of each phase; budgets still cap them.", min=1, max=100_000),
    ] = None
    study: Annotated[
        str | None,
        option("NAME", "Name of the study. Default: demo, or the dataset's. published/NAME changes that one."),
    ] = None
    results: Annotated[Path, option("FOLDER", "Folder of records.")] = Path("results")
    reports: Annotated[Path, option("FOLDER", "Folder of reports.")] = Path("reports")
    executor: Annotated[
        str | None, option("NAME", "process (default: a crash costs one run), inprocess, ray (a cluster).")
    ] = None
    address: Annotated[
        str | None, option("HOST:PORT", "Ray's cluster, or auto. Default: RAY_ADDRESS, else one of this machine alone.")
    ] = None
    cpus_per_run: Annotated[float | None, option("N", "Processors of a run on Ray. Default: 1.", min=0.01)] = None
    gpus_per_run: Annotated[
        float | None, option("N", "GPUs of a run on Ray; by fractions several share one. Default: 0.", min=0.0)
    ] = None
    jobs: Annotated[
        int | None,
        option(
            "N|auto",
            "Runs at a time, of 2 threads each. auto measures. Default: the budget's; on Ray all that fit.",
            parser=parse_jobs,
        ),
    ] = None
    run_limit: Annotated[
        float | None,
        option(
            "MINUTES", "A run that takes longer counts as hanging. Default: the budget's.", min=0.01, max=MOST_MINUTES
        ),
    ] = None
    time_limit_s: Annotated[
        float | None,
        option(
            "TIME",
            "Stop after this time (8m, 2h, 1h30m) with what is done and a report; exit code 3 if there is more to do.",
            "--time-limit",
            parser=parse_time,
        ),
    ] = None
    keep_weights: Annotated[
        str, option("WHICH", "Trained weights to keep: all, best (of each model) or none.", parser=check_keep_weights)
    ] = "all"
    weights: Annotated[
        str,
        option(
            "NAME|FILE",
            "Start of transfer networks: auto, imagenet, none, random-features or a file; or by model: MODEL=...",
        ),
    ] = "auto"
    side: Annotated[int | None, option("PX", "Input side of every model in pixels.", min=1, max=1 << 12)] = None
    train_share: Annotated[
        float | None, option("X", "Train on this share of the training split, such as 0.25; stratified.")
    ] = None
    precision: PrecisionFlag = None
    ferplus: Annotated[
        Path | None,
        option("FILE", "FER+'s fer2013new.csv: score the answers by its labels too."),
    ] = None
    archive_gib: ArchiveGibFlag = DEFAULT_GIB
    plugins: PluginFlag = None
    track: Annotated[
        list[str] | None, option("NAME", "Log the runs to tensorboard or mlflow too, into tracking/; may be repeated.")
    ] = None
    dry_run: Annotated[bool, Option("--dry-run", help="Show the plan and leave.")] = False
