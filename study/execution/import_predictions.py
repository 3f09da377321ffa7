"""Importing: somebody else's predictions become a record that is ranked and tested like any other."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.environment import provenance
from study.core.errors import UsageError
from study.core.files import file_sha256, write_atomically
from study.core.record import DatasetCard, Imported, Record
from study.core.spec import SPLITS, DatasetName, ModelName, Part, RunProtocol, Spec, Start
from study.core.store import Store, pack_arrays
from study.execution.predictions_file import TAKEN, Predictions, read_predictions

PROTOCOL = "imported"
FAMILY = "imported"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def import_predictions(
    path: Path, name: str, store: Store, seed: int = 0, log: Callable[[str], None] = lambda line: None
) -> Record:
    """Read predictions, check them against a study's images, and keep them as a record.

    The record's recipe is (``name``, ``imported``). Its spec holds the sha256 of the predictions, so that the same file
    gives the same record.

    Args:
        path: The csv, as ``study.execution.predictions_file.read_predictions`` takes it.
        name: What the predictions are called wherever they are shown.
        store: The study, with at least one record and its dataset file.
        seed: Number of the training run behind them, to tell several of one peer apart.
        log: Receives a line on how numbers were read, and a warning where another order would fit far better.

    Raises:
        DataError: the file is wrong.
        UsageError: the name is wrong or taken, or the study has nothing to compare with.
        StoreError: the store cannot be read or written.
    """
    card, dataset = _study(store)
    if not _NAME.fullmatch(name):
        raise UsageError(f"a name must be letters, digits, dots, dashes and underscores (at most 64), got {name!r}.")
    found = read_predictions(path, dataset, card.classes)
    for line in found.notes:
        log(line)
    spec = _spec(card, name, seed, found)
    for other in store.records():
        if other.spec.model.name != name:
            continue
        if not other.imported:
            raise UsageError(f"{name!r} is a model that study {store.study!r} trained: give another --name.")
        if other.spec.seed == seed and other.key != spec.key:
            raise UsageError(
                f"{name!r}, seed {seed}, has been imported with other predictions ({other.key}): give another --name "
                f"or --seed, or remove {store.record_path(other.spec)} first."
            )
    return store.keep(
        Record(
            spec=spec,
            status="done",
            dataset=card,
            imported=Imported(file_sha256=file_sha256(path), probabilities=found.probabilities, splits=found.splits),
            provenance=provenance(),
            arrays=dict(found.arrays),
        )
    )


def write_template(path: Path, store: Store) -> int:
    """Write a csv that names every image to be predicted, its label left open; return how many there are.

    Raises:
        UsageError: the study has no records or no dataset file.
        WriteError: the file cannot be written.
    """
    _, dataset = _study(store)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["image", "label"])
    taken = np.flatnonzero(np.isin(dataset["splits"], [SPLITS.index(split) for split in TAKEN]))
    rows.writerows([str(dataset["ids"][row]), ""] for row in taken)
    write_atomically(path, text.getvalue().encode())
    return len(taken)


def _study(store: Store) -> tuple[DatasetCard, Mapping[str, NDArray[Any]]]:
    """Return a study's dataset card and its labels, ids and splits."""
    records, dataset = store.records(), store.find_dataset()
    if not records or dataset is None:
        raise UsageError(
            f"study {store.study!r} in {store.results} has no records to compare with: run it first, or give --study."
        )
    return records[0].dataset, dataset


def _spec(card: DatasetCard, name: str, seed: int, found: Predictions) -> Spec:
    """Return a spec that says of the making of the predictions what is known: nothing but themselves."""
    return Spec(
        dataset=DatasetName(name=card.name, fingerprint=card.fingerprint),
        model=ModelName(name=name, version="1", family=FAMILY),
        protocol=RunProtocol(name=PROTOCOL, phases=(), sampling="not known", loss=Part(name="not known")),
        budget="not known",
        side_px=0,
        weights=Start(source="imported", sha256=hashlib.sha256(pack_arrays(found.arrays)).hexdigest()),
        precision="not known",
        backend="not known",
        seed=seed,
    )
