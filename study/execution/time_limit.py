"""The time limit of a command: what is still started, and how a run stops at an epoch's end with its checkpoint."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from study.planning.plan import PlannedRun
from study.training import checkpoint
from study.training.checkpoint import Arrays, checkpoints

#: Share of the time that is kept for the report.
FOR_THE_REPORT = 0.05


class Stopped(BaseException):
    """Raised in a run when its time is up, once its checkpoint is written: it has no record, and resumes another time.

    Not an ``Exception``, so that no run makes a failed record of it.
    """


class TimeLimit:
    """How long a command may take, from now on, in seconds.

    Attributes:
        ends: When (``time.time``) runs must have ended; a share of the time is left for the report.
    """

    def __init__(self, limit_s: float) -> None:
        self._runs_s = limit_s * (1 - FOR_THE_REPORT)
        self.ends = time.time() + self._runs_s

    def fits(self, run: PlannedRun, estimate_s: float, done: float) -> bool:
        """Return whether a run should be started.

        It should if it ends in time. One that is longer than the whole limit could never be started: it is trained in
        parts, as long as one more epoch fits.

        Args:
            run: The run.
            estimate_s: How long it takes from its start to its end.
            done: The share of it that its checkpoint holds.
        """
        left_s = self.ends - time.time()
        if estimate_s * (1 - done) <= left_s:
            return True
        return estimate_s > self._runs_s and run.speed.start_s + estimate_s / epochs(run) <= left_s


def epochs(run: PlannedRun) -> int:
    """Return the most epochs of a run, at least 1."""
    return max(1, sum(phase.epochs for phase in run.spec.protocol.phases))


def share_done(run: PlannedRun, folder: Any) -> float:
    """Return the share of a run, 0 to 1, that the checkpoints in its folder hold: they are numbered by epochs."""
    saved = checkpoints(folder)
    return min(1.0, (int(saved[-1].name[:6]) + 1) / epochs(run)) if saved else 0.0


@contextlib.contextmanager
def stopping_at(ends: float | None) -> Iterator[None]:
    """Let a run in the block raise ``Stopped`` after the first checkpoint from which another epoch would end too late.

    ``ends`` is when (``time.time``) the run must have ended; None for never.

    Training itself knows no time limit. Its code decides results, so a change there marks every record as "code changed
    since" and makes every checkpoint useless; hence the stop is put around its checkpoints from here.
    """
    plain = checkpoint.Checkpoint

    class Stopping(plain):  # type: ignore[misc,valid-type]
        def wants(self, epoch_s: float) -> bool:
            return self.no_time_for(epoch_s) or super().wants(epoch_s)  # in this order: what is saved is not counted

        def save(self, phase: int, state: Mapping[str, Any], arrays: Arrays) -> None:
            super().save(phase, state, arrays)
            last = state["history"][-1]
            if self.no_time_for(last["train_s"] + last["validation_s"]):
                raise Stopped

        def no_time_for(self, epoch_s: float) -> bool:
            return time.time() + epoch_s > (ends or 0.0)

    if ends is not None:
        checkpoint.Checkpoint = Stopping  # type: ignore[misc]
    try:
        yield
    finally:
        checkpoint.Checkpoint = plain  # type: ignore[misc]
