"""Which trained weights stay beside the records (``--keep-weights``), and what was removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from study.core.record import Record
from study.core.store import Store
from study.planning.plan import PlannedRun


class WeightsKept:
    """Removes weights of a plan's finished runs that are not to be kept; nothing else is touched.

    Records, predictions and checkpoints stay, so that reports, ensembles and a resumed run do not change; a file that a
    run of the plan starts from stays too. ``study retrain`` makes removed weights again.

    ``which`` are kept: ``all``, ``best`` (by validation accuracy, of each model, leaky runs apart) or ``none``. Runs
    of the plan that are done already are looked at at once.
    """

    def __init__(self, store: Store, runs: Sequence[PlannedRun], which: str) -> None:
        self._store, self._which = store, which
        self._starts = {run.planned.weights.path.resolve() for run in runs if run.planned.weights.path}
        self._best: dict[tuple[str, bool], Record] = {}
        self._removed: list[int] = []
        for run in runs:
            if run.record is not None:
                self.add(run.record)

    def add(self, record: Record) -> None:
        """Take the record of a run that has ended, and remove the weights that are needed no more."""
        if self._which == "all" or record.status != "done" or not record.weights_file:
            return
        if self._which == "none":
            self._remove(record)
            return
        group = record.spec.model.name, record.leaky
        best = self._best.get(group)
        if best is not None and best.key == record.key:
            return
        if best is None or _validation(record) > _validation(best):
            self._best[group] = record
            if best is not None:
                self._remove(best)
        else:
            self._remove(record)

    def tell(self, say: Callable[[str], None]) -> None:
        """Say what was removed, where anything was."""
        if self._removed:
            what = "the best run of each model keeps its own" if self._which == "best" else "none are kept"
            count = f"{len(self._removed)} run{'s' if len(self._removed) > 1 else ''}"
            say(f"Removed the weights of {count} ({sum(self._removed) / 1e6:,.0f} MB): {what}")
            self._removed.clear()

    def _remove(self, record: Record) -> None:
        path = self._store.weights_path(record.spec)
        if path.is_file() and path.resolve() not in self._starts:
            self._removed.append(path.stat().st_size)
            path.unlink()


def _validation(record: Record) -> float:
    return record.best.validation_accuracy if record.best else 0.0
