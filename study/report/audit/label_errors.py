"""LabelErrors: the labels of an audited image set that a study's held-out predictions contradict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from study.analysis.label_errors import HeldOut, RankedLabels, held_out, rank_labels
from study.core.errors import DataError, StoreError

if TYPE_CHECKING:
    from study.core.store import Store
    from study.datasets.image_set import ImageSet


@dataclass(frozen=True)
class LabelErrors:
    """Labels under suspicion.

    Attributes:
        study: The study whose networks were asked.
        held_out: Their predictions.
        found: Confident learning on these; its rows count the images of ``held_out``.
    """

    study: str
    held_out: HeldOut
    found: RankedLabels


def find_label_errors(data: ImageSet, store: Store) -> LabelErrors:
    """Rank the labels of an image set by the predictions of a study's finished runs.

    Raises:
        DataError: the study was made from other images.
        StoreError: no finished run has predictions that can be used.
    """
    records = [record for record in store.records() if record.status == "done"]
    if not records:
        raise StoreError(
            f"study {store.study!r} has no finished runs in {store.results}: run it, or leave out --study."
        )
    known = records[0].dataset
    if known.fingerprint != data.fingerprint:
        raise DataError(
            f"the study must be made from the audited images, whose fingerprint is {data.fingerprint[:12]}, found "
            f"{known.name} ({known.fingerprint[:12]}) in study {store.study!r}. Give another --study."
        )
    predictions = held_out([store.load_arrays(record) for record in records], data.splits)
    if predictions is None:
        raise StoreError(f"study {store.study!r} has no honest run with finite predictions. Give another --study.")
    return LabelErrors(store.study, predictions, rank_labels(data.labels[predictions.rows], predictions.probabilities))
