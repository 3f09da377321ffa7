"""The work: a plan's open runs, handed out one by one to whoever locks them first, and their records stored once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass
class Work:
    """The open runs as jobs for an executor; each is locked before it is given out.

    Iterating gives None while all that is left is being done by other drivers, and ends when nothing is left.
    """

    runs: Sequence[PlannedRun]  #: The open runs, in order.
    store: Store  #: Where records go.
    locks: Locks  #: This driver's locks.
    display: PlainDisplay  #: Shows what happens, here and in other drivers.
    estimates: Estimates | None = None  #: How long the runs take; None for the plan's own, whatever is measured.
    limit: TimeLimit | None = None  #: How long this driver may take.
    keep_weights: bool = True  #: Whether runs leave their weights.
    #: The runs that were not started or stopped because the time was up.
    stopped: list[PlannedRun] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._waiting = list(self.runs)
        self._mine: dict[str, tuple[PlannedRun, Lock]] = {}

    def __iter__(self) -> Iterator[Job | None]:
        while self._waiting or self._mine:
            if self.limit:
                self._leave_what_does_not_fit(self.limit)
            if self._waiting or self._mine:
                yield self._next()

    def on_event(self, spec: Spec, event: Mapping[str, Any]) -> None:
        """Show an event of a run.

        Raises:
            Abandoned: another driver has taken the run over.
        """
        if not self._mine[spec.key][1].holds:
            self._give_up(spec)
            if event["kind"] == "stopped":  # it has ended by itself, there is nothing to abandon
                return
            raise Abandoned
        if event["kind"] == "stopped":
            run, lock = self._mine.pop(spec.key)
            self.locks.release(lock)
            self.stopped.append(run)
        elif event["kind"] == "epoch" and self.estimates and self.estimates.on_epoch(spec, event["row"]):
            self.display.remaining.estimate(self.estimates.seconds)
        self.display.on_event(spec, event)

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
            if (there := self.store.find(other.spec)) is None or there.status != "done":
                self.store.keep(other)
        kept = self.store.keep(record)
        if kept.status == "done":
            discard(self.store.checkpoint_folder(kept.spec))
        del self._mine[kept.key]
        self.locks.release(lock)
        self.display.on_record(kept)

    def _next(self) -> Job | None:
        """Lock the first run that can be had."""
        for run in list(self._waiting):
            if self._ended_elsewhere(run) or (lock := self.locks.take(lock_name(run.spec))) is None:
                continue
            if self._ended_elsewhere(run):  # just before it was locked
                self.locks.release(lock)
                continue
            self._waiting.remove(run)
            self._mine[run.spec.key] = run, lock
            return Job(
                run.spec,
                run.planned.weights.path,
                self.store.weights_path(run.spec) if self.keep_weights else None,
                self.store.checkpoint_folder(run.spec),
                self.limit.ends if self.limit else None,
            )
        if self._waiting and not self._mine:
            owners = {self.locks.owner(lock_name(run.spec)) for run in self._waiting} - {""}
            self.display.on_waiting(len(self._waiting), sorted(owners))
        return None

    def _leave_what_does_not_fit(self, limit: TimeLimit) -> None:
        """Take the runs out that are not started any more; what is under way ends or stops by itself."""
        for run in list(self._waiting):
            seconds = self.estimates.seconds[run.spec.key] if self.estimates else run.estimate_s
            if not limit.fits(run, seconds, share_done(run, self.store.checkpoint_folder(run.spec))):
                self._waiting.remove(run)
                self.stopped.append(run)

    def _ended_elsewhere(self, run: PlannedRun) -> bool:
        """Return whether another driver has stored the run's record since the plan was made; it is then shown."""
        record = self.store.find(run.spec)
        if record is None or record == run.record:
            return False
        self._waiting.remove(run)
        self.display.on_record(record, elsewhere=True)
        return True

    def _give_up(self, spec: Spec) -> None:
        run, lock = self._mine.pop(spec.key)
        self.locks.release(lock)
        self._waiting.append(run)
        self.display.on_event(spec, {"kind": "note", "text": "another driver has taken it over, it goes on there"})


def lock_name(spec: Spec) -> str:
    """Return the name that a run is locked by; runs that come out of one training share it."""
    other = paired_protocol(spec.protocol)
    if other is None:
        return spec.key
    return min(spec.key, replace(spec, protocol=other).key)
