"""One contestant in a process of its own: a line of JSON asks for a turn, a line of JSON answers."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from study.bench.task import LEAST_UPDATES, Task, make_arrays
from study.core.environment import peak_memory_mb

#: Before the first turn one batch is traced and a second one tells the pace; where that took less than so many
#: seconds, so many more batches tell it better.
SHORT_S, MORE_BATCHES = 0.5, 4


def load_contestant(file: Path, task: Task) -> Any:
    """Return the contestant: what ``make(task, images, labels)`` of its file returns."""
    found = importlib.util.spec_from_file_location(file.stem, file)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[file.stem] = module
    found.loader.exec_module(module)
    return module.make(task, *make_arrays(task))


def take_turn(contestant: Any, ask: Mapping[str, Any], paces: dict[str, float]) -> dict[str, Any]:
    """Let the contestant take a turn; ``paces`` keeps the seconds of a batch by measure.

    ``ask`` has ``measure`` (a method of the contestant) and ``seconds`` that it may take about (longer where that is
    less than ``LEAST_UPDATES``), or exactly how many ``batches``.
    """
    measure = ask["measure"]
    work = getattr(contestant, measure)
    if "batches" in ask:
        batches = int(ask["batches"])
    else:
        if measure not in paces:
            paces[measure] = _warm_up(work)
        least = LEAST_UPDATES if measure.startswith("train") else 1
        batches = max(least, round(ask["seconds"] / paces[measure]))
    processor = time.process_time()
    turn = work(batches)
    paces[measure] = turn.seconds / batches
    return {**asdict(turn), "cpu_s": time.process_time() - processor, "memory_mb": peak_memory_mb()}


def _warm_up(work: Any) -> float:
    """Return about how many seconds a batch takes once everything is traced."""
    work(1)
    seconds: float = work(1).seconds
    return seconds if seconds >= SHORT_S else work(MORE_BATCHES).seconds / MORE_BATCHES


def main() -> None:
    """Serve until the driver closes the pipe: ``python -m study.bench.serve FILE TASK``."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    contestant = load_contestant(Path(sys.argv[1]), Task(**json.loads(sys.argv[2])))
    greeting = {"parameters": int(contestant.parameters), "macs": int(contestant.macs)}
    print(json.dumps(greeting), file=answers, flush=True)
    paces: dict[str, float] = {}
    for line in sys.stdin:
        print(json.dumps(take_turn(contestant, json.loads(line), paces)), file=answers, flush=True)


if __name__ == "__main__":
    main()
