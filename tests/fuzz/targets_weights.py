"""Targets of weights files: what is looked at before Keras, and what Keras itself makes of them (slow: TensorFlow)."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import numpy as np

from tests.fuzz.mutations import Seeds, mutate_bytes, mutate_json
from tests.fuzz.target import Target

_MAGIC = b"\x89HDF\r\n\x1a\n"
_SHAPES = {"kernel": (6, 4), "bias": (4,)}


def _file(change: str, rng: random.Random) -> bytes:
    """Return a weights file as Keras writes it for one dense layer, with one thing that is not as it should be."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        layer = file.create_group("layers/dense/vars")
        file.create_group("vars")
        for place, shape in enumerate(_SHAPES.values()):
            layer[str(place)] = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        if change == "missing":
            del layer[rng.choice("01")]
        elif change == "type":
            del layer["0"]
            kinds = (b"text", "words", np.zeros((6, 4), "i8"), np.zeros((6, 4), complex), np.zeros(3, "i4,f4"), np.nan)
            layer["0"] = rng.choice(kinds)
        elif change == "shape":
            del layer["0"]
            layer["0"] = np.zeros(rng.choice(((4, 6), (0, 4), (24,), (1, 6, 4), ())), np.float32)
        elif change == "locked":
            del layer["0"]
            layer.create_dataset("0", (2**31, 2**20), np.float32, chunks=(1024, 1024), compression="gzip")
        elif change == "elsewhere":
            del layer["0"]
            layer["0"] = rng.choice(
                (h5py.ExternalLink("/etc/passwd", "x"), h5py.SoftLink("/nowhere"), h5py.SoftLink("/layers"))
            )
        elif change == "raw":
            del layer["0"]
            layer.create_dataset("0", (6, 4), np.uint8, external=[("/etc/passwd", 0, 24)])
        elif change == "loop":
            layer["again"] = file["layers"]
        elif change == "model":
            file.attrs["model_config"] = '{"class_name": "Lambda"}'
        elif change == "group":
            del layer["0"]
            layer.create_group("0")
        elif change == "names":
            file.move("layers/dense", rng.choice(("layers/x", "dense", "layers/\u202e", "layers/dense_1")))
        elif change == "attributes":
            place = rng.choice((file, layer, layer["0"]))
            place.attrs["layer_names"] = rng.choice((["a", "b"], [b"\xff\xfe"], 5, "x" * 1000, ["x" * 2000] * 4000))
        elif change == "links":
            for number in range(rng.choice((1, 20_000))):
                layer[f"l{number}"] = layer["0"]
    return buffer.getvalue()


_CHANGES = (
    "missing",
    "type",
    "shape",
    "locked",
    "elsewhere",
    "raw",
    "loop",
    "model",
    "group",
    "names",
    "attributes",
    "links",
)


def _seeds(folder: Path) -> Seeds:
    return [_file("", random.Random(0))]


def _mutate(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return mutate_bytes(data, seeds, rng)
    changed = _file(rng.choice(_CHANGES), rng)
    return changed if rng.random() < 0.7 else mutate_bytes(changed, seeds, rng)


def _check(data: bytes, folder: Path) -> None:
    from study.models.weights_form import check_form

    path = folder / "x.weights.h5"
    path.write_bytes(data)
    check_form(path, 28)


def _pretraining() -> dict[str, object]:
    """Return what `study pretrain` writes into a file of its making."""
    from study.core.record import Pretraining

    info = Pretraining(
        dataset="cifar10", images=3, model="m", version="1", fingerprint="f", classes=3, side_px=3, epochs=3, rate=0.5,
        validation_accuracy=0.7, test_accuracy=0.69, precision="float32",
    )  # fmt: skip
    return {**info.to_json(), "format": 2}


def _origin_seeds(folder: Path) -> Seeds:
    import msgspec

    from study.core.record import Pretraining
    from study.models.pretraining_info import with_pretraining

    fields = {name: value for name, value in _pretraining().items() if name != "format"}
    return [with_pretraining(_file("", random.Random(0)), msgspec.convert(fields, Pretraining))]


def _mutate_origin(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    """Change what a file says of its pretraining, or how it says it, or bytes anywhere."""
    import h5py

    from study.models.pretraining_info import ATTRIBUTE

    if rng.random() < 0.3:
        return mutate_bytes(data, seeds, rng)
    buffer = io.BytesIO(_file("", rng))
    with h5py.File(buffer, "w") as file:
        kinds = ("{", "[" * 5000, b"\xff", 5, [1, 2], np.zeros(7000, "u1"), h5py.Empty("f"), "x" * 60_000, "\u202e")
        changed = json.dumps(mutate_json(_pretraining(), rng))
        file.attrs[ATTRIBUTE] = changed if rng.random() < 0.6 else rng.choice(kinds)
    return buffer.getvalue()


def _read_origin(data: bytes, folder: Path) -> None:
    from study.models.pretraining_info import read_pretraining

    path = folder / "x.weights.h5"
    path.write_bytes(data)
    if found := read_pretraining(path):
        found.words()


def _load(data: bytes, folder: Path) -> None:
    from study.training.build import load_weights

    if not hasattr(_load, "model"):
        import keras

        inputs = keras.Input((6,))
        _load.model = keras.Model(inputs, keras.layers.Dense(4, name="dense")(inputs))  # type: ignore[attr-defined]
    path = folder / ("x.weights.h5" if len(data) % 3 else "x.h5")
    path.write_bytes(data)
    load_weights(_load.model, path, "a network")  # type: ignore[attr-defined]


TARGETS = (
    Target("weights-form", _seeds, lambda data: data.startswith(_MAGIC), _check, _mutate, 150),
    Target(
        "weights-pretraining", _origin_seeds, lambda data: data.startswith(_MAGIC), _read_origin, _mutate_origin, 60
    ),
)
SLOW = (Target("weights-keras", _seeds, lambda data: data.startswith(_MAGIC), _load, _mutate, 200, seeds_work=False),)
