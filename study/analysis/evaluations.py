"""Evaluations of stored runs beyond their test split, kept beside the records: corruptions, other datasets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import msgspec

from study.core.errors import DamagedError
from study.core.files import write_atomically
from study.core.record import Record
from study.core.store import Store

#: Value, lower and upper end of its 95 % interval over new images.
Interval = tuple[float, float, float]
BySeverity = tuple[float, float, float, float, float]
_MOST_BYTES = 1 << 20


class Robustness(msgspec.Struct, frozen=True, kw_only=True):
    """What a network scores on corrupted images of its own test split."""

    images: int  #: How many there are.
    clean: Interval  #: Share of wrong answers without corruption.
    mean: Interval  #: Mean corruption error: the same, mean over all corruptions and severities.
    errors: dict[str, BySeverity]  #: Share of wrong answers by corruption, severities 1 to 5.


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """What a network scores on another dataset, or on a subgroup of images that a user named."""

    images: int  #: How many there are.
    accuracy: Interval  #: Share of right answers.
    balanced_accuracy: Interval  #: Mean recall over the classes that have images.


class Evaluations(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that ``study evaluate`` found about one run."""

    key: str  #: The run.
    predictions_sha256: str  #: Of its record, so that what belongs to a replaced record is not shown.
    robustness: Robustness | None = None  #: On corrupted images; None where that was not asked for.
    elsewhere: dict[str, Elsewhere] = {}  #: By dataset and split.


def find_evaluations(store: Store, record: Record) -> Evaluations:
    """Return what was found about a run so far; empty where nothing was, or where the run was trained again since.

    Raises:
        DamagedError: its file is not as it was written.
    """
    nothing = Evaluations(key=record.key, predictions_sha256=record.predictions_sha256)
    path = _path(store, record)
    if not path.is_file():
        return nothing
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES >> 20} MiB")
        found = msgspec.json.decode(path.read_bytes(), type=Evaluations)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path}: not readable ({error}). Remove it and run study evaluate again.") from error
    return found if found.predictions_sha256 == record.predictions_sha256 else nothing


def keep_evaluations(
    store: Store, record: Record, robustness: Robustness | None = None, elsewhere: dict[str, Elsewhere] | None = None
) -> Evaluations:
    """Add what was found about a run to what is kept, and return all of it; published studies are left as they are."""
    earlier = find_evaluations(store, record)
    both = earlier.elsewhere | (elsewhere or {})
    new = msgspec.structs.replace(earlier, robustness=robustness or earlier.robustness, elsewhere=both)
    if store.study.startswith("published/"):
        return new
    text = json.dumps(msgspec.to_builtins(new), sort_keys=True, indent=1, ensure_ascii=False)
    write_atomically(_path(store, record), text.encode() + b"\n")
    return new


def all_evaluations(store: Store, records: Iterable[Record]) -> list[Evaluations]:
    """Return what was found about each of some runs, without those about which nothing was."""
    if not (store.folder / "evaluations").is_dir():
        return []
    found = (find_evaluations(store, record) for record in records if record.status == "done")
    return [one for one in found if one.robustness or one.elsewhere]


def _path(store: Store, record: Record) -> Path:
    return store.folder / "evaluations" / f"{record.key}.json"
