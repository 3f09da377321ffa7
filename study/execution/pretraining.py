"""Pretraining: a transfer entry trained on another task, and its body written as a file that runs start from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.core.errors import StudyError, UsageError, WeightsError
from study.core.record import Pretraining, Record
from study.core.spec import Spec, Start
from study.datasets.image_set import ImageSet
from study.execution.run_one import execute
from study.models.entry import ModelEntry
from study.models.pretraining_info import read_pretraining
from study.protocols import PhasePlan, Protocol, resolve
from study.protocols.piece import part
from study.protocols.protocol import ADAM
from study.training.banners import without_banners
from study.training.checkpoint import discard

#: What every file of weights here is called, because Keras wants it so.
SUFFIX = ".weights.h5"
#: What most images of things bear without becoming others; `study pretrain --no-augment` leaves it out.
AUGMENTATION = (part("affine", flip=True, translation=0.1),)


@dataclass(frozen=True)
class Settings:
    """How a body is trained on its pretraining task."""

    epochs: int = 10  #: Passes over the training split; the rate falls to zero over them (cosine).
    side_px: int | None = None  #: Input side in pixels; None for the images' own, but at least the entry's minimum.
    batch: int = 64  #: Images an update.
    rate: float = 1e-3  #: Adam's first learning rate.
    augment: bool = True  #: Whether images are mirrored and shifted by up to a tenth.
    seed: int = 0  #: Seed of the run.
    precision: str = "float32"  #: Keras' dtype policy.
    backend: str = "tensorflow"  #: Keras' backend.


def pretraining_spec(entry: ModelEntry, image_set: ImageSet, settings: Settings) -> Spec:
    """Return the spec of the pretraining run: all of the network from random weights, one phase.

    Raises:
        UsageError: a custom entry, which has no body to pass on, or a side below the entry's minimum.
    """
    if entry.family != "transfer":
        raise UsageError(
            f"{entry.name} has no body to pretrain (its family is {entry.family}): name a transfer entry, "
            "`study list` shows them."
        )
    side_px = settings.side_px or max(image_set.image_shape[0], entry.minimum_side_px)
    if side_px < entry.minimum_side_px:
        raise UsageError(
            f"{entry.name} takes sides from {entry.minimum_side_px} px, got {side_px}: give a larger --side."
        )
    phase = PhasePlan(
        "all", "stage", "all", ADAM, settings.rate, settings.epochs, patience=None, schedule=part("cosine")
    )
    protocol = Protocol(
        "pretrain",
        augmentation=AUGMENTATION if settings.augment else (),
        batch=settings.batch,
        transfer=(phase,),
    )
    return Spec(
        dataset=image_set.identity,
        model=entry.identity,
        protocol=resolve(
            protocol,
            family=entry.family,
            weights_source="none",
            train_images=len(image_set.indices("train")),
        ),
        budget="pretrain",
        side_px=side_px,
        weights=Start(source="none"),
        precision=settings.precision,
        backend=settings.backend,
        seed=settings.seed,
    )


def checkpoint_folder(out: Path) -> Path:
    """Return where an interrupted pretraining goes on from."""
    return out.with_name(out.name + ".checkpoints")


def found(out: Path, spec: Spec) -> Pretraining | None:
    """Return the pretraining info of a file that holds what this spec makes already, or None where there is no file.

    Raises:
        UsageError: another file is there, or the name has another ending.
        WeightsError: the file cannot be read.
    """
    if not out.name.endswith(SUFFIX) or out.name == SUFFIX:
        raise UsageError(f"--out takes a file name that ends in {SUFFIX}, got {out.name!r}.")
    if not out.exists():
        return None
    pretraining = read_pretraining(out)
    if pretraining is None or pretraining.plan != spec.hash:
        raise UsageError(f"{out} holds other weights: give another --out, or remove it first.")
    return pretraining


def pretrain(
    entry: ModelEntry,
    spec: Spec,
    image_set: ImageSet,
    out: Path,
    *,
    progress: Callable[[dict[str, Any]], None] = lambda event: None,
    plugins: Sequence[str] = (),
) -> Pretraining:
    """Train, or go on where an earlier call stopped, and write the body; return the file's pretraining.

    The body is that of the epoch with the lowest loss on the validation split; the test split is predicted once.

    Raises:
        StudyError: the training failed; the message says why.
        WriteError: a place cannot be written.
    """
    folder = checkpoint_folder(out)
    whole = folder / f"whole{SUFFIX}"
    with without_banners():
        record = execute(
            spec, image_set, keep_weights=whole, checkpoint_folder=folder, progress=progress, plugins=plugins
        )
        if record.status != "done":
            raise StudyError(f"pretraining {entry.name} on {image_set.name} failed: {record.reason}")
        pretraining = _pretraining(record, image_set)
        _write(entry, spec, image_set, whole, out, pretraining)
    whole.unlink(missing_ok=True)
    discard(folder)
    return pretraining


def _write(
    entry: ModelEntry, spec: Spec, image_set: ImageSet, whole: Path, out: Path, pretraining: Pretraining
) -> None:
    """Write the body of a trained network whose weights lie in ``whole``."""
    from study.training.build import build_network, load_weights
    from study.training.weights_file import save_body

    network = build_network(
        entry, image_shape=image_set.image_shape, classes=len(image_set.classes), side_px=spec.side_px
    )
    load_weights(network.model, whole, entry.name)
    save_body(network, out, pretraining)
    if read_pretraining(out) != pretraining:
        raise WeightsError(f"{out} was not written as it should be: the disk may be at fault.")


def _pretraining(record: Record, image_set: ImageSet) -> Pretraining:
    """Return what the file says of its making."""
    spec, best = record.spec, record.kept.best_epoch
    answers = record.arrays["test_probabilities"].argmax(axis=1)
    (phase,) = spec.protocol.phases
    return Pretraining(
        dataset=image_set.name,
        images=len(image_set.indices("train")),
        model=spec.model.name,
        version=spec.model.version,
        fingerprint=image_set.fingerprint,
        classes=len(image_set.classes),
        side_px=spec.side_px,
        epochs=len(record.history),
        best_epoch=best + 1,
        updates=record.history[-1].updates,
        batch=spec.protocol.batch,
        rate=phase.rate,
        seed=spec.seed,
        precision=spec.precision,
        validation_accuracy=round(record.history[best].validation_accuracy, 6),
        test_accuracy=round(float((answers == record.arrays["test_labels"]).mean()), 6),
        plan=spec.hash,
        code=record.provenance.code,
        commit=record.provenance.commit,
    )
