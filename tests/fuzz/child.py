"""The process that reads mutated files: `python -m tests.fuzz.child TARGET FIRST LAST RESULTS`; it ends what hangs.

One line of JSON goes to RESULTS before each input and one after it, so that what kills this process is known too. Time
is the processor's: on a machine with many more processes than cores, a second of work takes many of the clock.
"""

from __future__ import annotations

import faulthandler
import json
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

#: Processor time for one input, what it may take by the clock (something that waits for ever takes no processor), and
#: memory beyond what the process takes once it has read its valid files.
LIMIT_S = 5.0
WAIT_S = 120.0
LIMIT_BYTES = 1 << 30


def main(name: str, first: int, last: int, results: str) -> None:
    """Read the inputs FIRST..LAST-1 of a target."""
    from study.core.environment import peak_memory_mb
    from study.core.errors import StudyError
    from tests.fuzz.targets import TARGETS

    target = TARGETS[name]
    faulthandler.register(signal.SIGPROF, all_threads=True, chain=True)  # the traceback, then the end
    warnings.simplefilter("ignore")  # a warning is no answer; strict_pillow makes errors of those that matter
    folder = Path(tempfile.mkdtemp(prefix="study-fuzz-"))
    try:
        seeds = target.seeds(folder)
        for seed in seeds:
            try:
                target.read(seed, folder)
            except StudyError:
                if target.seeds_work:
                    raise
            if not target.passes(seed):
                raise AssertionError(f"a valid {name} does not pass its own first check")
        with open(results, "a", encoding="utf-8") as file:
            if name != "weights-keras":  # TensorFlow reserves more than it uses; there the peak alone is watched
                limit = _virtual_bytes() + LIMIT_BYTES
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            for number in range(first, last):
                data = target.input(number, seeds)
                about = {"number": number, "passed": bool(target.passes(data))}
                _write(file, about)
                faulthandler.dump_traceback_later(WAIT_S, exit=True)
                signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
                started = time.process_time()
                try:
                    target.read(data, folder)
                    about["outcome"] = "read"
                except StudyError as error:
                    about["outcome"] = "refused"
                    about["message"] = str(error)[:300]
                except BaseException as error:
                    about["outcome"] = "traceback"
                    about["message"] = f"{type(error).__name__}: {error}"[:300]
                    about["traceback"] = traceback.format_exc()[-3000:]
                about["seconds"] = round(time.process_time() - started, 4)
                signal.setitimer(signal.ITIMER_PROF, 0)
                faulthandler.cancel_dump_traceback_later()
                about["peak_mib"] = int(peak_memory_mb())
                _write(file, about)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(file: object, about: dict[str, object]) -> None:
    file.write(json.dumps(about) + "\n")  # type: ignore[attr-defined]
    file.flush()  # type: ignore[attr-defined]


def _virtual_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
