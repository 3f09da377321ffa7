"""Export: a run as self-contained files, each checked against the run before it gets its name."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.runs import accuracy, predicted
from study.analysis.scores import PairedScores
from study.core.errors import StudyError, UsageError, WeightsError
from study.core.files import file_sha256, make_folder, temporary_path, write_error
from study.core.record import Record
from study.core.store import Store
from study.trained.formats import FORMATS, INT8, MANIFEST, Call, Manifest, read_manifest, write_manifest
from study.trained.images import Sample, spread
from study.trained.runtime import in_batches
from study.trained.winner import retrain_command

#: Largest difference of a probability from the run's own that an export may have.
TOLERANCE = 1e-3
#: Largest difference from the stored predictions that other processors and precisions explain.
SAME_NETWORK = 0.05
#: Training images by which the ranges of the 8-bit model are measured.
REPRESENTATIVE = 256

Entry = dict[str, Any]


class Exporter:
    """Writes one run's network in any format.

    Raises:
        UsageError: ``folder`` holds the exports of another run, or the model entry is unknown or changed.
        WeightsError: the weights are missing, do not fit or do not give the run's stored predictions.
    """

    def __init__(self, store: Store, record: Record, folder: Path, sample: Sample) -> None:
        from study.models.fast.convolutions import ordinary_convolutions
        from study.trained.runtime import restore_network
        from study.training.predict import Predictor

        earlier = read_manifest(folder)
        if earlier is not None and earlier.key != record.key:
            raise UsageError(f"{folder} holds the exports of {earlier.key}: give another folder with --out.")
        self.record = record
        self.folder = folder
        self.sample = sample
        # Converters know float32 alone; in mixed precision the weights are float32 anyway.
        self.model = restore_network(store, record, "float32").model
        ordinary_convolutions(self.model)
        self.weights_sha256 = file_sha256(store.weights_path(record.spec))
        self._own: Call = Predictor(self.model)
        self._answers = self._own(sample.images)
        self._refuse_other_weights(store)
        self.entries: dict[str, Entry] = self._kept(earlier)

    def write(self, kind: str) -> Entry:
        """Write one format, check it and return what is known of it: ``file``, ``sha256``, ``bytes``, measurements.

        Raises:
            UsageError: it cannot be written, or its answers differ; no file is left.
        """
        path = self.folder / FORMATS[kind].file
        temporary = temporary_path(path)
        try:
            make_folder(self.folder)
            try:
                call = self._converted(kind, temporary)
                measured = self._measured_int8(call) if kind == INT8 else self._checked(kind, call)
                size = sum(file.stat().st_size for file in (temporary, *temporary.rglob("*")) if file.is_file())
                if temporary.is_dir():
                    _remove(path)
                temporary.replace(path)
            finally:
                _remove(temporary)
        except OSError as error:
            raise write_error(path, error) from error
        sha256 = file_sha256(path) if path.is_file() else ""
        entry = {"file": path.name, "sha256": sha256, "bytes": size, "checked_on": self.sample.what, **measured}
        self.entries[kind] = entry
        write_manifest(self.folder, self.record, self.weights_sha256, self.entries)
        return entry

    def _converted(self, kind: str, path: Path) -> Call:
        """Write a format to a path and open it as its users will."""
        from study.trained.convert import WRITERS, write_int8
        from study.training.banners import without_banners

        try:
            with without_banners():
                if kind == INT8:
                    images = self._image_set()
                    write_int8(self.model, path, images.images[spread(images.indices("train"), REPRESENTATIVE)])
                else:
                    WRITERS[kind](self.model, path)
                return FORMATS[kind].open(path)
        except (StudyError, OSError):
            raise
        except Exception as error:  # whatever a converter raises means that it cannot
            words = (str(error).strip().splitlines() or [""])[0][:200]
            raise UsageError(
                f"{self.record.key} cannot be exported as {kind} ({type(error).__name__}: {words}): "
                "leave this format out."
            ) from error

    def _checked(self, kind: str, call: Call) -> Entry:
        """Compare answers to all images, and to the first alone, since the number of images must be free."""
        images = self.sample.images
        difference = max(_largest(call(images[:n]), self._answers[:n]) for n in (len(images), 1))
        if not difference <= TOLERANCE:
            raise UsageError(
                f"the export of {self.record.key} as {kind} must give the run's own probabilities within "
                f"{TOLERANCE:g}, they differ by {difference:.2g} on {self.sample.what}: it was not kept."
            )
        return {"largest_difference": difference}

    def _measured_int8(self, call: Call) -> Entry:
        """Return accuracy on the validation split in 8 bits and in float32, with the interval of the difference."""
        image_set = self._image_set()
        places = image_set.indices("validation")
        images, labels = image_set.images[places], image_set.labels[places]
        exact, coarse = (in_batches(one, images, len(image_set.classes)) for one in (self._own, call))
        scores = PairedScores(labels, coarse.shape[1], image_set.hashes[places])
        found = scores.difference("accuracy", predicted(coarse)[None], predicted(exact)[None])
        return {
            "largest_difference": _largest(coarse, exact),
            "validation_images": len(labels),
            "validation_accuracy": accuracy(labels, coarse),
            "validation_accuracy_float32": accuracy(labels, exact),
            "gain": [found.value, found.low, found.high],
        }

    def _image_set(self) -> Any:
        if self.sample.image_set is None:
            raise UsageError(
                f"--int8 measures ranges on training images and accuracy on the validation split: give the dataset of "
                f"{self.record.key} ({self.record.dataset.name}) with --data PATH."
            )
        return self.sample.image_set

    def _refuse_other_weights(self, store: Store) -> None:
        """Refuse weights that do not answer as the record says, where that can be known."""
        stored = store.load_arrays(self.record).arrays
        if self.sample.image_set is None or "validation_indices" in stored:
            return
        rows = spread(np.arange(len(stored["validation_probabilities"])), len(self._answers))
        difference = _largest(self._answers, stored["validation_probabilities"][rows])
        if not difference <= SAME_NETWORK:
            raise WeightsError(
                f"the weights beside {self.record.key} must give its stored predictions, they differ by "
                f"{difference:.2g}: they belong to another training. Restore files that belong together, or remove "
                f"these weights and run `{retrain_command(store, self.record)}`."
            )

    def _kept(self, earlier: Manifest | None) -> dict[str, Entry]:
        """Return what the folder holds of these weights already; files made from others are removed."""
        if earlier is None:
            return {}
        if earlier.of(self.record) and earlier.weights_sha256 == self.weights_sha256:
            return {kind: one for kind, one in earlier.exports.items() if (self.folder / one["file"]).exists()}
        (self.folder / MANIFEST).unlink()
        for entry in earlier.exports.values():
            _remove(self.folder / entry["file"])
        return {}


def export_all(exporter: Exporter, kinds: Sequence[str], say: Callable[[str, Entry], None]) -> None:
    """Write several formats, tell each with what is known of it; one that cannot be kept does not stop the others.

    Raises:
        UsageError: some were refused; the message has every reason.
    """
    refused = []
    for kind in kinds:
        try:
            say(kind, exporter.write(kind))
        except UsageError as error:
            refused.append(str(error))
    if refused:
        raise UsageError(" ".join(refused))


def _largest(answers: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """Return the largest difference; infinite where shapes differ."""
    if answers.shape != others.shape:
        return float("inf")
    return float(np.max(np.abs(answers.astype(np.float64) - others)))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
