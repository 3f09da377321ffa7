"""The record: what one run left, as JSON data beside an array file of predictions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from study.core.errors import StoreError
from study.core.spec import Spec, Stored, plain

#: 1: until November 2026, see ``study.core.convert``.
FORMAT = 2
STATUSES = ("done", "failed", "skipped")
#: Names of the arrays that a done record carries: probabilities float32 (n, classes), plain and mirrored, labels int64
#: (n,).
PREDICTIONS = tuple(
    f"{split}_{what}" for split in ("validation", "test") for what in ("probabilities", "flipped", "labels")
)
#: A number of a file that may come from anywhere: counts fit into 64 bits, so that no reader overflows.
Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Text = Annotated[str, msgspec.Meta(max_length=20_000)]


class DatasetCard(Stored, frozen=True):
    """What a record says about its image set."""

    name: Text  #: Name of the image set.
    fingerprint: Text  #: sha256 of images, labels, classes, ids and splits.
    classes: tuple[Text, ...]  #: Class names in label order.
    image_shape: tuple[Count, Count, Count]  #: Height, width and channels.
    counts: dict[str, tuple[Count, ...]]  #: Images per class, by split.
    split_source: Text  #: One sentence on where the split comes from.
    split_hashes: dict[str, Text]  #: sha256 of each split's ids, contents and labels.
    drawn: bool = False  #: Whether the images are drawn, not photographed.
    bound: float | None = None  #: The best accuracy that the images allow, where that is known.
    notes: tuple[Text, ...] = ()  #: Sentences that every report repeats.
    settings: dict[str, str | int | float | bool | None] = {}  #: Settings of drawn faces.

    @property
    def majority_share(self) -> float:
        """Share of the most frequent training class in the test split: what a network scores that looks at nothing."""
        train, test = self.counts["train"], self.counts["test"]
        return test[train.index(max(train))] / sum(test)


class Epoch(Stored, frozen=True):
    """One epoch of training."""

    phase: Text  #: Name of its phase.
    epoch: Count  #: Number over all phases, from 0.
    updates: Count  #: Weight updates so far.
    rate: float  #: Learning rate at its start.
    loss: float  #: Mean training loss, over batches as the network saw them.
    accuracy: float  #: Training accuracy, likewise.
    validation_loss: float  #: Mean cross-entropy on the validation split.
    validation_accuracy: float  #: Accuracy there.
    validation_brier: float | None = None  #: Mean Brier score there; None in records from before it was kept.
    train_s: float = 0.0  #: Seconds of training.
    validation_s: float = 0.0  #: Seconds of predicting the validation split.


class Outcome(Stored, frozen=True):
    """Which weights were kept."""

    best_epoch: Count  #: Row of the history whose weights were kept.
    stopped: tuple[Literal["patience", "budget"], ...] = ()  #: ``patience`` or ``budget``, for each phase.
    converged: bool = True  #: False where the kept epoch is the last one although a better one was looked for.


class Timing(Stored, frozen=True):
    """Seconds and rates of a run; None where they were not measured."""

    wall_s: float | None = None  #: Of the process that finished the run; what came before a resumption is not in it.
    cpu_s: float | None = None  #: Likewise.
    train_s: float | None = None
    train_images_per_s: float | None = None
    predict_images_per_s: float | None = None


class Cost(Stored, frozen=True):
    """What a network costs; None where it was not measured."""

    parameters: Count | None = None  #: All its numbers.
    macs: Count | None = None  #: Multiply-accumulates of one image.
    latency_single_ms: float | None = None  #: Milliseconds of one image.
    latency_single_ms_sd: float | None = None  #: Standard deviation of that over repetitions.
    latency_batch_ms: float | None = None  #: Milliseconds of a batch.
    latency_batch_ms_sd: float | None = None  #: Standard deviation of that.
    latency_batch_size: Count | None = None  #: Images in that batch.
    peak_memory_mb: float | None = None  #: Peak resident memory of the training process in MiB.


class Contamination(Stored, frozen=True):
    """What a run's training and choices saw of its test split (``study.protocols.contamination``)."""

    trained_on_test_ids: Count = 0  #: Test images that were trained on.
    test_copies_in_train: Count = 0  #: Test images with an identical copy in the training split.
    validation_copies_in_train: Count = 0  #: Validation images with one.
    selected_on_test: bool = False  #: Whether any choice looked at the test split.
    leaky: bool = False  #: Whether the run is marked and never ranked.


class SplitFacts(Stored, frozen=True):
    """The three splits that a run used."""

    source: Text  #: One sentence on where they come from.
    counts: dict[str, tuple[Count, ...]]  #: Samples per class, by split.
    hashes: dict[str, Text]  #: sha256 of each split.
    own_test: bool = True  #: Whether the predictions are on the image set's own test split.


class Imported(Stored, frozen=True):
    """Predictions that were made elsewhere."""

    file_sha256: Text  #: Of the file that was imported.
    splits: tuple[Literal["validation", "test"], ...]  #: Splits that it covers.
    probabilities: bool = True  #: False where it gave labels alone; the arrays then hold ones and zeros.


class Pretraining(Stored, frozen=True):
    """What the weights that a run started from were trained on, as their file says.

    Either ``study pretrain`` measured it, and then ``epochs``, ``test_accuracy`` and the other figures are there; or
    somebody declared it for a file from elsewhere, and then ``licence`` and ``source`` are.
    """

    dataset: Text  #: What the weights were trained on.
    images: Count  #: Number of training images.
    licence: Text = ""  #: Licence of the weights (declared).
    source: Text = ""  #: Where the file comes from (declared).
    model: Text = ""  #: Entry that was trained.
    version: Text = ""  #: Its version.
    fingerprint: Text = ""  #: Fingerprint of the image set.
    classes: Count = 0  #: Number of its classes.
    side_px: Count = 0  #: Input side in pixels.
    epochs: Count = 0  #: Epochs of the pretraining.
    best_epoch: Count = 0  #: The epoch that was kept, from 1.
    updates: Count = 0  #: Its weight updates.
    batch: Count = 0  #: Images an update.
    rate: float = 0.0  #: First learning rate.
    seed: Count = 0  #: Seed.
    precision: Text = ""  #: Keras' dtype policy.
    #: Accuracy on that image set's validation split.
    validation_accuracy: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    test_accuracy: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0  #: Accuracy on its test split.
    plan: Text = ""  #: Hash of the pretraining's spec.
    code: Text = ""  #: Hash of the code that made it.
    commit: Text = ""  #: Commit of that code.

    @property
    def declared(self) -> bool:
        """True where somebody declared it, and `study pretrain` did not measure it."""
        return bool(self.source)

    def words(self) -> str:
        """Return in one line what the weights were trained on: how long and how well, or as declared.

        >>> Pretraining(dataset="ImageNet", images=1281167, licence="MIT", source="a package").words()
        'declared as pretrained on ImageNet (1,281,167 images; licence MIT; source a package)'
        """
        if self.declared:
            return (
                f"declared as pretrained on {self.dataset} ({self.images:,} images; licence {self.licence}; "
                f"source {self.source})"
            )
        epochs = f"{self.epochs} epoch{'s' if self.epochs != 1 else ''}"
        return (
            f"pretrained on {self.dataset} ({self.images:,} images of {self.classes} classes, {epochs} at "
            f"{self.side_px} px, test accuracy {100 * self.test_accuracy:.1f} %)"
        )


class Provenance(Stored, frozen=True):
    """Where and with what a record was made; no paths and no host names."""

    study: Text = ""  #: Version of this package.
    commit: Text = ""  #: Commit of the checkout, with ``+changes`` where its sources differ.
    code: Text = ""  #: Hash of the sources that decide results.
    python: Text = ""  #: Version of Python.
    versions: dict[str, Text] = {}  #: Versions of the packages that a result depends on.
    system: Text = ""  #: Operating system and architecture.
    processor: Text = ""  #: Name of the processor.
    device: Text = ""  #: Name of the accelerator; empty for none.
    threads: Count = 0  #: Threads of the backend.
    started: Text = ""  #: Start time in UTC, ISO 8601.


class Record(Stored, frozen=True):
    """One run's outcome."""

    spec: Spec  #: What was run.
    status: Literal["done", "failed", "skipped"]  #: ``done``, ``failed`` or ``skipped``.
    dataset: DatasetCard  #: The image set.
    reason: Text = ""  #: One line on why a run failed or was skipped; empty when done.
    traceback: Text = ""  #: The end of the traceback of a failed run, or empty.
    history: tuple[Epoch, ...] = ()  #: One row an epoch.
    outcome: Outcome | None = None  #: Which weights were kept; None where the run did not end.
    timing: Timing = Timing()  #: Seconds and rates.
    cost: Cost = Cost()  #: Size and speed of the network.
    contamination: Contamination = Contamination()  #: What of the test split it saw.
    #: The three splits that it used; None in failed runs that did not come to split, and in imports.
    splits: SplitFacts | None = None
    imported: Imported | None = None  #: Of predictions that were made elsewhere; None for runs.
    #: What its first weights were trained on; None where it started from none, or from a file that says nothing.
    pretraining: Pretraining | None = None
    provenance: Provenance = Provenance()  #: Where and with what it was made.
    weights_file: Text = ""  #: Name of the weights file beside the record, empty where none was kept.
    weights_sha256: Text = ""  #: sha256 of that file.
    predictions_sha256: Text = ""  #: sha256 of the array file; empty without predictions.
    #: The predictions (``PREDICTIONS``), not part of the JSON; empty until loaded. A split that is not the image set's
    #: own brings ``<split>_indices`` (int32, positions in the image set; n more for each changed copy), a test split of
    #: that kind ``test_seen`` too (uint8, 1 where the run trained on the image, 2 where on one of identical content, 3
    #: both). Runs that monitored the test split have ``epoch_answers`` and ``epoch_true``, (epochs, test images); those
    #: that copied images before the split ``claim_answers`` and ``claim_labels`` (uint8) and ``claim_indices``: the
    #: test split as they would have reported it, copies included.
    arrays: dict[str, Any] = {}
    paired: tuple[Any, ...] = ()  #: Records that came out of the same training; never stored with this one.

    @property
    def key(self) -> str:
        """The run key."""
        return self.spec.key

    @property
    def superseded(self) -> str:
        """Why this record does not show what its spec says, or empty: a fault of the version that made it."""
        trained = [phase.trainable for phase in self.spec.protocol.phases]
        staged = any(one.startswith("blocks:") and after == "all" for one, after in itertools.pairwise(trained))
        if staged and self.spec.protocol.transfer_version < 2:
            return "after a phase that trained some blocks, its phase that should train all trained these blocks alone"
        return ""

    @property
    def leaky(self) -> bool:
        """True where the run saw or chose on the test split; such runs are marked and never ranked."""
        return self.contamination.leaky

    @property
    def has_probabilities(self) -> bool:
        """False where imported predictions are labels alone: what needs probabilities is blank for them."""
        return self.imported is None or self.imported.probabilities

    @property
    def predictions(self) -> tuple[str, ...]:
        """The arrays that must come with this record when it is done."""
        if self.imported is None:
            return PREDICTIONS
        return tuple(f"{split}_{what}" for split in self.imported.splits for what in ("probabilities", "labels"))

    @property
    def on_own_test(self) -> bool:
        """True where the predictions are on the image set's test split, so that the run compares with all others."""
        return self.splits is None or self.splits.own_test

    @property
    def kept(self) -> Outcome:
        """The outcome of a done run.

        Raises:
            StoreError: the run is not done.
        """
        if self.outcome is None:
            raise StoreError(f"{self.key} is {self.status} and kept no weights.")
        return self.outcome

    @property
    def best(self) -> Epoch | None:
        """The epoch whose weights were kept, or None where the record tells of none."""
        return self.history[self.outcome.best_epoch] if self.outcome and self.history else None

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> Record:
        """Return the record with its predictions."""
        return replace(self, arrays=dict(arrays))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data without the arrays, floats rounded to six digits, with format and key."""
        data = plain(replace(self, arrays={}, paired=()))
        spec = data.pop("spec")
        return {"format": FORMAT, "key": self.key, "spec": spec, **rounded(data)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str = "record") -> Record:
        """Build a record from ``to_json`` data.

        Raises:
            StoreError: another format, missing or impossible fields, or a key that the spec does not give.
        """
        fields = dict(data)
        if (found := fields.pop("format", None)) != FORMAT:
            what = "Convert it: study convert." if found == 1 else "It was made by another version."
            raise StoreError(f"{where}: record format must be {FORMAT}, found {str(found)[:20]}. {what}")
        key = fields.pop("key", None)
        try:
            record = msgspec.convert(fields, cls)
        except (ValueError, OverflowError, RecursionError) as error:  # ValidationError is a ValueError
            raise StoreError(f"{where}: not a record ({error}). Remove it and run again.") from error
        if wrong := record.contradiction():
            raise StoreError(f"{where}: not a record ({wrong}). Remove it and run again.")
        try:
            expected = record.key
        except ValueError as error:  # letters that no file can hold
            raise StoreError(f"{where}: not a record ({type(error).__name__}). Remove it and run again.") from error
        if expected != key:
            raise StoreError(
                f"{where}: the key must follow from the spec, found {str(key)[:99]!r}, expected {expected!r}."
            )
        return record

    def contradiction(self) -> str:
        """Return what is of the right types and yet cannot be; empty where nothing is."""
        card, epochs = self.dataset, len(self.history)
        if self.status == "done" and self.imported is None and self.outcome is None:
            return "a done run has no outcome"
        if self.outcome is not None and epochs and self.outcome.best_epoch >= epochs:
            return f"best_epoch is {self.outcome.best_epoch} of {epochs} epochs"
        if min(card.image_shape) < 1:
            return f"image_shape is {card.image_shape}"
        if len(set(card.classes)) != len(card.classes) or len(card.classes) < 2:
            return "classes are fewer than two or not different"
        wrong = next((name for name, row in card.counts.items() if len(row) != len(card.classes)), None)
        return "" if wrong is None else f"counts of {wrong!r} are not one a class"


def misfit(arrays: Mapping[str, NDArray[Any]], classes: int) -> str:
    """Return which of a record's arrays cannot be what its name says; empty where all can."""
    kinds = {"probabilities": "f", "flipped": "f", "views": "f", "labels": "iu", "indices": "iu", "seen": "iu"}
    for name, array in arrays.items():
        split, _, what = name.rpartition("_")
        if what not in kinds:
            continue
        table = kinds[what] == "f"
        if array.dtype.kind not in kinds[what] or array.ndim != 1 + table:
            return f"{name} is {array.dtype} {array.shape}"
        if table:
            labels = arrays.get(f"{split}_labels")
            if array.shape[1] != classes or labels is None or array.shape[:1] != labels.shape or not len(array):
                return f"{name} is {array.shape}, with {classes} classes and other labels"
        if what == "labels" and array.size and not 0 <= array.min() <= array.max() < classes:
            return f"{name} lie in {array.min()}..{array.max()}, with {classes} classes"
    return ""


def rounded(value: Any, digits: int = 6) -> Any:
    """Round every float in JSON data to significant digits; numpy scalars become Python's, nan and infinity None.

    >>> rounded({"a": 1 / 3, "b": [float("nan"), 2]})
    {'a': 0.333333, 'b': [None, 2]}
    """
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
