"""Execute: spec in, record out. One run from start to end, with every failure turned into a record."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.datasets.cache import default_dir
from study.datasets.contamination import measure
from study.datasets.image_set import ImageSet
from study.errors import StudyError, UsageError
from study.models.entry import MODELS
from study.provenance import peak_memory_mb, provenance
from study.record import Record
from study.registry import load_plugin
from study.spec import Spec, derive_seed
from study.training.backend import prepare_backend
from study.training.loop import Progress

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
        checkpoint_folder: Where the run saves itself after every epoch and resumes from; None for neither.
        progress: Called with events: ``phase``, ``epoch``, ``predict``.
        plugins: Plugin files to load first.
        threads: Threads of the backend, where it is not yet started.

    Returns:
        The record with predictions; status ``failed`` with reason and traceback where anything but an interrupt
        happened.
    """
    started = provenance(threads)
    clock, processor = time.perf_counter(), time.process_time()
    card = image_set.card()
    try:
        for plugin in plugins:
            load_plugin(plugin)
        if spec.dataset["fingerprint"] != image_set.fingerprint:
            raise UsageError(
                f"the spec is for dataset {spec.dataset['name']} ({spec.dataset['fingerprint'][:12]}), the images are "
                f"{image_set.name} ({image_set.fingerprint[:12]})."
            )
        result = _run(spec, image_set, weights_path, keep_weights, checkpoint_folder, progress, threads)
    except (Exception, SystemExit) as error:
        reason = str(error) if isinstance(error, StudyError) else f"{type(error).__name__}: {error}"
        return Record(
            spec=spec,
            status="failed",
            dataset=card,
            reason=(reason.strip().splitlines() or ["unknown"])[0],
            traceback=_without_paths(traceback.format_exc())[-TRACEBACK_CHARACTERS:],
            timing={"wall_s": time.perf_counter() - clock, "cpu_s": time.process_time() - processor},
            contamination=contamination(image_set, spec),
            provenance=started,
        )
    result["timing"] |= {"wall_s": time.perf_counter() - clock, "cpu_s": time.process_time() - processor}
    result["cost"]["peak_memory_mb"] = peak_memory_mb()
    return Record(
        spec=spec,
        status="done",
        dataset=card,
        contamination=contamination(image_set, spec),
        provenance=started,
        weights_file=keep_weights.name if keep_weights else "",
        **result,
    )


def contamination(image_set: ImageSet, spec: Spec) -> dict[str, Any]:
    """Return what the run's training and choices saw of the test split: by id, by identical content, by selection."""
    shared = measure(image_set)
    return {
        "trained_on_test_ids": shared.ids["test in train"],
        "test_copies_in_train": shared.images["test in train"],
        "selection_copies_in_train": shared.images["selection in train"],
        "selected_on_test": False,
        "leaky": spec.protocol["leak"] != "none",
    }


def _run(
    spec: Spec,
    image_set: ImageSet,
    weights_path: Path | None,
    keep_weights: Path | None,
    checkpoint_folder: Path | None,
    progress: Progress,
    threads: int | None,
) -> dict[str, Any]:
    prepare_backend(spec.backend, threads)
    import keras

    from study.training.build import build_network
    from study.training.checkpoint import Checkpoint
    from study.training.cost import latency, macs, parameters
    from study.training.features import FeatureCache
    from study.training.feed import Feed
    from study.training.loop import Training
    from study.training.predict import Predictor

    keras.backend.clear_session()
    keras.utils.set_random_seed(derive_seed(spec.seed, "initial weights"))
    keras.config.set_dtype_policy(spec.precision)
    try:
        entry = MODELS.get(spec.model["name"])
        if entry.version != spec.model["version"]:
            raise UsageError(
                f"the spec is for {entry.name} version {spec.model['version']}, "
                f"the entry at hand is version {entry.version}."
            )
        network = build_network(
            entry,
            image_shape=image_set.image_shape,
            classes=len(image_set.classes),
            side_px=spec.side_px,
            weights_source=spec.weights["source"],
            weights_path=weights_path,
        )
        predictor = Predictor(network.model)
        selection, test = image_set.indices("selection"), image_set.indices("test")
        labels = image_set.labels
        selection_images = np.ascontiguousarray(image_set.images[selection])
        feed = Feed(
            image_set.images, labels, image_set.indices("train"), len(image_set.classes), spec.protocol, spec.seed
        )
        training = Training(
            network,
            feed,
            selection_images,
            labels[selection],
            spec.protocol,
            spec.seed,
            predictor,
            Checkpoint(checkpoint_folder, spec.key),
            progress,
            FeatureCache(default_dir() / "features", f"{spec.precision} {spec.backend} {keras.__version__}"),
        )
        training.run()
        progress(
            {"kind": "predict", "phase": "predict", "epoch": len(training.history), "epochs": len(training.history)}
        )
        start = time.perf_counter()
        arrays: dict[str, NDArray[Any]] = {"selection_labels": labels[selection], "test_labels": labels[test]}
        for name, images in (("selection", selection_images), ("test", image_set.images[test])):
            arrays[f"{name}_probabilities"] = predictor(images)
            arrays[f"{name}_flipped"] = predictor(images, mirrored=True)
        predict_s = time.perf_counter() - start
        if keep_weights is not None:
            save_weights(network.model, keep_weights)
        train_s = sum(row["train_s"] for row in training.history)
        updates = training.history[-1]["updates"]
        return {
            "history": training.history,
            "outcome": {
                "best_epoch": training.best_epoch,
                "stopped": training.stopped,
                "converged": training.best_epoch < len(training.history) - 1,
            },
            "timing": {
                "train_s": train_s,
                "train_images_per_s": updates * spec.protocol["batch"] / train_s,
                "predict_images_per_s": 2 * (len(selection) + len(test)) / predict_s,
            },
            "cost": {
                "parameters": parameters(network.model),
                "macs": macs(network.model),
                **latency(predictor, image_set.image_shape),
            },
            "arrays": arrays,
        }
    finally:
        keras.config.set_dtype_policy("float32")


def save_weights(model: Any, path: Path) -> None:
    """Write a model's weights so that the file is either the old one or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        model.save_weights(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
