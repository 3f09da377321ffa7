"""An `execute` that trains nothing: records at once, with failures, deaths and slowness on demand."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from study.core.environment import provenance
from study.core.errors import WriteError
from study.core.record import Cost, Epoch, Outcome, Record, Timing
from study.core.spec import Spec, derive_seed
from study.datasets.image_set import ImageSet
from study.execution.executors import Job
from study.execution.run_one import contamination
from study.execution.time_limit import Stopped


def done_record(spec: Spec, image_set: ImageSet) -> Record:
    """Return a finished record whose predictions follow from the spec."""
    rng = np.random.default_rng(derive_seed(spec.seed, *spec.recipe))
    arrays: dict[str, Any] = {}
    for split in ("validation", "test"):
        labels = image_set.labels[image_set.indices(split)]
        arrays[f"{split}_labels"] = labels
        for what in ("probabilities", "flipped"):
            odds = rng.random((len(labels), len(image_set.classes))) + np.eye(len(image_set.classes))[labels]
            arrays[f"{split}_{what}"] = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    row = Epoch(
        phase="all", epoch=0, updates=1, rate=1e-3, loss=1.0, accuracy=0.5, validation_loss=1.0,
        validation_accuracy=0.5, train_s=0.1, validation_s=0.1,
    )  # fmt: skip
    return Record(
        spec=spec, status="done", dataset=image_set.card(), history=(row,),
        outcome=Outcome(best_epoch=0, stopped=("budget",)),
        timing=Timing(wall_s=1.0, cpu_s=1.0, train_s=0.1, train_images_per_s=100.0, predict_images_per_s=1e3),
        cost=Cost(
            parameters=10, macs=10, latency_single_ms=1.0, latency_batch_ms=1.0, latency_batch_size=64,
            peak_memory_mb=1.0,
        ),
        contamination=contamination(image_set, spec), provenance=provenance(), arrays=arrays,
    )  # fmt: skip


def failed_record(spec: Spec, image_set: ImageSet) -> Record:
    """Return a failed record."""
    return Record(
        spec=spec, status="failed", dataset=image_set.card(), reason="broken on purpose", provenance=provenance()
    )


def execute_in_worker(job: Job, image_set: ImageSet, report: Any, plugins: Any) -> Record:
    """Behave by the seed: 1 exits, 2 is killed, 3 waits, 4 finds the disk full, 5 leaves a child behind and dies, 6
    goes to another folder, 9 stops; the rest tell about their worker.
    """
    report({"kind": "phase", "phase": "all", "epochs": 1})
    print(f"this is seed {job.spec.seed}", flush=True)
    if job.spec.seed == 1:
        print("last words", flush=True)
        os._exit(3)
    if job.spec.seed == 2:
        os.kill(os.getpid(), 9)
    if job.spec.seed == 3:
        Path(str(job.checkpoints)).write_text(str(os.getpid()))
        time.sleep(60)
    if job.spec.seed == 9:
        raise Stopped
    if job.spec.seed == 4:
        raise WriteError("cannot write x (No space left on device). Free space.")
    if job.spec.seed == 5:
        if (child := os.fork()) == 0:
            time.sleep(60)
        if job.checkpoints:
            job.checkpoints.write_text(str(child))
        os._exit(7)
    folder = os.getcwd()
    if job.spec.seed == 6:
        os.chdir("/")
    record = done_record(job.spec, image_set)
    facts = {"pid": os.getpid(), "omp": os.environ["OMP_NUM_THREADS"]}
    facts["folder"] = folder
    facts["mapped"] = isinstance(image_set.images, np.memmap)
    return replace(record, cost=facts)  # type: ignore[arg-type]  # what the test asks about


def sleep_in_worker(job: Job, image_set: ImageSet, report: Any, plugins: Any) -> Record:
    """Take a tenth of a second for every thousand of the seed, without a processor."""
    time.sleep(job.spec.seed // 1000 / 10)
    return done_record(job.spec, image_set)


class FakeExecute:
    """Stands in for `study.execution.run_one.execute`; the names in `failing` fail, seed 9 stops."""

    def __init__(self, failing: tuple[str, ...] = ()) -> None:
        self.failing = failing
        self.executed: list[Spec] = []

    def __call__(self, spec: Spec, image_set: ImageSet, *, progress: Any, **_: Any) -> Record:
        self.executed.append(spec)
        if spec.seed == 9:
            progress({"kind": "phase", "phase": "all", "epochs": 1})
            raise Stopped
        if spec.model.name in self.failing:
            return failed_record(spec, image_set)
        record = done_record(spec, image_set)
        progress({"kind": "phase", "phase": "all", "epochs": 1})
        progress(
            {"kind": "epoch", "phase": "all", "epoch": 0, "epochs": 1, "row": record.history[0].to_json(), "best": 0.5}
        )
        progress({"kind": "predict", "phase": "predict", "epoch": 1, "epochs": 1})
        return record
