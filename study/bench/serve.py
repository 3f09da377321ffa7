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


class Server:
    """Turns of one contestant: what ``make(task, images, labels)`` of its file returns."""

    def __init__(self, file: Path, task: Task) -> None:
        found = importlib.util.spec_from_file_location(file.stem, file)
        assert found is not None and found.loader is not None
        module = importlib.util.module_from_spec(found)
        sys.modules[file.stem] = module
        found.loader.exec_module(module)
        self.contestant = module.make(task, *make_arrays(task))
        self._seconds_a_batch: dict[str, float] = {}

    def greeting(self) -> dict[str, Any]:
        """Return what is known of the network."""
        return {"parameters": int(self.contestant.parameters), "macs": int(self.contestant.macs)}

    def turn(self, ask: Mapping[str, Any]) -> dict[str, Any]:
        """Take a turn.

        Args:
            ask: ``measure`` (a method of the contestant) and ``seconds`` that it may take about (longer where that is
                less than ``LEAST_UPDATES``), or exactly how many ``batches``.
        """
        measure = ask["measure"]
        work = getattr(self.contestant, measure)
        if "batches" in ask:
            batches = int(ask["batches"])
        else:
            if measure not in self._seconds_a_batch:
                self._seconds_a_batch[measure] = _warm_up(work)
            least = LEAST_UPDATES if measure.startswith("train") else 1
            batches = max(least, round(ask["seconds"] / self._seconds_a_batch[measure]))
        processor = time.process_time()
        turn = work(batches)
        self._seconds_a_batch[measure] = turn.seconds / batches
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
    server = Server(Path(sys.argv[1]), Task(**json.loads(sys.argv[2])))
    print(json.dumps(server.greeting()), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(server.turn(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
