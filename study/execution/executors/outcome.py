"""Records of runs that could not make their own: of a dead worker, of one that took too long."""

from __future__ import annotations

import signal

from study.core.environment import provenance
from study.core.errors import StudyError
from study.core.record import Record
from study.core.spec import Spec
from study.datasets.image_set import ImageSet


class TimeLimitError(StudyError):
    """A run has taken longer than it may."""


def failed_record(spec: Spec, image_set: ImageSet, reason: str, tail: str = "") -> Record:
    """Return the record of a run that failed without one; ``tail`` is the end of what it printed."""
    return Record(
        spec=spec,
        status="failed",
        dataset=image_set.card(),
        reason=reason,
        traceback=tail,
        provenance=provenance(),
    )


def too_long(limit_s: float) -> str:
    """Return why a run failed that was ended for the time it took."""
    return f"took longer than a run may take ({limit_s / 60:g} min): give more with --run-limit"


def how_it_ended(code: int | None) -> str:
    """Return why a run failed whose worker process ended with an exit code; negative ones are signals."""
    if code is None or code >= 0:
        return f"the worker process exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hints = {
        "SIGKILL": "; the system may have run out of memory: use fewer --jobs",
        "SIGBUS": "; the file with its images may have been cut short: start again",
    }
    return f"the worker process was ended by {name}{hints.get(name, '')}"
