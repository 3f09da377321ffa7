"""The executor without workers: one run after the other in the driver's own process."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from study.datasets.image_set import ImageSet
from study.executors import Job, OnEvent
from study.record import Record
from study.training.banners import without_banners


def run_specs(
    jobs: Sequence[Job], image_set: ImageSet, *, workers: int, plugins: Sequence[str], on_event: OnEvent
) -> Generator[Record, None, None]:
    """Execute the jobs in order and yield each record, see ``study.executors.RunSpecs``. ``workers`` is one here."""
    from study.execute import execute

    for job in jobs:
        on_event(job.spec, {"kind": "start"})
        with without_banners():
            record = execute(
                job.spec,
                image_set,
                weights_path=job.start_weights,
                keep_weights=job.keep_weights,
                checkpoint_folder=job.checkpoints,
                progress=lambda event, spec=job.spec: on_event(spec, event),  # type: ignore[misc]
                plugins=plugins,
            )
        yield record
