"""The record: what one run left, as JSON data beside an array file of predictions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.errors import StoreError
from study.core.record_form import misfit
from study.core.spec import Spec

FORMAT = 1
STATUSES = ("done", "failed", "skipped")
#: Names of the arrays that a done record carries: probabilities float32 (n, classes), plain and mirrored, labels int64
#: (n,).
PREDICTIONS = tuple(
    f"{split}_{what}" for split in ("validation", "test") for what in ("probabilities", "flipped", "labels")
)


@dataclass(frozen=True)
class Record:
    """One run's outcome.

    Attributes:
        spec: What was run.
        status: ``done``, ``failed`` or ``skipped``.
        dataset: The image set's card (``ImageSet.card``): classes, counts, split source and hashes, notes.
        reason: One line on why a run failed or was skipped; empty when done.
        traceback: The end of the traceback of a failed run, or empty.
        history: One row an epoch: ``phase`` (name), ``epoch`` (0-based, over all phases), ``updates`` (so far),
            ``rate``, ``loss``, ``accuracy`` (training batches as the network saw them), ``validation_loss``,
            ``validation_accuracy``, ``train_s``, ``validation_s``.
        outcome: ``best_epoch`` (row of ``history`` whose weights were kept), ``stopped`` (``patience`` or ``budget``,
            per phase), ``converged`` (False where the best epoch is the last one), ``sentences`` worth showing.
        timing: ``wall_s``, ``cpu_s``, ``train_s``, ``train_images_per_s``, ``predict_images_per_s``.
        cost: ``parameters``, ``trainable_parameters``, ``macs`` (one image), ``latency_single_ms``,
            ``latency_batch_ms``, ``latency_batch_size``, ``peak_memory_mb``.
        contamination: ``trained_on_test_ids``, ``test_copies_in_train``, ``validation_copies_in_train`` (images),
            ``selected_on_test`` (bool), ``leaky`` (bool).
        splits: The three splits that the run used: ``source`` (a sentence), ``counts`` (samples per class) and
            ``hashes`` of each, ``own_test`` (whether the predictions are on the image set's own test split). Empty in
            records from before it was kept: the image set's own.
        imported: Of predictions that were made elsewhere: ``file_sha256`` of what was imported, ``probabilities``
            (False where it gave labels alone; the arrays then hold ones and zeros), ``splits`` that it covers. Empty
            in records of runs.
        pretraining: What the file that it started from says of its making (``study.models.pretraining_info``): model,
            dataset, fingerprint, accuracy, epochs, side; of a file that was made elsewhere what was declared: dataset,
            images, licence, source. Empty where it started from none, or from a file that says nothing.
        provenance: Where and with what it was made: versions, commit, code hash, processor, threads, start time (UTC).
        weights_file: Name of the weights file beside the record, empty where none was kept.
        weights_sha256: sha256 of that file; empty without, and in records from before it was kept.
        predictions_sha256: sha256 of the array file; empty without predictions.
        arrays: The predictions (``PREDICTIONS``); empty until loaded. A split that is not the image set's own brings
            ``<split>_indices`` (int32, positions in the image set; n more for each changed copy), a test split of that
            kind ``test_seen`` too (uint8, 1 where the run trained on the image, 2 where on one of identical content,
            3 both). Runs that watched the test split have ``epoch_answers`` and ``epoch_true``, (epochs, test images);
            those that copied images before the split ``claim_answers`` and ``claim_labels`` (uint8) and
            ``claim_indices``: the test split as they would have reported it, copies included.
        paired: Records that came out of the same training; never stored with this one.
    """

    spec: Spec
    status: str
    dataset: Mapping[str, Any]
    reason: str = ""
    traceback: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)
    outcome: Mapping[str, Any] = field(default_factory=dict)
    timing: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, Any] = field(default_factory=dict)
    contamination: Mapping[str, Any] = field(default_factory=dict)
    splits: Mapping[str, Any] = field(default_factory=dict)
    imported: Mapping[str, Any] = field(default_factory=dict)
    pretraining: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    weights_file: str = ""
    weights_sha256: str = ""
    predictions_sha256: str = ""
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict, compare=False, repr=False)
    paired: tuple[Record, ...] = field(default=(), compare=False, repr=False)

    @property
    def key(self) -> str:
        """The run key."""
        return self.spec.key

    @property
    def superseded(self) -> str:
        """Why this record does not show what its spec says, or empty: a fault of the version that made it."""
        protocol = self.spec.protocol
        trained = [str(phase.get("trainable", "all")) for phase in protocol["phases"]]
        staged = any(one.startswith("blocks:") and after == "all" for one, after in itertools.pairwise(trained))
        if staged and protocol.get("transfer_version", 1) < 2:
            return "after a phase that trained some blocks, its phase that should train all trained these blocks alone"
        return ""

    @property
    def leaky(self) -> bool:
        """True where the run saw or chose on the test split; such runs are marked and never ranked."""
        return bool(self.contamination.get("leaky"))

    @property
    def has_probabilities(self) -> bool:
        """False where imported predictions are labels alone: what needs probabilities is blank for them."""
        return bool(self.imported.get("probabilities", True))

    @property
    def predictions(self) -> tuple[str, ...]:
        """The arrays that must come with this record when it is done."""
        if not self.imported:
            return PREDICTIONS
        return tuple(f"{split}_{what}" for split in self.imported["splits"] for what in ("probabilities", "labels"))

    @property
    def on_own_test(self) -> bool:
        """True where the predictions are on the image set's test split, so that the run compares with all others."""
        return bool(self.splits.get("own_test", True))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data without the arrays."""
        return {
            "format": FORMAT,
            "key": self.key,
            "status": self.status,
            "reason": self.reason,
            "traceback": self.traceback,
            "spec": self.spec.to_json(),
            "dataset": dict(self.dataset),
            "history": rounded(self.history),
            "outcome": rounded(self.outcome),
            "timing": rounded(self.timing),
            "cost": rounded(self.cost),
            "contamination": rounded(self.contamination),
            **({"splits": dict(self.splits)} if self.splits else {}),
            **({"imported": dict(self.imported)} if self.imported else {}),
            **({"pretraining": rounded(self.pretraining)} if self.pretraining else {}),
            "provenance": dict(self.provenance),
            "weights_file": self.weights_file,
            **({"weights_sha256": self.weights_sha256} if self.weights_sha256 else {}),
            "predictions_sha256": self.predictions_sha256,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str = "record") -> Record:
        """Build a record from ``to_json`` data.

        Raises:
            StoreError: another format, an unknown status, missing fields, or a key that the spec does not give.
        """
        try:
            if data["format"] != FORMAT:
                raise StoreError(
                    f"{where}: record format must be {FORMAT}, found {data['format']!r}: made by another version."
                )
            if data["status"] not in STATUSES:
                raise StoreError(f"{where}: status must be one of {', '.join(STATUSES)}, found {data['status']!r}.")
            if wrong := misfit(data):
                raise StoreError(f"{where}: not a record ({wrong}). Remove it and run again.")
            spec = Spec.from_json(data["spec"])
            elsewhere = ("spec", "arrays", "paired", "splits", "imported", "pretraining", "weights_sha256")
            fields = {name: data[name] for name in cls.__dataclass_fields__ if name not in elsewhere}
            record = cls(
                spec=spec,
                splits=data.get("splits", {}),
                imported=data.get("imported", {}),
                pretraining=data.get("pretraining", {}),
                weights_sha256=data.get("weights_sha256", ""),
                **fields,
            )
            if record.key != data["key"]:
                raise StoreError(
                    f"{where}: the key must follow from the spec, found {data['key']!r}, expected {record.key!r}."
                )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise StoreError(
                f"{where}: not a record ({type(error).__name__}: {error}). Remove it and run again."
            ) from error
        return record


def rounded(value: Any, digits: int = 6) -> Any:
    """Round every float in JSON data to significant digits; numpy scalars become Python's, nan and infinity None."""
    if isinstance(value, Mapping):
        return {str(key): rounded(item, digits) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item, digits) for item in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(f"{float(value):.{digits}g}") if np.isfinite(value) else None
    return value
