"""Mending: what killed drivers left is cleared away and what is damaged is set aside, before anything is planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from study.core.files import clear_left
from study.core.record import Record
from study.core.store import Damage, Store
from study.datasets.cache import default_dir
from study.training.checkpoint import checkpoints, discard


def recover(
    store: Store,
    reports: Path,
    records: Sequence[Record],
    damaged: Sequence[Damage],
    say: Callable[[str], None],
    dry_run: bool = False,
) -> None:
    """Put a study's folders in order, after ``store.examine``; a dry run only says what is damaged.

    Raises:
        WriteError: a damaged file cannot be renamed.
    """
    for damage in damaged:
        if dry_run:
            say(f"Damaged: {damage.reason}")
        else:
            names = ", ".join(path.name for path in store.set_aside(damage))
            say(f"Damaged, set aside as {names}: {damage.reason}")
    if dry_run:
        return
    clear_left(store.folder)
    clear_left(reports / store.study)
    clear_left(default_dir())
    for record in records:  # a driver may have been killed after it stored a record and before it deleted checkpoints
        left = checkpoints(folder := store.checkpoint_folder(record.spec)) if record.status == "done" else []
        if left and left[-1].stat().st_mtime <= store.record_path(record.spec).stat().st_mtime:
            discard(folder)
