"""Stored runs to serve: with invented predictions, with a hand-made ONNX network, or with a real small one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.files import file_sha256
from study.core.record import Record
from study.core.spec import Spec, Start
from study.core.store import Store
from study.datasets.image_set import ImageSet
from study.trained.formats import export_folder, write_manifest
from tests.changed import replace
from tests.execution.executors.fake_execute import done_record
from tests.factories import make_record


def keep(store: Store, *words: Any, **more: Any) -> Record:
    """Store an invented run (as ``make_record``) with something in place of its weights."""
    record = make_record(*words, **more)
    record = store.keep(replace(record, weights_file="w.weights.h5"))
    store.weights_path(record.spec).write_bytes(record.key.encode())
    return record


def spec_of(image_set: ImageSet, name: str = "small", protocol: str = "baseline", epochs: int = 2) -> Spec:
    """Return the spec of a registered model on an image set, with a demo's few updates."""
    from study.models.entry import MODELS
    from study.protocols import PROTOCOLS, resolve

    entry = MODELS.get(name)
    phases = resolve(
        PROTOCOLS.get(protocol),
        family=entry.family,
        weights_source="none",
        train_images=len(image_set.indices("train")),
        epochs=epochs,
    )
    return Spec(
        dataset=image_set.identity,
        model=entry.identity,
        protocol=phases,
        budget="test",
        side_px=entry.side_px,
        weights=Start(source="none"),
        precision="float32",
        backend="tensorflow",
        seed=0,
    )


def add_onnx(store: Store, record: Record) -> Path:
    """Lay an ONNX network beside a run: classes score by the mean of the image's rows, the brightest part wins."""
    import onnx
    from onnx import TensorProto, helper

    height, width, channels = record.dataset.image_shape
    classes = len(record.dataset.classes)
    bands = np.zeros((height * width * channels, classes), np.float32)
    for place, rows in enumerate(np.array_split(np.arange(height), classes)):
        pixels = np.arange(height * width * channels).reshape(height, -1)[rows].ravel()
        bands[pixels, place] = 0.1 / len(pixels)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["float"], ["flat"]),
            helper.make_node("MatMul", ["flat", "bands"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["probabilities"]),
        ],
        "bands",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", height, width, channels])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", classes])],
        [onnx.numpy_helper.from_array(bands, "bands")],
    )
    folder = export_folder(store, record)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), path)
    entry = {
        "file": path.name, "sha256": file_sha256(path), "bytes": path.stat().st_size,
        "largest_difference": 0.0, "checked_on": "nothing",
    }  # fmt: skip
    write_manifest(folder, record, file_sha256(store.weights_path(record.spec)), {"onnx": entry})
    return path


def band_images(labels: NDArray[np.int64], classes: int = 7, side: int = 48) -> NDArray[np.uint8]:
    """Return images that ``add_onnx``'s network answers with these labels."""
    images = np.full((len(labels), side, side, 1), 20, np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[np.array_split(np.arange(side), classes)[label]] = 220
    return images


def register_small() -> None:
    """Register a small network of what real ones are made of."""
    from study.models.entry import model

    @model("small", minimum_side_px=8, body="a small network", head="softmax", source="a test")
    def build(images: Any, classes: int) -> Any:
        from keras import layers

        from study.models.fast.normalization import batch_normalization
        from study.models.layers import classifier

        x = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="first")(images)
        x = layers.ReLU()(batch_normalization(x))
        x = layers.Conv2D(8, 3, padding="same", name="last")(x)
        x = layers.ReLU(name="last_relu")(x)
        x = layers.MaxPooling2D(4)(x)
        x = layers.Dropout(0.2)(x)
        return classifier(layers.Flatten()(x), classes)


def register_small_transfer() -> None:
    """Register a small network with a body of its own, enlarged images and ImageNet's preprocessing."""
    from study.models.entry import model

    @model(
        "small-transfer", family="transfer", minimum_side_px=8, side_px=64, preprocessing="caffe", body="a small body",
        stages=("block",),
    )  # fmt: skip
    def build(shape: tuple[int, int, int], weights: str | None) -> Any:
        import keras
        from keras import layers

        images = keras.Input(shape)
        x = layers.Conv2D(6, 3, strides=4, padding="same", name="block1_conv")(images)
        x = layers.ReLU()(layers.BatchNormalization(name="block1_bn")(x))
        x = layers.Conv2D(8, 3, strides=2, name="block2_conv", activation="relu")(x)
        return keras.Model(images, layers.Dropout(0.5)(x), name="small_body")


def real_run(store: Store, image_set: ImageSet, name: str = "small") -> Record:
    """Store a run of a registered model whose weights are random but whose answers are decided, without training."""
    import keras

    from study.models.entry import MODELS
    from study.training.build import build_network
    from study.training.predict import Predictor

    spec = spec_of(image_set, name)
    keras.utils.set_random_seed(1)
    network = build_network(
        MODELS.get(name), image_shape=image_set.image_shape, classes=len(image_set.classes), side_px=spec.side_px
    )
    predictor = Predictor(network.model)
    for weight in network.model.weights:
        if weight.path.endswith("moving_variance"):
            weight.assign(0.1 * np.ones(weight.shape))
    last = network.model.layers[-1]
    features = keras.Model(network.model.input, last.input)(image_set.images[:100], training=False)
    scores = np.asarray(features @ last.kernel)
    last.kernel.assign(last.kernel / np.std(scores - scores.mean(axis=0)))  # neither all alike nor all 0 and 1
    last.bias.assign(-scores.mean(axis=0) / np.std(scores - scores.mean(axis=0)))
    arrays: dict[str, Any] = {}
    for split in ("validation", "test"):
        places = image_set.indices(split)
        arrays[f"{split}_labels"] = image_set.labels[places]
        arrays[f"{split}_probabilities"] = predictor(image_set.images[places])
        arrays[f"{split}_flipped"] = predictor(image_set.images[places], mirrored=True)
    path = store.weights_path(spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    network.model.save_weights(path)
    record = replace(
        done_record(spec, image_set), arrays=arrays, weights_file=path.name, weights_sha256=file_sha256(path)
    )
    keep_images(store, image_set)
    return store.keep(record)


def keep_images(store: Store, image_set: ImageSet) -> None:
    """Store what a study keeps of its images."""
    store.keep_dataset(
        {"labels": image_set.labels, "ids": image_set.ids, "splits": image_set.splits, "hashes": image_set.hashes}
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
