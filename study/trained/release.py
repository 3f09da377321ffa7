"""The network that the package carries for the first minute: made from a run, measured against it, opened."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from study.core.errors import UsageError, WeightsError
from study.core.files import file_sha256, make_folder, temporary_path, write_atomically
from study.core.record import Record
from study.core.store import Store, studies
from study.datasets.image_set import ImageSet
from study.trained.formats import FORMATS, Call, find_exports
from study.trained.runtime import SHARE_RIGHT, Runtime, in_batches, notice_of, open_runtime, unsure_threshold
from study.trained.winner import finished_runs, holds_a_model

#: Part of the package; a checkout's `study export --release` writes it.
FOLDER = Path(__file__).parent / "released"
MODEL, MANIFEST = "model.onnx", "released.json"
#: So that cloning and installing stay quick.
MOST_BYTES = 6_000_000
#: Share of images whose label must be the run's own.
LEAST_AGREEMENT = 0.99


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the released network."""

    key: str  #: The run that it was made from.
    title: str  #: Model, protocol and dataset, for people.
    classes: tuple[str, ...]  #: Class names, in the order of the probabilities.
    image_shape: tuple[int, int, int]  #: Height, width and channels of the images that it takes.
    notice: str  #: What every output must say; empty for photographs.
    unsure_below: float  #: An answer whose probability is lower is unsure.
    bytes: int  #: Size of the file.
    sha256: str  #: Of the file.
    images: int  #: Validation and test images on which it was compared with the run.
    agreement: float  #: Share of them that get the run's own label.
    largest_difference: float  #: Of a probability, from the run's own.
    test_accuracy: float  #: Share of the test images that it gets right.
    run_test_accuracy: float  #: The same of the run.


def find_release(folder: Path | None = None) -> Release | None:
    """Return what is known of a released network, by default the package's, or None where there is none.

    Raises:
        WeightsError: its files are not as they were written.
    """
    folder = folder or FOLDER
    if not (folder / MANIFEST).is_file():
        return None
    try:
        found = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Release)
        if file_sha256(folder / MODEL) != found.sha256:
            raise ValueError(f"{MODEL} was altered")
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{folder}: the released network is not as it was written ({error}). Install the package again, or name a "
            "run with --run KEY."
        ) from error
    return found


def open_release(folder: Path | None = None) -> Runtime | None:
    """Open a released network, by default the package's, or return None where there is none.

    Raises:
        WeightsError: its files are not as they were written.
    """
    found = find_release(folder)
    if found is None:
        return None
    call = FORMATS["onnx"].open((folder or FOLDER) / MODEL)
    origin = f"the released network, {found.title}"
    return Runtime(
        "onnx", found.key, found.classes, found.image_shape, found.notice, call, found.unsure_below, origin=origin
    )


def open_network(store: Store, record: Record) -> Runtime:
    """Open a run's network; where its exports and weights are not here, the released network if that was made from it.

    Raises:
        UsageError, WeightsError: as ``open_runtime`` and ``open_release``.
    """
    return released_form(store, record) or open_runtime(store, record)


def released_form(store: Store, record: Record) -> Runtime | None:
    """Return the released network if it was made from a run that has neither exports nor weights here, else None."""
    if find_exports(store, record) or store.weights_path(record.spec).is_file():
        return None
    found = open_release()
    return found if found is not None and found.key == record.key else None


def choose_network(results: str | Path, study: str | None, key: str | None) -> tuple[str | None, Runtime | None]:
    """Return the study to take a run from (None for any), and in its stead the released network if that is to be used.

    Without a study or a run named: a run that was trained here on photographs, else the released network, else any.
    """
    if study is not None or key is not None:
        return study, None
    own = trained_on_photographs(results)
    if own:
        return (own[0] if len(own) == 1 else None), None
    return None, open_release()


def trained_on_photographs(results: str | Path) -> list[str]:
    """Return the studies that have a usable network which was trained on photographs.

    Drawn faces teach nothing about people: a network that learned from them is used when it is asked for, or when there
    is no other.
    """
    stores = [Store(results, name) for name in studies(results)]
    # Without reading a record: in a fresh clone no study has any.
    stores = [one for one in stores if any(any(one.folder.rglob(kind)) for kind in ("*.weights.h5", "*.export"))]
    photographed = {one: [run for run in finished_runs(one) if not run.dataset.drawn] for one in stores}
    return [one.study for one, runs in photographed.items() if holds_a_model(one, runs)]


def make_release(
    store: Store, record: Record, image_set: ImageSet, say: Callable[[str], None], folder: Path
) -> Release:
    """Write a run's network in half precision, with what it does otherwise than the run.

    Weights are stored in 16 bits and computed with in 32: the file has half the size, on any processor the same speed.
    The two are compared on the validation and test images of the run's own dataset.

    Raises:
        UsageError: the file is too large, or its labels are not the run's; nothing is left.
        WeightsError: the run's weights are missing or other ones.
    """
    from study.trained.export import Exporter
    from study.trained.images import validation_sample

    make_folder(folder)
    temporary = temporary_path(folder / MODEL)
    make_folder(temporary)
    exact, small = temporary / MODEL, temporary / "half.onnx"
    try:
        exporter = Exporter(store, record, temporary, validation_sample(image_set))
        exporter.write("onnx")
        halve(exact, small)
        size = small.stat().st_size
        if size > MOST_BYTES:
            raise UsageError(
                f"a released network has at most {MOST_BYTES / 1e6:g} MB, {record.key} has {size / 1e6:.1f} MB in half "
                "precision: release a smaller network."
            )
        found = _measured(store, record, image_set, small, FORMATS["onnx"].open(exact))
        say(
            f"{size / 1e6:.1f} MB; the run's own label on {100 * found.agreement:.2f} % of {found.images:,} images, "
            f"largest difference of a probability {found.largest_difference:.2g}; test accuracy "
            f"{100 * found.test_accuracy:.2f} % (the run: {100 * found.run_test_accuracy:.2f} %)"
        )
        if found.agreement < LEAST_AGREEMENT:
            raise UsageError(
                f"a released network gives at least {100 * LEAST_AGREEMENT:g} % of the images the run's label, this "
                f"one {100 * found.agreement:.2f} %: release another run."
            )
        write_atomically(folder / MODEL, small.read_bytes())
    finally:
        shutil.rmtree(temporary)
    manifest = msgspec.json.format(msgspec.json.encode(found, order="sorted"), indent=1)
    write_atomically(folder / MANIFEST, manifest + b"\n")
    return found


def halve(source: Path, target: Path) -> None:
    """Write an ONNX file with its float32 weights in half precision, each followed by a cast back to float32.

    ONNX Runtime casts once, when it opens the file.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(source)
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or weights.size < 64:
            continue
        casts.append(helper.make_node("Cast", [f"{tensor.name}/half"], [tensor.name], to=TensorProto.FLOAT))
        half = np.clip(weights, -65504, 65504).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(half, f"{tensor.name}/half"))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def _measured(store: Store, record: Record, image_set: ImageSet, small: Path, exact: Call) -> Release:
    arrays, card = store.load_arrays(record).arrays, record.dataset
    places = np.concatenate([image_set.indices(split) for split in ("validation", "test")])
    images, labels = image_set.images[places], image_set.labels[places]
    one, other = (in_batches(call, images, len(card.classes)) for call in (FORMATS["onnx"].open(small), exact))
    own, test = other.argmax(axis=1), slice(len(image_set.indices("validation")), None)
    model, protocol = record.spec.recipe
    return Release(
        key=record.key,
        title=f"{model} under {protocol}, trained on {card.name}",
        classes=tuple(card.classes),
        image_shape=card.image_shape,
        notice=notice_of(record),
        unsure_below=unsure_threshold(arrays["validation_probabilities"], arrays["validation_labels"], SHARE_RIGHT),
        bytes=small.stat().st_size,
        sha256=file_sha256(small),
        images=len(one),
        agreement=float(np.mean(one.argmax(axis=1) == own)),
        largest_difference=float(np.abs(one - other).max()),
        test_accuracy=float(np.mean(one.argmax(axis=1)[test] == labels[test])),
        run_test_accuracy=float(np.mean(own[test] == labels[test])),
    )
