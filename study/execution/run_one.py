"""Execute: spec in, record out. One run from start to end, with every failure turned into a record."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from study.core.environment import peak_memory_mb, provenance
from study.core.errors import StudyError, UsageError, WriteError
from study.core.record import Contamination, Cost, Outcome, Record, Timing
from study.core.registry import load_plugin
from study.core.spec import RunProtocol, Spec, derive_seed
from study.datasets.cache import default_dir
from study.datasets.image_set import ImageSet
from study.models.entry import MODELS
from study.models.weights import file_pretraining
from study.protocols.contamination import guard_run, measure_run
from study.protocols.piece import VIEWS
from study.protocols.resolve import paired_protocol
from study.protocols.splits import Splits, make_splits
from study.training.backend import prepare_backend
from study.training.device import device_name
from study.training.environment import THREADS
from study.training.loop import Progress, Training

TRACEBACK_CHARACTERS = 4000


def execute(
    spec: Spec,
    image_set: ImageSet,
    *,
    weights_path: Path | None = None,
    keep_weights: Path | None = None,
    checkpoint_folder: Path | None = None,
    progress: Progress = lambda event: None,
    plugins: Sequence[str] = (),
    threads: int | None = None,
) -> Record:
    """Train and predict as a spec says.

    Args:
        spec: What to run.
        image_set: The image set that the spec names.
        weights_path: The file to start from, for ``weights.source`` ``file``.
        keep_weights: Where the best weights are written (``.weights.h5``); None keeps none.
        checkpoint_folder: Where the run saves itself after epochs and resumes from; None for neither.
        progress: Called with events: ``phase``, ``epoch``, ``predict``.
        plugins: Plugin files to load first.
        threads: Threads of the backend, where it is not yet started; None for those that every run has.

    Returns:
        The record with predictions, and with its paired record where one training makes two; status ``failed``
        with reason and traceback where anything but an interrupt happened.

    Raises:
        WriteError: checkpoints or weights cannot be written.
    """
    threads = threads or THREADS
    started = provenance(threads)
    clock, processor = time.perf_counter(), time.process_time()
    card = image_set.card()
    splits: Splits | None = None
    try:
        for plugin in plugins:
            load_plugin(plugin)
        if spec.dataset.fingerprint != image_set.fingerprint:
            raise UsageError(
                f"the spec is for dataset {spec.dataset.name} ({spec.dataset.fingerprint[:12]}), the images are "
                f"{image_set.name} ({image_set.fingerprint[:12]})."
            )
        splits = make_splits(image_set, spec.protocol)
        guard_run(image_set, splits, spec.protocol.leak != "none")
        prepare_backend(spec.backend, threads)
        started = replace(started, device=device_name())
        result, other = _run(spec, image_set, splits, weights_path, keep_weights, checkpoint_folder, progress)
    except WriteError:  # the place is at fault and not the run, which goes on from its checkpoint another time
        raise
    except (Exception, SystemExit) as error:
        reason = str(error) if isinstance(error, StudyError) else f"{type(error).__name__}: {error}"
        return Record(
            spec=spec,
            status="failed",
            dataset=card,
            reason=(reason.strip().splitlines() or ["unknown"])[0],
            traceback=_without_paths(traceback.format_exc())[-TRACEBACK_CHARACTERS:],
            timing=Timing(wall_s=time.perf_counter() - clock, cpu_s=time.process_time() - processor),
            **(_split_facts(image_set, splits, spec) if splits else {}),
            provenance=started,
        )
    spent = {"wall_s": time.perf_counter() - clock, "cpu_s": time.process_time() - processor}
    result["timing"] = replace(result["timing"], **spent)
    result["cost"] = replace(result["cost"], peak_memory_mb=peak_memory_mb())
    record = Record(
        spec=spec,
        status="done",
        dataset=card,
        provenance=started,
        weights_file=keep_weights.name if keep_weights else "",
        **_split_facts(image_set, splits, spec),
        **result,
    )
    same_training = paired_protocol(spec.protocol)
    if same_training is None:
        return record
    paired_spec = replace(spec, protocol=same_training)
    facts = _split_facts(image_set, make_splits(image_set, same_training), paired_spec)
    twin = replace(record, spec=paired_spec, weights_file="", weights_sha256="", **facts, **other)
    return replace(record, paired=(twin,))


def contamination(image_set: ImageSet, spec: Spec) -> Contamination:
    """Return what a run's training and choices see of its test split: by id, by identical content, by validation."""
    return measure_run(image_set, make_splits(image_set, spec.protocol), spec.protocol.leak != "none")


def _split_facts(image_set: ImageSet, splits: Splits, spec: Spec) -> dict[str, Any]:
    """Return the record's fields on the splits that the run used."""
    return {
        "contamination": measure_run(image_set, splits, spec.protocol.leak != "none"),
        "splits": splits.describe(image_set),
    }


def _run(
    spec: Spec,
    image_set: ImageSet,
    splits: Splits,
    weights_path: Path | None,
    keep_weights: Path | None,
    checkpoint_folder: Path | None,
    progress: Progress,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the record's fields on the training, and what differs from them in the record of the same training."""
    import keras

    from study.training.build import build_network
    from study.training.checkpoint import Checkpoint
    from study.training.cost import latency, macs, parameters
    from study.training.features import FeatureCache
    from study.training.feed import Feed
    from study.training.predict import Predictor
    from study.training.scoring import Scoring
    from study.training.test_monitor import TestMonitor
    from study.training.weights_file import check_start, save_weights

    keras.backend.clear_session()
    keras.utils.set_random_seed(derive_seed(spec.seed, "initial weights"))
    keras.config.set_dtype_policy(spec.precision)
    try:
        entry = MODELS.get(spec.model.name)
        if entry.version != spec.model.version:
            raise UsageError(
                f"the spec is for {entry.name} version {spec.model.version}, "
                f"the entry at hand is version {entry.version}."
            )
        check_start(spec.weights, weights_path)
        pretraining = None
        if spec.weights.source == "file" and weights_path is not None and weights_path.is_file():
            pretraining = file_pretraining(weights_path, entry)
        network = build_network(
            entry,
            image_shape=image_set.image_shape,
            classes=len(image_set.classes),
            side_px=spec.side_px,
            weights_source=spec.weights.source,
            weights_path=weights_path,
        )
        predictor = Predictor(network.model)
        images, labels = _samples(image_set, spec.protocol)
        views = VIEWS.make(spec.protocol.views) if spec.protocol.views else None
        scoring = Scoring(image_set, splits, images, labels, predictor, views)
        test_monitor = None
        if spec.protocol.monitor_test:
            both = bool(spec.protocol.same_training_as)
            test_monitor = TestMonitor(predictor, scoring.test, labels[splits.scored], both)
        training = Training(
            network,
            Feed(images, labels, splits.train, len(image_set.classes), spec.protocol, spec.seed),
            scoring.validation,
            labels[splits.validation],
            spec.protocol,
            spec.seed,
            predictor,
            Checkpoint(checkpoint_folder, spec.key),
            progress,
            FeatureCache(default_dir() / "features", f"{spec.precision} {spec.backend} {keras.__version__}"),
            test_monitor,
        )
        training.run()
        progress(
            {"kind": "predict", "phase": "predict", "epoch": len(training.history), "epochs": len(training.history)}
        )
        start = time.perf_counter()
        by_epoch = test_monitor.by_epoch() if test_monitor else {}
        found = {"none": _outcome(training, training.best_epoch) | {"arrays": scoring.arrays() | by_epoch}}
        predict_s = time.perf_counter() - start
        if test_monitor and test_monitor.keep_best:
            chosen = training.best
            network.model.set_weights(test_monitor.best)
            found["checkpoint-on-test"] = _outcome(training, test_monitor.best_epoch) | {
                "arrays": scoring.arrays() | by_epoch
            }
            if spec.protocol.leak == "none":
                network.model.set_weights(chosen)
        weights_sha256 = save_weights(network.model, keep_weights) if keep_weights else ""
        mine = found.pop(spec.protocol.leak if len(found) > 1 else "none")
        train_s = sum(row.train_s for row in training.history)
        updates = training.history[-1].updates
        result = {
            "pretraining": pretraining,
            "history": tuple(training.history),
            "weights_sha256": weights_sha256,
            "timing": Timing(
                train_s=train_s,
                train_images_per_s=updates * spec.protocol.batch / train_s,
                predict_images_per_s=scoring.predicted_images / predict_s,
            ),
            "cost": Cost(
                parameters=parameters(network.model),
                macs=macs(network.model),
                **latency(predictor, image_set.image_shape),
            ),
        }
        return result | mine, next(iter(found.values()), {})
    finally:
        keras.config.set_dtype_policy("float32")


def _samples(image_set: ImageSet, protocol: RunProtocol) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images and labels as a splits counts them: the image set's, then each changed copy's."""
    from study.training.copies import with_copies

    copies = protocol.copies
    if copies is None:
        return image_set.images, image_set.labels
    images = with_copies(image_set.images, copies, protocol.new_split.seed if protocol.new_split else 0)
    return images, np.tile(image_set.labels, 1 + copies.number)


def _outcome(training: Training, best_epoch: int) -> dict[str, Any]:
    """Return the outcome of keeping an epoch's weights, as the record's field."""
    chosen = training.phases[-1].monitor != "last"
    converged = not chosen or best_epoch < len(training.history) - 1
    return {"outcome": Outcome(best_epoch=best_epoch, stopped=tuple(training.stopped), converged=converged)}


def _without_paths(text: str) -> str:
    """Shorten file names in a traceback: records carry no paths of a machine."""
    lines = []
    for line in text.splitlines():
        start = line.find('File "')
        if start >= 0:
            path, rest = line[start + 6 :].split('"', 1)
            line = f'{line[:start]}File "{"/".join(Path(path).parts[-3:])}"{rest}'
        lines.append(line)
    return "\n".join(lines)
