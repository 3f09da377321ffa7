"""The work: a plan's open runs, handed out one by one to whoever locks them first, and their records stored once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from study.core.record import Record
from study.core.spec import Spec
from study.core.store import Store
from study.execution.executors import Abandoned, Job
from study.execution.locks import Lock, Locks
from study.execution.progress import PlainDisplay
from study.execution.time_limit import TimeLimit, share_done
from study.planning.plan import Estimates, PlannedRun
from study.protocols.resolve import paired_protocol
from study.training.checkpoint import discard


class Work:
    """The open runs as jobs for an executor; each is locked before it is given out.

    Iterating gives None while all that is left is being done by other drivers, and ends when nothing is left.

    Args:
        runs: The open runs, in order.
        store: Where records go.
        locks: This driver's locks.
        display: Shows what happens, here and in other drivers.
        estimates: How long the runs take; None for the plan's own, whatever is measured.
        limit: How long this driver may take, or None.
        keep_weights: Whether runs leave their weights.

    Attributes:
        stopped: The runs that were not started or stopped because the time was up.
    """

    def __init__(
        self,
        runs: Sequence[PlannedRun],
        store: Store,
        locks: Locks,
        display: PlainDisplay,
        *,
        estimates: Estimates | None = None,
        limit: TimeLimit | None = None,
        keep_weights: bool = True,
    ) -> None:
        self._store = store
        self._locks = locks
        self._display = display
        self._estimates = estimates
        self._limit = limit
        self._keep_weights = keep_weights
        self._waiting = list(runs)
        self._mine: dict[str, tuple[PlannedRun, Lock]] = {}
        self.stopped: list[PlannedRun] = []

    def __iter__(self) -> Iterator[Job | None]:
        while self._waiting or self._mine:
            if self._limit:
                self._leave_what_does_not_fit(self._limit)
            if self._waiting or self._mine:
                yield self._next()

    def on_event(self, spec: Spec, event: Mapping[str, Any]) -> None:
        """Show an event of a run.

        Raises:
            Abandoned: another driver has taken the run over.
        """
        if not self._mine[spec.key][1].holds:
            self._give_up(spec)
            raise Abandoned
        if event["kind"] == "stopped":
            run, lock = self._mine.pop(spec.key)
            self._locks.release(lock)
            self.stopped.append(run)
        elif event["kind"] == "epoch" and self._estimates and self._estimates.on_epoch(spec, event["row"]):
            self._display.remaining.estimate(self._estimates.seconds)
        self._display.on_event(spec, event)

    def keep(self, record: Record) -> None:
        """Store a record, after those of the same training, and let go of its run; not where another driver has it.

        Raises:
            WriteError: it cannot be written; the run's checkpoint stays.
        """
        lock = self._mine[record.key][1]
        if not lock.holds:
            self._give_up(record.spec)
            return
        for other in record.paired:
            if (there := self._store.find(other.spec)) is None or there.status != "done":
                self._store.keep(other)
        kept = self._store.keep(record)
        if kept.status == "done":
            discard(self._store.checkpoint_folder(kept.spec))
        del self._mine[kept.key]
        self._locks.release(lock)
        self._display.on_record(kept)

    def _next(self) -> Job | None:
        """Lock the first run that can be had."""
        for run in list(self._waiting):
            if self._ended_elsewhere(run) or (lock := self._locks.take(lock_name(run.spec))) is None:
                continue
            if self._ended_elsewhere(run):  # just before it was locked
                self._locks.release(lock)
                continue
            self._waiting.remove(run)
            self._mine[run.spec.key] = run, lock
            return Job(
                run.spec,
                run.planned.weights.path,
                self._store.weights_path(run.spec) if self._keep_weights else None,
                self._store.checkpoint_folder(run.spec),
                self._limit.ends if self._limit else None,
            )
        if self._waiting and not self._mine:
            owners = {self._locks.owner(lock_name(run.spec)) for run in self._waiting} - {""}
            self._display.on_waiting(len(self._waiting), sorted(owners))
        return None

    def _leave_what_does_not_fit(self, limit: TimeLimit) -> None:
        """Take the runs out that are not started any more; what is under way ends or stops by itself."""
        for run in list(self._waiting):
            seconds = self._estimates.seconds[run.spec.key] if self._estimates else run.estimate_s
            if not limit.fits(run, seconds, share_done(run, self._store.checkpoint_folder(run.spec))):
                self._waiting.remove(run)
                self.stopped.append(run)

    def _ended_elsewhere(self, run: PlannedRun) -> bool:
        """Return whether another driver has stored the run's record since the plan was made; it is then shown."""
        record = self._store.find(run.spec)
        if record is None or record == run.record:
            return False
        self._waiting.remove(run)
        self._display.on_record(record, elsewhere=True)
        return True

    def _give_up(self, spec: Spec) -> None:
        run, lock = self._mine.pop(spec.key)
        self._locks.release(lock)
        self._waiting.append(run)
        self._display.on_event(spec, {"kind": "note", "text": "another driver has taken it over, it goes on there"})


def lock_name(spec: Spec) -> str:
    """Return the name that a run is locked by; runs that come out of one training share it."""
    other = paired_protocol(spec.protocol)
    if other is None:
        return spec.key
    return min(spec.key, replace(spec, protocol=other).key)
